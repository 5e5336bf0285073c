"""Tests that meet one cause are reported as one fault, and no fault without a measurement."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable

import pytest

from sixproof.model import (
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    IcmpError,
    Matrix,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.reporting.diagnosis.faults import FailingPlace, faults
from sixproof.reporting.diagnosis.merged import merged
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import RunRecord
from tests.unit.reporting.samples import NODES, OPEN, Rule, pod, pods, seen, topology, works

V4, V6 = Family.IPV4, Family.IPV6
PLACES = tuple(
    dataclasses.replace(
        pod(role, node, number),
        namespace=f"six-4f2a91-{role}",
        labels=(("sixproof.dev/role", f"{role}-{node}"), ("sixproof.dev/run", "4f2a91")),
    )
    for number, (role, node) in enumerate(((r, n) for n in NODES for r in "abc"), 1)
)
HOSTS = tuple(
    Endpoint(
        name=f"host@{node}",
        kind=EndpointKind.HOST,
        addresses=(
            ipaddress.ip_address(f"172.18.0.{number}"),
            ipaddress.ip_address(f"fc00::{number}"),
        ),
        namespace="six-4f2a91-host",
        node=node,
        labels=(("sixproof.dev/role", f"host-{node}"), ("sixproof.dev/run", "4f2a91")),
    )
    for number, node in enumerate(NODES, 2)
)
TCP, UDP = (Protocol.TCP, 8080), (Protocol.UDP, 8080)


def asked(
    rule: Rule,
    title: str,
    sources: Iterable[Endpoint] = PLACES,
    destinations: Iterable[Endpoint] = PLACES,
    *,
    families: Iterable[Family] = (V4, V6),
    port_specs: Iterable[tuple[Protocol, int | None]] = (TCP,),
    expected: Expectation = OPEN,
    where: object = lambda _: True,
) -> Measured:
    """One test's matrix."""
    assert callable(where)
    targets = tuple(destinations)
    flows = [
        Flow(source, target, address, protocol, port)
        for family in families
        for source in sources
        for target in targets
        for protocol, port in port_specs
        if (address := target.address(family)) is not None
    ]
    chosen = [flow for flow in flows if where(flow)]
    matrix = Matrix.of(title, [seen(flow, rule(flow)) for flow in chosen])
    name = f"t.py::{title}[{'-'.join((*families, *(p for p, _ in port_specs)))}]"
    return Measured(matrix, dict.fromkeys(matrix.cells, expected), name)


def faults_of(*measured: Measured) -> tuple[FailingPlace, ...]:
    """The faults of a run with these matrices."""
    return faults(Results(RunRecord("six-1"), matrices=measured))


def one_node(flow: Flow) -> Outcome:
    """IPv6 from and to one node across nodes is dropped, of its host network too."""
    dead = flow.family is V6 and flow.crosses_nodes
    dead = dead and "worker" in (flow.source.node, flow.destination.node)
    return Outcome.DROPPED if dead else Outcome.ALLOWED


def crossing(flow: Flow) -> bool:
    """Whether a flow crosses nodes."""
    return flow.crosses_nodes


def suite(rule: Rule) -> tuple[Measured, ...]:
    """What a suite measures: families and protocols in tests of their own, pods and nodes too."""
    twins = [
        asked(rule, "pods across nodes", families=[family], port_specs=[port_spec], where=crossing)
        for family in (V4, V6)
        for port_spec in (TCP, UDP)
    ]
    return (
        *twins,
        asked(rule, "pods on one node", families=[V6], where=lambda f: not f.crosses_nodes),
        asked(rule, "node to pod", HOSTS, PLACES),
        asked(rule, "pod to node", PLACES, HOSTS),
        asked(rule, "node to node", HOSTS, HOSTS),
    )


def test_one_cause_is_one_sentence_however_many_tests_meet_it() -> None:
    """Twins by family and protocol, pods and host networks: one place, and what works beside it."""
    (fault,) = faults_of(*suite(one_node))
    assert fault.sentence == (
        "all IPv6 flows to and from node worker across nodes are DROPPED (100 of 100 cells); "
        "IPv4 works; every other IPv6 flow works "
        "[seen in 5 tests: pods across nodes, node to pod, pod to node ...]"
    )


