"""Every node has the BGP sessions that Calico is configured to have, over each family."""

from __future__ import annotations

import pytest

from sixproof.checks.bgp.bgp_checks import BgpChecks
from sixproof.model import Family

pytestmark = [pytest.mark.feature("BGP"), pytest.mark.story("sessions")]


@pytest.mark.covers("B1", "B2", "B3", "B4")
def test_every_node_has_its_bgp_sessions(bgp_checks: BgpChecks, ip_family: Family) -> None:
    """Each session of the mesh, with route reflectors and with every BGPPeer is Established.

    Why: a session carries only its own family's routes. Pods stay Ready when one is down, and
    graceful restart keeps its routes for minutes, so that traffic fails only later.
    """
    bgp_checks.must_be_established(ip_family)
