"""The words of a place: "pods on X" where only these are meant, whatever tests were merged; and an
error that is said once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from sixproof.model import (
    Expectation,
    Family,
    Flow,
    IcmpError,
    Matrix,
    Outcome,
)
from sixproof.reporting.diagnosis.places import diagnose
from tests.unit.reporting.diagnosis.test_merged import (
    HOSTS,
    NODE_PORTS,
    PLACES,
    asked,
    faults_of,
    one_node,
)
from tests.unit.reporting.samples import all_open, pods, topology, works

V6 = Family.IPV6
LEAK = Expectation(frozenset({Outcome.DROPPED}), "NetworkPolicy x/deny", by_policy=True)
ANEW = tuple(
    dataclasses.replace(p, addresses=q.addresses)
    for p, q in zip(PLACES, reversed(PLACES), strict=True)
)
"""Other pods of the same names: their matrices are never merged with those of the first."""


def carried(lost: Callable[[Flow], bool]) -> Callable[[Flow], Outcome]:
    """IPv6 flows like these are carried, all others denied."""
    return lambda flow: Outcome.ALLOWED if flow.family is V6 and lost(flow) else Outcome.DROPPED


def from_node(flow: Flow) -> bool:
    """Whatever leaves a node."""
    return flow.source.node == "worker" and flow.crosses_nodes


def from_pods(flow: Flow) -> bool:
    """What pods send from it."""
    return from_node(flow) and flow.source.pod != ""


def test_one_leak_is_one_fault_with_and_without_host_networks() -> None:
    """The place is called by all that fails in it."""
    rule = carried(from_node)
    few = asked(rule, "pods", ANEW, ANEW, expected=LEAK)
    many = asked(rule, "pods and nodes", (*PLACES, *HOSTS), PLACES, expected=LEAK)
    (alone,) = faults_of(few)
    assert alone.pattern.where.startswith("from pods on worker")
    for order in ((few, many), (many, few)):
        (fault,) = faults_of(*order)
        assert fault.pattern.where.startswith("from node worker")
        assert fault.tests == 2


def test_a_leak_of_pods_alone_is_called_theirs() -> None:
    """Host networks of the node were measured and are denied; a test without any shows it, too."""
    rule = carried(from_pods)
    few = asked(rule, "pods", ANEW, ANEW, expected=LEAK)
    many = asked(rule, "pods and nodes", (*PLACES, *HOSTS), PLACES, expected=LEAK)
    (fault,) = faults_of(few, many)
    assert fault.pattern.where.startswith("from pods on worker")
    assert fault.tests == 2


def test_a_loss_that_takes_in_host_networks_is_the_nodes() -> None:
    """The larger test knows pods alone."""
    large = asked(one_node, "pods", PLACES, PLACES)
    small = asked(one_node, "nodes", HOSTS, ANEW[:3], families=[V6])
    (alone,) = faults_of(large)
    assert alone.pattern.where == "to and from pods on worker across nodes"
    (fault,) = faults_of(large, small)
    assert fault.pattern.where == "to and from node worker across nodes"


def test_services_that_fail_too_do_not_make_it_the_nodes() -> None:
    """NodePorts are dialled at a node; what is lost lies between pods."""
    large = asked(one_node, "pods", PLACES, PLACES)
    (fault,) = faults_of(large, asked(one_node, "NodePorts", PLACES, NODE_PORTS, families=[V6]))
    assert fault.services
    assert fault.pattern.where == "to and from pods on worker across nodes"


@pytest.mark.parametrize("same", [True, False])
def test_an_error_of_several_outcomes_is_said_once(same: bool) -> None:
    """One reason for all is said at the end, another for each with its outcome."""
    error = IcmpError(V6, 1, 3, "fd00::1")
    matrix = topology(works, endpoints=pods("a"))
    cells = []
    for o in matrix.observations():
        refused = o.flow.port is None
        reason = str(error) if same or refused else "no answer"
        bad = dataclasses.replace(
            o,
            outcome=Outcome.REFUSED if refused else Outcome.UNROUTABLE,
            reason=reason,
            icmp=error if same or refused else None,
        )
        cells.append(bad if o.flow.family is V6 and o.flow.crosses_nodes else o)
    broken = Matrix.of("t", cells)
    (pattern,) = diagnose(broken, broken.disagreements(all_open(broken)))
    assert len(pattern.outcomes) == 2
    assert pattern.sentence.count("Destination Unreachable") == 1