def test_what_a_twin_measured_is_not_called_unmeasured() -> None:
    """IPv4 stands in a test of its own, and works."""
    (fault,) = faults_of(
        asked(one_node, "pods across nodes", families=[V6], where=crossing),
        asked(one_node, "pods across nodes", families=[V4], where=crossing),
    )
    assert "IPv4 works" in fault.contrasts
    assert not any("not measured" in said for said in fault.contrasts)
    assert fault.tests == 1


def test_a_family_that_nobody_measured_is_called_so() -> None:
    """It is then true."""
    (fault,) = faults_of(asked(one_node, "pods across nodes", families=[V6], where=crossing))
    assert "IPv4 was not measured" in fault.contrasts


def test_an_edge_that_failed_once_is_wrong_and_the_other_time_is_counted() -> None:
    """Few cells that worked in another test do not make it another cause."""

    def lucky(flow: Flow) -> Outcome:
        chosen = flow.source.name == "a@worker" and flow.destination.name == "a@worker2"
        return Outcome.ALLOWED if chosen else one_node(flow)

    (fault,) = faults_of(asked(one_node, "full mesh"), asked(lucky, "again"))
    assert fault.sentence.startswith(
        "all IPv6 tcp/8080 flows to and from pods on worker across nodes"
    )
    assert fault.mixed == 1
    assert "1 of its cells worked in another test" in fault.sentence


def test_questions_with_other_answers_are_not_mixed() -> None:
    """Large payloads vanish where small ones pass: the sentence is about the large ones alone."""
    small = asked(works, "TCP, 1 byte")
    large = asked(one_node, "TCP, 65536 bytes", families=[V6])
    twin = asked(one_node, "TCP, 65536 bytes", families=[V4])
    (fault,) = faults_of(small, large, twin)
    assert fault.sentence.startswith(
        "all IPv6 tcp/8080 flows to and from pods on worker across nodes are DROPPED (36 of 36 "
        "cells);"
    )
    assert "IPv4 works" in fault.contrasts
    assert fault.seen_in == ("TCP, 65536 bytes",)


def test_a_refusal_that_cannot_come_back_is_no_cause_of_its_own() -> None:
    """Closed ports must refuse; in a place where nothing passes they are silent."""
    refused = Expectation(frozenset({Outcome.REFUSED}), "nobody listens")

    def closed(flow: Flow) -> Outcome:
        return Outcome.REFUSED if one_node(flow).works else Outcome.DROPPED

    closed_ports = asked(closed, "closed ports", port_specs=[(Protocol.TCP, 9)], expected=refused)
    (fault,) = faults_of(*suite(one_node), closed_ports)
    assert fault.tests == 6
    assert fault.pattern.outcomes == {Outcome.DROPPED: 100}
    (alone,) = faults_of(*suite(works), closed_ports)
    assert "are DROPPED, expected REFUSED" in alone.sentence


def test_a_silence_that_proves_nothing_by_itself_is_explained_by_the_place() -> None:
    """UDP to a closed port: whether it was refused or dropped, only what surrounds it shows."""
    refused = Expectation(frozenset({Outcome.REFUSED}), "nobody listens")

    def closed(flow: Flow) -> Outcome:
        return Outcome.REFUSED if one_node(flow).works else Outcome.UNKNOWN

    closed_ports = asked(closed, "closed ports", port_specs=[(Protocol.UDP, 9)], expected=refused)
    (fault,) = faults_of(*suite(one_node), closed_ports)
    assert fault.tests == 6
    (alone,) = faults_of(*suite(works), closed_ports)
    assert not alone.measured


def test_flows_of_which_different_things_are_expected_stay_apart() -> None:
    """The same flow under a policy and without one is two questions."""
    denied = Expectation(frozenset({Outcome.DROPPED}), "NetworkPolicy x/deny", by_policy=True)
    one, other = asked(one_node, "open"), asked(one_node, "under a policy", expected=denied)
    assert len(merged([one, other])) == 2


def test_another_endpoint_of_the_same_name_stays_apart() -> None:
    """A pod that was made anew is not the one before."""
    anew = tuple(
        dataclasses.replace(p, addresses=q.addresses)
        for p, q in zip(PLACES, reversed(PLACES), strict=True)
    )
    one, other = asked(one_node, "before"), asked(one_node, "after", anew, anew)
    assert len(merged([one, other])) == 2


