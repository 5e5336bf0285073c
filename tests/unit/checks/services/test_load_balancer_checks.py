"""Load balancers through agents from a script: what is red, what is green, what is UNKNOWN."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.services.load_balancer_checks import LoadBalancerChecks
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.errors import ChannelLost, NotAsked, NotMeasured, VerdictError
from sixproof.model import EXCLUDED, Endpoint, EndpointKind, Family, Flow, Matrix, MatrixKind
from sixproof.probes.connect import fake_agents
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.probes.connect.probe import ConnectProbe
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.services.announcers import Announcers
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.load_balancers import (
    ADMITS,
    CLUSTER,
    DENIES,
    LOCAL,
    ONE_FAMILY,
    LoadBalancers,
)
from sixproof.workloads.services.manifests import Ingress, Service
from sixproof.workloads.services.source import Outgoing, Translation, own_addresses
from tests.unit.workloads.services.test_load_balancers import BOTH, CALICO, RACK
from tests.unit.workloads.two_nodes import NODES, POOLS, TUNNELS, WEB1, WEB2, addresses, networks

PROXY = KubeProxy("iptables", "ClusterCIDR", POOLS)
TRANSLATION = Translation(
    PROXY, Outgoing(POOLS, POOLS), NODES, own_addresses(NODES.values(), TUNNELS)
)
RANGES = {
    CLUSTER: (),
    LOCAL: (),
    ADMITS: ("10.102.0.2/32", "fd00:102::2/128"),
    DENIES: ("203.0.113.0/24", "2001:db8:ffff::/48"),
    ONE_FAMILY[Family.IPV4]: ("203.0.113.0/24",),
}


def named(name: str, number: int) -> Service:
    """A service with addresses of its own."""
    given = addresses(f"10.105.0.{number}", f"fd00:105::{number:x}")
    return dataclasses.replace(
        BOTH,
        name=name,
        ingress=tuple(map(Ingress, given)),
        source_ranges=networks(*RANGES[name]),
        health_port=31234 if name == LOCAL else None,
    )


SERVICES = {name: named(name, number) for number, name in enumerate(RANGES, 1)}
NAMES = {str(a): s.name for s in SERVICES.values() for a in s.load_balancer_addresses}

Meets = Callable[[str, Family, protocol.FlowSpec], Mapping[str, object]]
SILENCE: Mapping[str, object] = {"event": Event.SILENT}


class Notes:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.kinds: list[MatrixKind] = []

    def matrix(self, matrix: Matrix, *_: object, **__: object) -> None:
        """One more."""
        self.kinds.append(matrix.kind)


def echoed(name: str, family: Family, flow: protocol.FlowSpec) -> Mapping[str, object]:
    """A healthy load balancer: Local keeps the client's address, Cluster hides it behind n2."""
    del flow
    if name == DENIES or (name == ONE_FAMILY[Family.IPV4] and family is Family.IPV4):
        return SILENCE
    saw = RACK.address(family) if name == LOCAL else NODES["n2"].addresses[family.version // 6]
    return {"event": Event.ECHOED, "answered_by": WEB1.pod, "peer_saw": str(saw)}


def says(status: Mapping[str, int]) -> Callable[[protocol.ServerAsked], protocol.HealthSeen]:
    """What health check node ports say, by address; nothing at others."""

    def answer(asked: protocol.ServerAsked) -> protocol.HealthSeen:
        found = status.get(asked.address, 0)
        return protocol.HealthSeen(asked.address, found, error="" if found else "refused")

    return answer


UNKNOWN = Announcers()
HEALTHY = {"192.0.2.1": 200, "2001:db8::1": 200, "192.0.2.2": 503, "2001:db8::2": 503}


class Bench:
    """The checks, before a client that meets what `meets` says."""

    def __init__(
        self,
        meets: Meets = echoed,
        *,
        services: Mapping[str, Service] = SERVICES,
        health: Mapping[str, int] | None = HEALTHY,
        announcers: Announcers = UNKNOWN,
        existing: ExistingPolicies | None = None,
        left_out: Collection[str] = (),
    ) -> None:
        self.notes = Notes()
        self._meets = meets
        self._health = health
        witness = fake_agents.witness()
        agents = FakeAgents({RACK.name: self._client, WEB1.name: witness, WEB2.name: witness})
        probe, recorder = ConnectProbe(agents), self.notes
        notes: Any = recorder
        service_checks = ServiceChecks(
            Connectivity(probe, notes, 3.0), probe, notes, tuple(Family), 0.5, 1.2
        )
        self.checks = LoadBalancerChecks(
            LoadBalancers(services, 4.0),
            {name: (WEB1,) if name == LOCAL else (WEB1, WEB2) for name in services},
            announcers,
            PROXY,
            service_checks,
            agents,
            notes,
            existing,
            POOLS,
            left_out,
            0.0,
        )

    def _client(self, request: object) -> object:
        if isinstance(request, protocol.AskServers):
            if self._health is None:
                raise ChannelLost("gone")
            return protocol.ServersAsked([says(self._health)(s) for s in request.servers])
        assert isinstance(request, protocol.Probe)
        results = []
        for flow in request.flows:
            family = Family.IPV6 if ":" in flow.address else Family.IPV4
            met = self._meets(NAMES[flow.address], family, flow)
            results.append(protocol.FlowResult(nonce=flow.nonce, sent=1, **met))  # type: ignore[arg-type]
        return protocol.Probed(results, lag=0.0)


def verdict_of(act: Callable[[], object]) -> str:
    """The verdict of something that must fail."""
    with pytest.raises(VerdictError) as caught:
        act()
    return str(caught.value)


def without_ipv6(name: str) -> dict[str, Service]:
    """The services, one of which has lost its IPv6 address."""
    one = dataclasses.replace(SERVICES[name], ingress=SERVICES[name].ingress[:1])
    return {**SERVICES, name: one}


def test_a_healthy_load_balancer_answers_shows_its_clients_and_bars_as_it_says() -> None:
    bench = Bench()
    bench.checks.must_have_addresses()
    bench.checks.must_answer("t", [RACK], [CLUSTER, LOCAL])
    for name in (CLUSTER, LOCAL):
        bench.checks.must_show_source("t", [RACK], name, TRANSLATION)
    bench.checks.must_bar("t", RACK, [DENIES])
    bench.checks.must_bar("t", RACK, [ONE_FAMILY[Family.IPV4]])


def test_a_missing_address_is_red_wherever_it_is_needed() -> None:
    bench = Bench(services=without_ipv6(CLUSTER))
    for act in (
        bench.checks.must_have_addresses,
        lambda: bench.checks.must_answer("t", [RACK], [CLUSTER]),
        lambda: bench.checks.must_show_source("t", [RACK], CLUSTER, TRANSLATION),
    ):
        said = verdict_of(act)
        assert f"{CLUSTER} (PreferDualStack) has no IPv6 address" in said
        assert "4 s after" in said
        assert "IPv6-only failure" in said
    bench.checks.must_answer("t", [RACK], [LOCAL])


def test_an_address_of_pods_or_of_another_provider_is_red() -> None:
    def given(address: str) -> dict[str, Service]:
        four, _ = SERVICES[CLUSTER].ingress
        mixed = (four, Ingress(ipaddress.ip_address(address)))
        return {**SERVICES, CLUSTER: dataclasses.replace(SERVICES[CLUSTER], ingress=mixed)}

    of_pods = Bench(services=given("fd00:10:244::99")).checks
    assert "fd00:10:244::99 of fd00:10:244::/56" in verdict_of(of_pods.must_have_addresses)
    foreign = Bench(services=given("2001:db8:77::1"), announcers=Announcers(CALICO)).checks
    said = verdict_of(foreign.must_have_addresses)
    assert (
        said == f"{CLUSTER} has 2001:db8:77::1, which is of no IPPool of Calico for load balancers"
    )
    Bench(announcers=Announcers(CALICO)).checks.must_have_addresses()
    Bench(services=given("2001:db8:77::1")).checks.must_have_addresses()


def test_silence_over_one_family_is_red_and_says_who_announces() -> None:
    def deaf(name: str, family: Family, flow: protocol.FlowSpec) -> Mapping[str, object]:
        return SILENCE if family is Family.IPV6 else echoed(name, family, flow)

    said = verdict_of(lambda: Bench(deaf).checks.must_answer("t", [RACK], [CLUSTER]))
    assert "its provider is not known" in said
    assert "IPv6-only failure" in said


@pytest.mark.parametrize("name", [CLUSTER, LOCAL])
def test_the_address_that_the_other_policy_shows_is_red(name: str) -> None:
    def swapped(found: str, family: Family, flow: protocol.FlowSpec) -> Mapping[str, object]:
        return echoed(LOCAL if found == CLUSTER else CLUSTER, family, flow)

    said = verdict_of(
        lambda: Bench(swapped).checks.must_show_source("t", [RACK], name, TRANSLATION)
    )
    assert f"externalTrafficPolicy {'Local' if name == LOCAL else 'Cluster'}" in said


def test_what_is_admitted_although_it_is_barred_is_red() -> None:
    def leaks(name: str, family: Family, flow: protocol.FlowSpec) -> Mapping[str, object]:
        return echoed(CLUSTER if name == DENIES and family is Family.IPV6 else name, family, flow)

    said = verdict_of(lambda: Bench(leaks).checks.must_bar("t", RACK, [DENIES]))
    assert "loadBalancerSourceRanges of balanced-denies hold 2001:db8:ffff::/48" in said


def test_silence_of_everything_is_no_bar_that_holds() -> None:
    """The service that admits the client distinguishes a bar from a way that leads nowhere."""
    bench = Bench(lambda *_: SILENCE)
    assert ADMITS in verdict_of(lambda: bench.checks.must_bar("t", RACK, [DENIES]))


def test_ranges_of_one_family_that_bar_both_are_red() -> None:
    name = ONE_FAMILY[Family.IPV4]

    def shut(found: str, family: Family, flow: protocol.FlowSpec) -> Mapping[str, object]:
        return SILENCE if found == name else echoed(found, family, flow)

    said = verdict_of(lambda: Bench(shut).checks.must_bar("t", RACK, [name]))
    assert f"{name} over IPv6" in said


def test_a_load_balancer_that_leaves_out_every_node_with_a_backend_is_not_asked_from_outside() -> (
    None
):
    """It sends nothing there, whatever the network does; clients inside need none."""
    checks = Bench(left_out={WEB1.node}).checks
    with pytest.raises(NotAsked, match=EXCLUDED):
        checks.must_answer("t", [RACK], [CLUSTER, LOCAL])
    with pytest.raises(NotAsked, match=EXCLUDED):
        checks.must_show_source("t", [RACK], LOCAL, TRANSLATION)
    checks.must_answer("t", [RACK], [CLUSTER])
    Bench(left_out={WEB2.node}).checks.must_answer("t", [RACK], [LOCAL])


def test_a_service_that_the_cluster_does_not_grant_is_not_asked_for() -> None:
    with pytest.raises(NotAsked, match="grants no such service"):
        Bench().checks.must_answer("t", [RACK], ["balanced-single-6"])


@pytest.mark.parametrize("family", Family, ids=str)
def test_health_checks_say_where_backends_are(family: Family) -> None:
    bench = Bench()
    bench.checks.must_answer_health_checks(RACK, NODES.values(), family)
    assert bench.notes.kinds == [MatrixKind.HEALTH]


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("2001:db8::1", 503, "the node has a backend and says 503, 200 is due"),
        ("2001:db8::2", 200, "the node has no backend and says 200, 503 is due"),
        ("2001:db8::2", 0, "gives no answer (refused), 503 is due"),
    ],
)
def test_a_node_that_says_something_else_is_red_over_that_family(
    address: str, status: int, said: str
) -> None:
    bench = Bench(health={**HEALTHY, address: status})
    bench.checks.must_answer_health_checks(RACK, NODES.values(), Family.IPV4)
    assert said in verdict_of(
        lambda: bench.checks.must_answer_health_checks(RACK, NODES.values(), Family.IPV6)
    )


