"""Flows through services: which backend answers is drawn anew, and with it which flows a broken
path loses."""

from __future__ import annotations

import dataclasses
import ipaddress

from sixproof.model import Endpoint, EndpointKind, Expectation, Family, Flow, Outcome
from sixproof.reporting.compare import known_failures
from sixproof.reporting.compare.cells import CellChange
from sixproof.reporting.compare.known_failures import KnownFailures, Standing
from sixproof.reporting.compare.run_digest import NOWHERE
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from tests.unit.reporting.compare.two_runs import MESH, compared, digest, mesh, on, run
from tests.unit.reporting.samples import Rule, all_open, pods, topology

SERVICES = "suites/services/test_node_ports.py::test_node_port"


def service(node: str, number: int) -> Endpoint:
    """A NodePort at a node."""
    addresses = (
        ipaddress.ip_address(f"172.18.0.{number}"),
        ipaddress.ip_address(f"fc00:f853:ccd:e793::{number}"),
    )
    return Endpoint(f"web at {node}", EndpointKind.SERVICE, addresses, node=node)


AT = tuple(service(node, n) for n, node in enumerate(("control-plane", "worker", "worker2"), 2))


def through(rule: Rule, *, wanted: Expectation | None = None) -> Measured:
    """All pods dial a service at every node."""
    matrix = topology(rule, endpoints=(*pods(), *AT), title="NodePorts")
    cells = {
        key: seen
        for key, seen in matrix.cells.items()
        if seen.flow.destination in AT and seen.flow.source not in AT
    }
    kept = dataclasses.replace(matrix, cells=cells)
    expected = dict.fromkeys(cells, wanted) if wanted else all_open(kept)
    return Measured(kept, expected, SERVICES)


def drawing(turn: int, *nodes: str) -> Rule:
    """IPv6 flows between these nodes and others are lost where the drawn backend is behind the
    broken path: each second one, another half each turn."""

    def rule(flow: Flow) -> Outcome:
        touched = {flow.source.node, flow.destination.node} & {*nodes}
        port = (flow.port or 0) + len(flow.protocol.value)
        drawn = (ord(flow.source.name[0]) + port + turn) % 2
        lost = touched and drawn and flow.family is Family.IPV6
        return Outcome.DROPPED if lost else Outcome.ALLOWED

    return rule


def fault(number: int, turn: int, *, node: str = "worker", draw: str = "worker") -> Results:
    """A run in which a node lost the others, with its services."""
    return run(number, mesh(on(node)), through(drawing(turn, draw)))


def judged(before: Results, after: Results) -> KnownFailures:
    """The failures of the later run."""
    return known_failures.judged(digest(before), digest(after))


def standings(failures: KnownFailures) -> dict[str, Standing]:
    """How each test compares."""
    return {one.nodeid: one.standing for one in failures.every}


def test_another_backend_is_no_new_fault() -> None:
    """The place is known, and other flows to services fail of it."""
    before, after = fault(1, 0), fault(2, 1)
    failures = judged(before, after)
    assert standings(failures) == {MESH: Standing.KNOWN, SERVICES: Standing.KNOWN}
    assert failures.excuses
    assert failures.drawn
    assert all(question.destination.startswith("web at ") for question in failures.drawn)


def test_nothing_of_it_is_called_new_or_gone() -> None:
    """Nor on the page, where such results are counted apart."""
    comparison = compared(fault(1, 0), fault(2, 1))
    assert {one.difference for one in comparison.items} == {"still there"}
    counts = [which for row in comparison.classes for which in row.counts]
    assert CellChange.DRAWN in counts
    assert CellChange.GONE not in counts
    assert not any(which.arisen for which in counts)


def test_a_fault_at_another_place_is_new() -> None:
    """Of the same service, over the same family."""
    failures = judged(fault(1, 0), fault(2, 1, node="worker2", draw="worker2"))
    assert standings(failures) == {MESH: Standing.MORE, SERVICES: Standing.MORE}


def test_without_a_known_place_every_flow_counts() -> None:
    """Flows between pods work: nothing says that it is the same fault."""

    def scattered(flow: Flow) -> Outcome:
        number = sum(map(ord, flow.source.name + flow.destination.name)) + (flow.port or 0)
        return Outcome.DROPPED if number % 7 == 3 else Outcome.ALLOWED

    def shifted(flow: Flow) -> Outcome:
        number = sum(map(ord, flow.source.name + flow.destination.name)) + (flow.port or 0)
        return Outcome.DROPPED if number % 7 == 4 else Outcome.ALLOWED

    after = run(2, through(shifted))
    assert {key.place for key in digest(after).causes} == {NOWHERE}
    assert standings(judged(run(1, through(scattered)), after)) == {SERVICES: Standing.MORE}


def test_a_test_that_passed_before_is_new() -> None:
    """By luck or not: the baseline does not show it."""
    before = run(1, mesh(on("worker")), through(lambda _: Outcome.ALLOWED))
    failures = judged(before, fault(2, 1))
    assert standings(failures) == {MESH: Standing.KNOWN, SERVICES: Standing.NEW}


def test_another_family_is_new() -> None:
    """It was never lost."""

    def both(flow: Flow) -> Outcome:
        lost = flow.family is Family.IPV4 and flow.destination.node == "worker2"
        return Outcome.DROPPED if lost else drawing(1, "worker")(flow)

    after = run(2, mesh(on("worker")), through(both))
    failures = judged(fault(1, 0), after)
    assert standings(failures)[SERVICES] is Standing.MORE
    assert {cell.family for one in failures.new for cell in one.cells} >= {Family.IPV4}


def test_a_leak_is_never_a_matter_of_chance() -> None:
    """What must be denied and is carried."""
    denied = Expectation(frozenset({Outcome.DROPPED}), "closed")
    before = run(1, through(drawing(0, "worker"), wanted=denied))
    after = run(2, through(drawing(1, "worker"), wanted=denied))
    failures = judged(before, after)
    assert failures.drawn == frozenset()
    assert standings(failures) == {SERVICES: Standing.MORE}
    assert {r.state for r in digest(after).cells.values() if r.wrong} == {CellState.LEAK}


def test_pods_are_not_drawn() -> None:
    """Flows to pods are compared one by one."""
    assert judged(run(1, mesh(on("worker"))), run(2, mesh(on("worker", "worker2")))).drawn == set()
