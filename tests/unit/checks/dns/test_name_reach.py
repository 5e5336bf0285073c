"""Services by name: green only where each family carries every client by itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, cast

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.checks.dns.name_reach import NameReach
from sixproof.checks.recorder import Recorder
from sixproof.errors import ChannelLost, InfrastructureError, VerdictError
from sixproof.kube.channel.agents import Agents
from sixproof.model import Endpoint, MatrixKind, Outcome, Timing
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.probes.dns.truth import TrueService
from tests.unit.probes.dns.samples import ONE, TWO, ZONE, pod

V4, V6 = "10.96.0.1", "fd00::1"
DUAL = TrueService("shop", "web", (ipaddress.ip_address(V4), ipaddress.ip_address(V6)))
ONLY_V6 = TrueService("shop", "six", (ipaddress.ip_address("fd00::2"),))
BACKEND = pod("echo", "worker", 9)


def client(
    names: dict[str, list[str]], dead: Callable[[str], bool] = lambda _: False
) -> Callable[[object], object]:
    """An agent that finds these addresses and reaches all but the dead ones."""

    def flow(spec: protocol.FlowSpec) -> protocol.FlowResult:
        if dead(spec.address):
            return protocol.FlowResult(spec.nonce, Event.SILENT, "connect", elapsed=1.0, sent=1)
        return protocol.FlowResult(
            spec.nonce, Event.ECHOED, latency=0.001, sent=1, answered_by=BACKEND.pod
        )

    def lookup(one: protocol.Lookup) -> protocol.Found:
        found = names[one.name.partition(".")[0]]
        error = "" if found else "EAI_NODATA"
        return protocol.Found(one.name, one.family, Event.ANSWERED, found, error, latency=0.001)

    def script(request: object) -> object:
        if isinstance(request, protocol.Resolve):
            return protocol.Resolved([lookup(one) for one in request.lookups], 0.0)
        assert isinstance(request, protocol.Probe)
        return protocol.Probed([flow(spec) for spec in request.flows], 0.0)

    return script


def witness(request: object) -> object:
    """A backend that saw nothing and works."""
    assert isinstance(request, protocol.Evidence)
    return protocol.EvidenceFound([], [], [], 0.0, 3600.0)


class Notes:
    """The matrices that were kept."""

    def __init__(self) -> None:
        self.matrices: list[Any] = []

    def matrix(self, matrix: Any, _: Any) -> None:
        self.matrices.append(matrix)


def reach(script: Callable[[object], object], *services: TrueService) -> Notes:
    """Both pods reach these services by name, or the check raises."""
    notes = Notes()
    agents = FakeAgents({ONE.name: script, TWO.name: script, BACKEND.name: witness})
    timing = Timing(settle=0.2, connect=0.5)
    probe = NameReach(cast(Agents, agents), cast(Recorder, notes), ZONE, timing)
    sources: tuple[Endpoint, ...] = (ONE, TWO)
    probe.must_need_no_fallback(sources, services or (DUAL,), (BACKEND,))
    return notes


EVERYTHING = {"web": [V6, V4], "six": ["fd00::2"]}


def test_both_families_carry_every_client() -> None:
    notes = reach(client(EVERYTHING), DUAL, ONLY_V6)
    dialled, by_name = notes.matrices
    assert {o.outcome for m in notes.matrices for o in m.observations()} == {Outcome.ALLOWED}
    assert len(dialled.observations()) == len(by_name.observations()) == 6
    assert by_name.kind is MatrixKind.LOOKUPS


def test_dead_ipv6_is_not_hidden_by_ipv4() -> None:
    with pytest.raises(VerdictError, match="2 of 2 clients do not reach") as found:
        reach(client(EVERYTHING, lambda address: ":" in address))

    text = str(found.value)
    assert (
        f"web.shop.svc.{ZONE}. is reached only thanks to IPv4: IPv6 to [{V6}]:80: DROPPED" in text
    )
    assert "by a@worker, a@worker2: " in text
    assert text.endswith("class: IPv6-only failure")


def test_dead_ipv6_of_an_ipv6_service_beside_a_dual_one_is_still_ipv6() -> None:
    with pytest.raises(VerdictError) as found:
        reach(client(EVERYTHING, lambda address: ":" in address), DUAL, ONLY_V6)
    assert "six.shop.svc" in str(found.value)
    assert str(found.value).endswith("class: IPv6-only failure")


def test_missing_record_is_the_fault_of_the_dns() -> None:
    with pytest.raises(VerdictError, match="the name has no IPv6 address") as found:
        reach(client({"web": [V4]}))
    assert str(found.value).endswith("class: DNS, IPv6-only failure")


def test_an_ipv6_name_that_a_replica_does_not_know_accuses_no_family() -> None:
    """A lookup that found nothing at all says nothing about families, whatever others found."""
    with pytest.raises(VerdictError, match=r"six\.shop\.svc") as found:
        reach(client({"web": [V6, V4], "six": []}), DUAL, ONLY_V6)
    assert str(found.value).endswith("class: DNS")


def test_all_dead_is_no_matter_of_families() -> None:
    with pytest.raises(VerdictError, match="is not reached at all") as found:
        reach(client(EVERYTHING, lambda _: True))
    assert str(found.value).endswith("class: Connectivity failure")


def test_lost_agents_are_broken_and_not_failed() -> None:
    def lost(_: object) -> object:
        raise ChannelLost("control channel silent")

    with pytest.raises(InfrastructureError, match=r"class: Not measured \(UNKNOWN\)"):
        reach(lost)