class Closing:
    """Policies of the cluster's owner that close a family to nodes."""

    def closes(self, flow: Flow) -> str:
        """Which they are."""
        return "GlobalNetworkPolicy nodes" if flow.family is Family.IPV6 else ""


def test_ports_that_a_policy_closes_prove_nothing() -> None:
    existing: Any = Closing()
    bench = Bench(health={}, existing=existing)
    with pytest.raises(NotAsked, match="closed by GlobalNetworkPolicy nodes") as caught:
        bench.checks.must_answer_health_checks(RACK, NODES.values(), Family.IPV6)
    assert caught.value.unproven
    verdict_of(lambda: bench.checks.must_answer_health_checks(RACK, NODES.values(), Family.IPV4))


def test_a_client_that_is_gone_has_measured_nothing() -> None:
    with pytest.raises(NotMeasured):
        Bench(health=None).checks.must_answer_health_checks(RACK, NODES.values(), Family.IPV6)


def test_without_a_port_or_an_address_health_is_not_asked() -> None:
    bare = {**SERVICES, LOCAL: dataclasses.replace(SERVICES[LOCAL], health_port=None)}
    with pytest.raises(NotAsked, match="no healthCheckNodePort"):
        Bench(services=bare).checks.must_answer_health_checks(RACK, NODES.values(), Family.IPV6)
    four = Endpoint("rack", EndpointKind.OUTSIDE, RACK.addresses[:1], pod="rack")
    with pytest.raises(NotAsked, match="no node has an IPv6 address"):
        Bench().checks.must_answer_health_checks(four, NODES.values(), Family.IPV6)
