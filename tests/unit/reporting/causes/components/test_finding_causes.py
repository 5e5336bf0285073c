"""Findings as causes: a setting found wrong is the cause where just such traffic fails."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable
from typing import Any

import pytest

from sixproof.calico import audit as calico_audit
from sixproof.calico.bgp import audit as bgp_audit
from sixproof.calico.bgp.audit import POOL_ANNOUNCED
from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.node_audit import NODE_TUNNEL
from sixproof.calico.operator import Installation, Status
from sixproof.calico.pool_audit import POOL_ENCAPSULATION
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.explain.findings import every_finding
from sixproof.kube.facts import preflight
from sixproof.model import (
    ClusterFacts,
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Finding,
    Flow,
    Matrix,
    NodeFacts,
    Observation,
    Outcome,
    Protocol,
    Severity,
)
from sixproof.policy.manifests.audit import audit
from sixproof.reporting.causes.components.findings import REACHES
from sixproof.reporting.conclusion.conclusion import Conclusion
from sixproof.reporting.conclusion.rules import rules
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import conclude, examined, hosts, run
from tests.unit.reporting.samples import RUN, Rule, all_open, pods

SIX = Family.IPV6
NO_TUNNEL = NODE_TUNNEL.found(
    Severity.ERROR,
    "node worker",
    "no IPv6 address on its VXLAN device although the pool uses VXLAN",
    "an address of the pool on the tunnel",
    "look at calico-node's log there",
    families=[SIX],
    node="worker",
)


def concluded(rule: Rule, *findings: Finding) -> tuple[Conclusion, ...]:
    """What a run with these findings concludes, whose nodes say nothing unusual."""
    return conclude(dataclasses.replace(run(rule, examined()), findings=findings)).every


def lost_at(node: str, family: Family) -> Rule:
    """Flows of a family between a node and the others are dropped."""

    def rule(flow: Flow) -> Outcome:
        ends = (flow.source.node, flow.destination.node)
        lost = node in ends and flow.crosses_nodes and flow.family is family
        return Outcome.DROPPED if lost else Outcome.ALLOWED

    return rule


def test_a_node_whose_setting_is_wrong_is_the_cause() -> None:
    """Its place, its words, its remedy, and what was wanted as evidence."""
    (one,) = concluded(lost_at("worker", SIX), NO_TUNNEL)
    assert one.first_screen == (
        "Likely cause: node worker: no IPv6 address on its VXLAN device although the pool uses "
        "VXLAN. "
        "Look at calico-node's log there."
    )
    assert one.causes[0].families == (SIX,)
    assert "wanted an address of the pool on the tunnel" in one.evidence[0]


@pytest.mark.parametrize(
    ("node", "family"),
    [("worker2", SIX), ("worker", Family.IPV4)],
    ids=["another node", "the other family"],
)
def test_a_setting_explains_neither_another_node_nor_the_other_family(
    node: str, family: Family
) -> None:
    """The place is reported, and the finding is not its cause."""
    found = concluded(lost_at(node, family), NO_TUNNEL)
    assert found
    assert not any(one.known for one in found)


def test_a_warning_is_no_cause() -> None:
    """What may hurt one day did not do it today."""
    warned = dataclasses.replace(NO_TUNNEL, severity=Severity.WARNING)
    assert not any(one.known for one in concluded(lost_at("worker", SIX), warned))


def test_a_healthy_run_is_not_accused_by_a_finding() -> None:
    """Nothing failed, so nothing is explained."""
    assert concluded(lambda _: Outcome.ALLOWED, NO_TUNNEL) == ()


def test_an_encapsulation_that_carries_no_ipv6_explains_pods_across_nodes() -> None:
    """At every node: the cause has the pool for its place."""
    pool = POOL_ENCAPSULATION.found(
        Severity.ERROR,
        "IPPool six",
        "IPIP for IPv6",
        "VXLAN, or none",
        "set ipipMode Never",
        families=[SIX],
    )

    def rule(flow: Flow) -> Outcome:
        return Outcome.DROPPED if flow.crosses_nodes and flow.family is SIX else Outcome.ALLOWED

    found = concluded(rule, pool)
    assert found[0].first_screen == "Likely cause: IPPool six: IPIP for IPv6. Set ipipMode Never."


def found_of(code: str, findings: Iterable[Finding]) -> Finding:
    """The one finding of a code."""
    (found,) = [finding for finding in findings if finding.code == code]
    return found


def of_calico(**changes: Any) -> tuple[Finding, ...]:
    """What is wrong with Calico, whose services have both families, but for these `changes`."""
    pool = Pool("four", ipaddress.ip_network("10.244.0.0/16"), 26, "VXLAN", nat_outgoing=True)
    state = dataclasses.replace(CalicoState("projectcalico.org/v3", pools=(pool,)), **changes)
    facts = ClusterFacts("https://x", "v1.37.0", (), service_families=tuple(Family))
    return calico_audit.audit(state, facts)


SIX_POOL = Pool("six", ipaddress.ip_network("fd00::/48"), 122, "VXLAN", nat_outgoing=True)
NOT_AVAILABLE = Installation(statuses=(Status("calico", False, "2 of 3 pods are ready"),))


@pytest.mark.parametrize(
    ("finding", "families", "said"),
    [
        (found_of("calico-pool-family", of_calico()), (SIX,), "IPv6 pools: there is none. Enable"),
        (
            found_of("calico-ipam-family", of_calico(pools=(SIX_POOL,), assigns=(Family.IPV4,))),
            (SIX,),
            "IPv6 pools: calico-ipam gives pods no IPv6 address although there is a pool. Set it",
        ),
        (
            found_of("calico-operator", of_calico(installation=NOT_AVAILABLE)),
            tuple(Family),
            "TigeraStatus calico: not available: 2 of 3 pods are ready. See kubectl describe",
        ),
    ],
    ids=lambda value: value.code if isinstance(value, Finding) else "",
)
@pytest.mark.parametrize("lost", Family, ids=str)
def test_what_leaves_pods_without_a_family_explains_their_flows(
    lost: Family, finding: Finding, families: tuple[Family, ...], said: str
) -> None:
    """Of the families that it is about alone."""
    assert finding.severity is Severity.ERROR

    def rule(flow: Flow) -> Outcome:
        return Outcome.DROPPED if flow.family is lost else Outcome.ALLOWED

    found = concluded(rule, finding)
    assert all(one.known is (lost in families) for one in found)
    assert len(found[0].headline) <= 200
    if lost in families:
        assert found[0].first_screen.startswith(f"Likely cause: {said}")


def test_what_answers_is_not_laid_at_calicos_pods() -> None:
    """A refusal came from somewhere: packets were carried."""
    finding = found_of("calico-operator", of_calico(installation=NOT_AVAILABLE))

    def rule(flow: Flow) -> Outcome:
        return Outcome.REFUSED if flow.family is SIX else Outcome.ALLOWED

    assert not any(one.known for one in concluded(rule, finding))


CLAIMED = next(pod for pod in pods() if pod.name == "a@worker")


@pytest.mark.parametrize(
    ("pod_range", "service_range", "known"),
    [
        ("fd00:10:244::/56", "fd00:10:244:4::/64", True),
        ("fd00:10:244::/56", "fd00:10:244:5::/64", False),
        ("192.168.0.0/16", "192.168.4.0/24", False),
    ],
    ids=["its address is in both", "another pod's is", "of the other family"],
)
def test_ranges_that_overlap_explain_addresses_in_both(
    pod_range: str, service_range: str, known: bool
) -> None:
    """Flows to the pod, whose address is one of services too."""
    facts = ClusterFacts(
        "https://x",
        "v1.37.0",
        (NodeFacts("worker", (ipaddress.ip_address("2001:db8::2"),)),),
        pod_cidrs=(ipaddress.ip_network(pod_range),),
        service_cidrs=(ipaddress.ip_network(service_range),),
    )
    finding = found_of("range-overlap", preflight.ranges(facts))

    def rule(flow: Flow) -> Outcome:
        lost = flow.destination == CLAIMED and flow.family is SIX
        return Outcome.DROPPED if lost else Outcome.ALLOWED

    results = dataclasses.replace(run(rule, examined()), findings=(finding,))
    assert not any(one.known for one in conclude(results).every), "which addresses is not known"
    (one,) = conclude(dataclasses.replace(results, facts=facts)).every
    assert one.known is known
    if known:
        assert one.first_screen.startswith(
            f"Likely cause: pod range {pod_range}: overlaps service range {service_range}. Traffic"
        )


def test_a_range_that_holds_a_nodes_address_explains_flows_to_it() -> None:
    """The address of one node; that of another, which no range holds, is well."""
    facts = ClusterFacts(
        "https://x",
        "v1.37.0",
        (NodeFacts("worker", (ipaddress.ip_address("2001:db8::2"),)),),
        pod_cidrs=(ipaddress.ip_network("2001:db8::2/128"),),
    )
    finding = found_of("range-overlap", preflight.ranges(facts))

    def concluded_of(node: str) -> Conclusion:
        def rule(flow: Flow) -> Outcome:
            lost = flow.destination.name == f"host@{node}" and flow.family is SIX
            return Outcome.DROPPED if lost else Outcome.ALLOWED

        results = run(rule, examined(), (*pods()[:3], *hosts()))
        (one,) = conclude(dataclasses.replace(results, facts=facts, findings=(finding,))).every
        return one

    assert "holds 2001:db8::2, an address of node worker" in concluded_of("worker").headline
    assert not concluded_of("worker2").known


def test_a_pools_place_is_no_name() -> None:
    """A test that speaks of pools is a conclusion of its own."""
    finding = found_of("calico-pool-family", of_calico())
    results = run(lost_at("worker", SIX), examined())
    other = Case("suites/a/t.py::t", CaseOutcome.FAILED, message="2 pools have no block")
    results = dataclasses.replace(results, cases=(*results.cases, other), findings=(finding,))
    assert len(conclude(results).every) == 2


def balanced(lost: Family) -> Results:
    """A client outside meets silence at a load balancer's address of a family; clients inside are
    answered."""
    four, six = map(ipaddress.ip_address, ("10.107.57.0", "fd00:10:107:57::"))
    service = Endpoint("balanced", EndpointKind.SERVICE, (four, six), "six-x")
    rack = Endpoint("rack", EndpointKind.OUTSIDE, (four + 256, six + 65536), pod="rack")
    flows = flows_to_both([rack, *pods()], service)
    seen = [
        Observation(flow, Outcome.DROPPED if gone else Outcome.ALLOWED)
        for flow in flows
        for gone in [flow.source is rack and flow.family is lost]
    ]
    matrix = Matrix.of("load balancers", seen)
    test = "suites/loadbalancer/t.py::t"
    measured = Measured(matrix, all_open(matrix), test)
    cases = (Case(test, CaseOutcome.FAILED),)
    return Results(RUN, cases=cases, matrices=(measured,), examination=examined())


def flows_to_both(clients: Iterable[Endpoint], service: Endpoint) -> list[Flow]:
    return [
        Flow(client, service, address, Protocol.TCP, 80)
        for client in clients
        for address in service.addresses
    ]


@pytest.mark.parametrize("lost", Family, ids=str)
def test_addresses_that_nobody_announces_explain_a_client_outside(lost: Family) -> None:
    """Of the family of the pool alone, in two lines of a terminal."""
    cidrs = [ipaddress.ip_network(text) for text in ("10.107.57.0/24", "fd00:10:107:57::/112")]
    names = ["load-balancer-ipv4", "load-balancer-ipv6"]
    pools = [
        Pool(name, cidr, 122, uses=("LoadBalancer",))
        for name, cidr in zip(names, cidrs, strict=True)
    ]
    bgp = Bgp(enabled=True, load_balancer_ips=(cidrs[0],))
    state = CalicoState("projectcalico.org/v3", pools=tuple(pools), bgp=bgp)
    (finding,) = [
        f
        for f in bgp_audit.audit(state, ClusterFacts(server="", version="", nodes=()))
        if f.code == POOL_ANNOUNCED.code
    ]
    found = conclude(dataclasses.replace(balanced(lost), findings=(finding,))).every
    assert [one.known for one in found] == [lost is SIX]
    if lost is SIX:
        assert found[0].headline.startswith(
            "Likely cause: IPPool load-balancer-ipv6: no range of serviceLoadB"
        )
        assert len(found[0].headline) <= 200


STRANGE = dataclasses.replace(NO_TUNNEL, severity=Severity.WARNING)
SERVICES = ipaddress.ip_network("fd00:10:107:57::/112")


def announced(code: str, cluster_ips: bool, *, new: bool, severity: Severity) -> Conclusion:
    """What is concluded of a client outside that is not answered over IPv6, where a finding of this
    code was there when the run began, or was not. The address is a ClusterIP, or is none."""
    kind = next(kind for kind in every_finding() if kind.code == code)
    said = "serviceExternalIPs has no IPv6 range"
    finding = kind.found(severity, "BGPConfiguration default", said, "", "add it", families=[SIX])
    cidrs = (SERVICES,) if cluster_ips else ()
    facts = ClusterFacts("https://x", "v1.37.0", (), service_cidrs=cidrs)
    results = dataclasses.replace(balanced(SIX), facts=facts, findings=(finding,))
    found = [finding] if new else []
    (one,) = conclude(results.examined(examined(findings=found))).every
    return one


def test_addresses_that_are_no_longer_announced_explain_a_client_outside() -> None:
    """B1L of external IPs: what was announced when the run began, in one line with the setting. Of
    ClusterIPs the other setting is the cause."""
    external, cluster = "calico-external-ips-announced", "calico-cluster-ips-announced"
    warning = Severity.WARNING
    conclusion = announced(external, False, new=True, severity=warning)
    assert conclusion.first_screen == (
        "Likely cause: BGPConfiguration default: serviceExternalIPs has no IPv6 range (new since "
        "the run began). Add it."
    )
    assert announced(cluster, True, new=True, severity=warning).known
    assert not announced(external, True, new=True, severity=warning).known
    assert not announced(cluster, False, new=True, severity=warning).known


def test_a_warning_that_was_there_before_is_no_cause() -> None:
    """It did not keep anything from working."""
    results = run(lost_at("worker", SIX), examined())
    (one,) = conclude(dataclasses.replace(results, findings=(STRANGE,))).every
    assert not one.known
    (one,) = conclude(dataclasses.replace(results).examined(examined(findings=[STRANGE]))).every
    assert one.known
    external = "calico-external-ips-announced"
    assert announced(external, False, new=False, severity=Severity.WARNING).known, "it may be meant"


def test_every_code_that_has_a_reach_is_a_finding() -> None:
    """A code that nothing finds would be a rule that cannot match."""
    assert set(REACHES) <= {kind.code for kind in every_finding()}
    assert "finding" in {rule.code for rule in rules()}


def test_a_network_that_calico_cannot_read_is_the_cause_of_leaks() -> None:
    """The policy and its place; a flow that is lost has another cause."""
    block = {"from": [{"ipBlock": {"cidr": "10.001.0.0/16"}}]}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "zeros", "namespace": "shop"},
        "spec": {"podSelector": {}, "ingress": [block]},
    }
    found = [f for f in audit([policy]) if f.code == "cidr-leading-zeros"]
    results = run(lambda _: Outcome.ALLOWED, examined())
    (measured,) = results.matrices
    because = "ingress denied: six-own/zeros selects default/somebody and no rule matches"
    denied = Expectation(frozenset({Outcome.DROPPED}), because, by_policy=True)
    expected = dict.fromkeys(measured.matrix.cells, denied)
    leaking = dataclasses.replace(
        results,
        cases=(Case(measured.test, CaseOutcome.FAILED),),
        matrices=(dataclasses.replace(measured, expected=expected),),
        findings=tuple(found),
    )
    (one,) = conclude(leaking).every
    assert one.first_screen == (
        "Policy leak: NetworkPolicy shop/zeros spec.ingress[0].from[0].ipBlock.cidr: "
        "'10.001.0.0/16' has leading zeros, write 10.1.0.0/16: Calico cannot read it and then "
        "allows every address. Drop the zeros."
    )
    assert not any(one.known for one in concluded(lost_at("worker", SIX), *found))
    another = dataclasses.replace(denied, because=because.replace("zeros", "zeros-2"))
    expected = dict.fromkeys(measured.matrix.cells, another)
    elsewhere = (dataclasses.replace(measured, expected=expected),)
    assert not conclude(dataclasses.replace(leaking, matrices=elsewhere)).every[0].known
