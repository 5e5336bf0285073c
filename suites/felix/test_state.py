"""Felix of every node follows the datastore, and has applied its settings."""

from __future__ import annotations

import pytest

from sixproof.checks.calico.felix_states import FelixStates
from sixproof.model import Family

pytestmark = pytest.mark.feature("Felix")


@pytest.mark.story("in sync")
@pytest.mark.covers("F1", "T3")
def test_felix_takes_a_change_over_on_every_node(felix_states: FelixStates) -> None:
    """By its metrics each node's Felix is in sync, takes a change over, and counts no error then.

    Why: on a node whose Felix no longer follows, pods stay Ready and old flows continue.
    """
    felix_states.must_follow()


@pytest.mark.story("settings")
@pytest.mark.covers("F1")
def test_felix_has_rules_of_each_family_in_the_backend_it_is_set_to(
    felix_states: FelixStates, ip_family: Family
) -> None:
    """Each node's Felix has rules of the family, in iptables or nftables as nftablesMode says.

    Why: with ipv6Support off, or rules in an unexpected backend, policies of one family are
    not enforced.
    """
    felix_states.must_have_rules(ip_family)


@pytest.mark.story("WireGuard")
@pytest.mark.covers("F3")
def test_every_node_encrypts_a_family_for_which_wireguard_is_on(
    felix_states: FelixStates, ip_family: Family
) -> None:
    """Each node has the family's WireGuard device, up, and has published its key.

    Why: Felix does not encrypt to a node that has published none.
    """
    felix_states.must_encrypt(ip_family)


@pytest.mark.story("eBPF")
@pytest.mark.covers("F4")
def test_every_node_has_its_ebpf_programs(felix_states: FelixStates) -> None:
    """Where the eBPF dataplane is on, each node's Felix could set the programs of all interfaces.

    Why: an interface without its program is closed, or enforces no policy.
    """
    felix_states.must_have_programs()