def test_what_was_not_measured_is_reported_beside_what_was() -> None:
    """Another test measured the same edges: what this one could not say is still reported."""

    def lost(flow: Flow) -> Outcome:
        return Outcome.UNKNOWN if flow.source.name == "a@worker2" else one_node(flow)

    fault, unknown = faults_of(asked(one_node, "full mesh"), asked(lost, "first connections"))
    assert fault.pattern.where == "to and from pods on worker across nodes"
    assert not unknown.measured
    assert "agent of pod a on worker2" in unknown.sentence
    assert unknown.seen_in == ("first connections",)


def test_endpoints_are_named_as_a_reader_knows_them() -> None:
    """No label and no namespace name of the harness."""

    def masqueraded(flow: Flow) -> Outcome:
        here = flow.source.kind is EndpointKind.HOST and flow.source.node == "worker"
        return Outcome.DROPPED if here and flow.crosses_nodes else Outcome.ALLOWED

    (fault,) = faults_of(*suite(masqueraded))
    assert "flows from the host network of worker to other nodes are DROPPED" in fault.sentence
    assert "flows to the host network of worker from other nodes work" in fault.sentence
    assert "sixproof.dev" not in fault.sentence


@pytest.mark.parametrize(
    ("dead", "where"),
    [
        (lambda f: f.destination.namespace.endswith("-b"), "to pods of namespace b"),
        (
            lambda f: f.source.kind is EndpointKind.HOST is not f.destination.kind,
            "from the host networks of nodes to ",
        ),
    ],
    ids=["namespace", "host networks"],
)
def test_groups_are_named_in_plain_words(dead: object, where: str) -> None:
    """Namespaces by their role, host networks by what they are."""
    assert callable(dead)

    def rule(flow: Flow) -> Outcome:
        return Outcome.DROPPED if flow.family is V6 and dead(flow) else Outcome.ALLOWED

    (fault,) = faults_of(*suite(rule))
    assert where in fault.sentence
    assert "six-4f2a91" not in fault.sentence


def test_an_icmp_error_is_reported_with_its_senders() -> None:
    """It names the cause, whatever else differs between the cells."""
    matrix = topology(works, endpoints=pods("a"))
    cells: list[Observation] = []
    for number, o in enumerate(matrix.observations()):
        error = IcmpError(V6, 3, 0, f"fd00::{number % 5:x}")
        bad = dataclasses.replace(
            o, outcome=Outcome.UNROUTABLE, reason=f"unreachable: {error}", icmp=error, latency=None
        )
        cells.append(bad if o.flow.family is V6 and o.flow.crosses_nodes else o)
    broken = Matrix.of("t", cells)
    (fault,) = faults_of(Measured(broken, dict.fromkeys(broken.cells, OPEN), "t.py::t"))
    assert "(ICMPv6 Time Exceeded: hop limit exceeded in transit, from fd00::" in fault.sentence
    assert "and 2 more)" in fault.sentence


def _met(outcome: Outcome, error: IcmpError, *, by: Iterable[Protocol]) -> Measured:
    """IPv6 flows between nodes came to this; those of some protocols met an ICMP error."""
    matrix = topology(works, endpoints=pods("a"))
    cells: list[Observation] = []
    for o in matrix.observations():
        icmp = error if o.flow.protocol in tuple(by) else None
        reason = f"{o.flow.source.name}: {icmp}"
        bad = dataclasses.replace(o, outcome=outcome, reason=reason, icmp=icmp)
        cells.append(bad if o.flow.family is V6 and o.flow.crosses_nodes else o)
    broken = Matrix.of("t", cells)
    return Measured(broken, dict.fromkeys(broken.cells, OPEN), "t.py::t")


def test_refusals_are_said_by_protocol() -> None:
    """An ICMP error that UDP met is not said of TCP, which a reset may refuse."""
    error = IcmpError(V6, 1, 4, "fd00::1")
    (fault,) = faults_of(_met(Outcome.REFUSED, error, by=[Protocol.UDP, Protocol.ICMP]))
    said = "ICMPv6 Destination Unreachable: port unreachable, from fd00::1"
    assert f"are REFUSED (ICMP: {said}; TCP: connection refused; UDP: {said}) (" in fault.sentence
    (all_of_them,) = faults_of(_met(Outcome.REFUSED, error, by=Protocol))
    assert f"are REFUSED ({said}) (" in all_of_them.sentence


