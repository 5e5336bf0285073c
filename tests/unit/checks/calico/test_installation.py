"""An Installation against pools, components and pods: what agrees is silent, the rest is named."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Any

import pytest

from sixproof.agent import protocol
from sixproof.calico.operator import Installation, Status, installation
from sixproof.calico.pools import Pool
from sixproof.checks.calico.installation_checks import InstallationChecks
from sixproof.errors import NotAsked, VerdictError
from sixproof.probes.connect.fake_agents import FakeAgents
from tests.unit.model.places import place

PODS = place("a@w1", 1, "w1"), place("a@w2", 2, "w2")
WRITTEN = {
    "spec": {
        "calicoNetwork": {
            "mtu": 1430,
            "ipPools": [
                {
                    "cidr": "fd00:244::/56",
                    "blockSize": 122,
                    "encapsulation": "VXLAN",
                    "natOutgoing": "Enabled",
                    "nodeSelector": "all()",
                }
            ],
        }
    }
}
POOL = Pool("six", ipaddress.ip_network("fd00:244::/56"), 122, "VXLAN", nat_outgoing=True)


def checks(
    pools: tuple[Pool, ...] = (POOL,), *, mtus: tuple[int, int] = (1430, 1430), **changed: Any
) -> InstallationChecks:
    """A cluster that is as its Installation asks, but for what is `changed`."""
    written = installation(WRITTEN, ())
    assert written is not None
    answers = {
        pod.name: lambda _, mtu=mtu: protocol.Inspected({"eth0": mtu}, [], {}, "", {})
        for pod, mtu in zip(PODS, mtus, strict=True)
    }
    asked = dataclasses.replace(written, **changed)
    return InstallationChecks(asked, pools, FakeAgents(answers), PODS)


def test_what_agrees_is_silent() -> None:
    found = checks(statuses=(Status("calico", available=True),))
    found.must_be_available()
    found.must_have_its_pools()
    found.must_have_its_mtu()


def test_a_component_that_is_not_available_says_why() -> None:
    statuses = Status("calico", available=False, message="no quorum"), Status("goldmane", False)
    with pytest.raises(VerdictError) as raised:
        checks(statuses=statuses).must_be_available()
    assert str(raised.value).splitlines() == [
        "calico is not available: no quorum",
        "goldmane is not available: no reason given",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"block_size": 120}, "IPPool six has blockSize 120, the Installation says 122"),
        ({"encapsulation": "None"}, "has encapsulation None, the Installation says VXLAN"),
        ({"nat_outgoing": False}, "has natOutgoing False, the Installation says True"),
        ({"node_selector": "dmz"}, "has nodeSelector dmz, the Installation says all()"),
        (
            {"cidr": ipaddress.ip_network("fd00:245::/56")},
            "there is no IPPool fd00:244::/56, which the Installation asks for",
        ),
    ],
)
def test_a_pool_that_differs_is_named_with_the_field(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(VerdictError, match=f"^[^\n]*{said.replace('(', '.').replace(')', '.')}"):
        checks((dataclasses.replace(POOL, **changes),)).must_have_its_pools()


def test_a_pod_with_another_mtu_is_named() -> None:
    with pytest.raises(VerdictError) as raised:
        checks(mtus=(1430, 1450)).must_have_its_mtu()
    assert str(raised.value) == "a@w2: eth0 has MTU 1450, wanted 1430"


def test_what_the_installation_leaves_open_is_not_asked() -> None:
    open_ = checks(mtu=None)
    with pytest.raises(NotAsked, match="leaves the MTU to Felix"):
        open_.must_have_its_mtu()
    with pytest.raises(NotAsked, match="no TigeraStatus"):
        open_.must_be_available()
    nothing = InstallationChecks(Installation(), (), FakeAgents({}), ())
    with pytest.raises(NotAsked, match="names no IP pool"):
        nothing.must_have_its_pools()
