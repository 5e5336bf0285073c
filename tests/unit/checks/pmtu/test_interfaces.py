"""What agents say of interfaces: the MTU of pods, and of what nodes send by."""

from __future__ import annotations

import pytest

from sixproof.agent import protocol
from sixproof.checks.pmtu import interfaces
from sixproof.errors import NotAsked, Subject, VerdictError
from sixproof.model import Endpoint
from sixproof.probes.connect.fake_agents import FakeAgents
from tests.unit.model.places import place

HERE, THERE = place("host@w1", 1, "w1"), place("host@w2", 2, "w2")


class Kernel:
    """An agent whose routes lead by these devices in turn, "" for one that fails."""

    def __init__(self, mtus: dict[str, int], *devices: str) -> None:
        self.mtus = mtus
        self.devices = devices
        self.asked: list[str] = []

    def __call__(self, request: object) -> object:
        if isinstance(request, protocol.RouteGet):
            self.asked += request.addresses
            seen = [
                protocol.RouteSeen(address, device, error="" if device else "ENETUNREACH")
                for address, device in zip(request.addresses, self.devices, strict=True)
            ]
            return protocol.RoutesSeen(seen)
        assert isinstance(request, protocol.Inspect)
        return protocol.Inspected(self.mtus, [], {}, "", {})


def underlay(**kernels: Kernel) -> dict[str, int]:
    """Of these hosts."""
    hosts = [host for host in (HERE, THERE) if host.node in kernels]
    return interfaces.underlay(FakeAgents({h.name: kernels[h.node] for h in hosts}), hosts)


def test_the_underlay_is_what_a_node_sends_to_others_by() -> None:
    """The smallest, where it sends each family by another interface; its tunnel is none of them."""
    here = Kernel({"eth0": 1500, "eth1": 1400, "vxlan.calico": 1350}, "eth0", "eth1")
    there = Kernel({"eth0": 9000}, "eth0", "")
    assert underlay(w1=here, w2=there) == {"w1": 1400, "w2": 9000}
    assert here.asked == [str(a) for a in THERE.addresses]


def test_a_single_node_is_asked_for_the_way_to_somewhere() -> None:
    """There is no other one to send to."""
    here = Kernel({"eth0": 1500}, "eth0", "eth0")
    assert underlay(w1=here) == {"w1": 1500}
    assert here.asked == [str(a) for a in interfaces.SOMEWHERE]


@pytest.mark.parametrize("kernels", [{}, {"w1": Kernel({"eth0": 1500}, "", "")}], ids=len)
def test_without_a_node_that_says_its_routes_there_is_no_underlay(
    kernels: dict[str, Kernel],
) -> None:
    """No agent on the nodes' network, or no route."""
    with pytest.raises(NotAsked, match="no agent on the nodes' network"):
        underlay(**kernels)


def test_the_mtu_of_pods_is_the_smallest_of_their_own_interfaces() -> None:
    """A tunnel device that every network namespace has is not theirs."""
    agents = FakeAgents(
        {
            HERE.name: Kernel({"lo": 65536, "eth0": 1450, "tunl0": 1480}),
            THERE.name: Kernel({"eth0": 1430, "ip6tnl0": 1280}),
        }
    )
    pods: list[Endpoint] = [HERE, THERE]
    assert interfaces.pod_mtu(agents, pods) == 1430


def test_wrong_interfaces_are_reported_with_the_source_of_the_expectation() -> None:
    """One a line; none is well."""
    interfaces.none_wrong("RFC 8200", {})
    expected = "a: 1\nb: 2\n  expected because: RFC 8200"
    subjects = [Subject.of_node("a", "eth0"), Subject.of_node("b", "eth0")]
    with pytest.raises(VerdictError, match=expected) as found:
        interfaces.none_wrong("RFC 8200", dict(zip(["a: 1", "b: 2"], subjects, strict=True)))
    assert found.value.subjects == tuple(subjects)