def test_an_error_that_only_some_met_is_said_of_these() -> None:
    error = IcmpError(V6, 1, 3, "fd00::1")
    (fault,) = faults_of(_met(Outcome.UNROUTABLE, error, by=[Protocol.UDP]))
    met = sum(c.observation.icmp is not None for c in fault.pattern.cells)
    assert 0 < met < len(fault.pattern.cells)
    assert f"are UNROUTABLE ({met} of them: ICMPv6 Destination Unreachable" in fault.sentence


NODE_PORTS = tuple(
    dataclasses.replace(host, name=f"web at {host.node}", kind=EndpointKind.SERVICE)
    for host in HOSTS
)


def test_services_that_are_all_dialled_at_nodes_are_called_node_ports() -> None:
    def six(flow: Flow) -> Outcome:
        return Outcome.REFUSED if flow.family is V6 else Outcome.ALLOWED

    (fault,) = faults_of(asked(six, "NodePorts", PLACES, NODE_PORTS))
    assert "all IPv6 tcp/8080 flows to NodePorts are REFUSED" in fault.sentence
    (other,) = faults_of(asked(six, "clusterIPs", PLACES, SERVICES))
    assert "all IPv6 tcp/8080 flows to services are REFUSED" in other.sentence


def test_nothing_wrong_is_no_fault() -> None:
    """Calm matrices are only there for contrast."""
    assert faults_of(*suite(works)) == ()


SERVICES = tuple(
    Endpoint(
        name=name,
        kind=EndpointKind.SERVICE,
        addresses=(
            ipaddress.ip_address(f"10.96.0.{number}"),
            ipaddress.ip_address(f"fd00:10:96::{number}"),
        ),
        namespace="six-4f2a91-svc",
    )
    for number, name in enumerate(("web", "api"), 1)
)


def drawn(flow: Flow) -> Outcome:
    """A service whose backends stand on other nodes for some clients: IPv6 there is dropped."""
    lost = flow.source.name in ("a@worker", "b@worker", "a@worker2")
    return Outcome.DROPPED if lost and flow.family is V6 else Outcome.ALLOWED


def test_services_fail_with_the_place_that_their_backends_lie_in() -> None:
    """Which backend a connection meets is a draw; the place is known from the pods themselves."""
    (fault,) = faults_of(*suite(one_node), asked(drawn, "clusterIPs", PLACES, SERVICES))
    assert "to and from node worker across nodes" in fault.sentence
    assert "flows to services fail too if the backend is in this place" in fault.contrasts
    assert fault.tests == 6


def test_services_that_no_place_explains_are_a_fault_of_their_own() -> None:
    """IPv4 between pods works, so what fails over IPv4 from one node is its services."""

    def shut(flow: Flow) -> Outcome:
        return Outcome.DROPPED if flow.source.node == "worker2" else Outcome.ALLOWED

    twin = asked(shut, "clusterIPs", PLACES, SERVICES, families=[V4])
    found = faults_of(*suite(one_node), twin)
    assert len(found) == 2
    assert "IPv4 tcp/8080 flows from pods on worker2 to services are DROPPED" in found[1].sentence


def test_flows_through_services_may_meet_another_backend_the_next_time() -> None:
    """Another draw is no contradiction, and is not counted as one."""

    def other(flow: Flow) -> Outcome:
        return Outcome.ALLOWED if flow.source.name == "a@worker" else drawn(flow)

    first = asked(drawn, "clusterIPs", PLACES, SERVICES)
    (group,) = merged([first, asked(other, "every backend", PLACES, SERVICES)])
    assert len(group.wrong) == len(first.disagreements())


def test_loss_in_no_common_place_is_one_sentence_a_family() -> None:
    """Every test loses other flows, and a single lost flow is no place."""
    tests = []
    for number in range(6):
        lost = {((number + 2 * i) % 9, (number * i + 4 * i + 1) % 9) for i in range(6)}

        def rule(flow: Flow, lost: set[tuple[int, int]] = lost) -> Outcome:
            pair = PLACES.index(flow.source), PLACES.index(flow.destination)
            return Outcome.DROPPED if pair in lost and flow.family is V6 else Outcome.ALLOWED

        tests.append(asked(rule, f"question {number}"))
    (fault,) = faults_of(*tests)
    assert "in no common place" in fault.sentence
    assert "seen in 6 tests" in fault.sentence
