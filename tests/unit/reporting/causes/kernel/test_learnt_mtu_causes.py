"""Learnt path MTUs that pods forget too soon, or too late: shown by their own setting."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.model import (
    Expectation,
    Family,
    Flow,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.probes.nodes.examination import FailureReading, NodeReading
from sixproof.probes.pmtu.signals import EXPIRY
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import examined, node
from tests.unit.reporting.samples import RUN, pods

SIX = Family.IPV6
TEST = "suites/mtu/test_packet_too_big.py::test_expiry[IPv6]"
HERE, THERE = (next(p for p in pods() if p.node == name) for name in ("worker", "worker2"))


def reading(value: str, family: Family = SIX) -> NodeReading:
    """What the pod on `worker` says of its setting."""
    seen = node("worker")
    setting = {f"net/ipv{family.version}/route/mtu_expires": value}
    seen = dataclasses.replace(seen, sysctls={**seen.sysctls, **setting})
    return NodeReading(f"{HERE.namespace}/{HERE.pod}", seen, called=HERE.called)


def failed(question: str = EXPIRY) -> Results:
    """A run in which a path check of that pod is wrong, and right the other way round."""
    cells = []
    for source, there, outcome in (
        (HERE, THERE, Outcome.WRONG),
        (THERE, HERE, Outcome.ALLOWED),
    ):
        address = there.address(SIX)
        assert address is not None
        flow = Flow(source, there, address, Protocol.UDP, 8080, question)
        cells.append(Observation(flow, outcome, "learnt 1350, forgets it in 60 s"))
    matrix = Matrix.of(question, cells, MatrixKind.PATHS)
    expected = dict.fromkeys(matrix.cells, Expectation.allowed("devices and routes promise it"))
    cases = (Case(TEST, CaseOutcome.FAILED, family=SIX),)
    measured = Measured(matrix, expected, TEST)
    return Results(RUN, cases=cases, matrices=(measured,), examination=examined())


@pytest.mark.parametrize("value", ["60", "3600"])
@pytest.mark.parametrize("gone", [True, False])
def test_the_setting_of_pods_is_named_with_their_node(value: str, gone: bool) -> None:
    """I2F: read at the failure where the pod is gone at the end, else at the end."""
    results = failed()
    if gone:
        then = FailureReading(TEST, inside=[reading(value)])
        results = dataclasses.replace(results, failures=(then,))
    else:
        results = dataclasses.replace(results, examination=examined(inside=[reading(value)]))
    (one,) = conclude(results).every
    assert one.headline.startswith(
        f"node worker: net.ipv6.route.mtu_expires is {value} s in its pods: they forget a learnt "
        "IPv6 path MTU after that time, not after 300 to 600 s"
    )
    assert one.evidence[0] == f"read in {HERE.called}; Linux begins with 600 s"


@pytest.mark.parametrize(
    ("question", "read"),
    [
        (EXPIRY, reading("600")),
        (EXPIRY, reading("300")),
        (EXPIRY, reading("60", Family.IPV4)),
        (EXPIRY, reading("")),
        (EXPIRY, reading("soon")),
        (EXPIRY, NodeReading("gone/pod", node("worker"))),
        (EXPIRY, NodeReading(f"{HERE.namespace}/{HERE.pod}", missing="no answer")),
        ("Packet Too Big is honoured", reading("60")),
    ],
)
def test_a_setting_within_the_limits_or_of_others_is_no_cause(
    question: str, read: NodeReading
) -> None:
    """Neither is that of the other family, nor one that nothing wrong depends on."""
    then = FailureReading(TEST, inside=[read])
    (one,) = conclude(dataclasses.replace(failed(question), failures=(then,))).every
    assert not one.known
