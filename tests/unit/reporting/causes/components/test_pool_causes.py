"""A pool of the run that somebody changed: one conclusion, whatever its checks saw of it."""

from __future__ import annotations

from collections.abc import Sequence

from sixproof.checks.judged import judged
from sixproof.errors import Subject
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Finding,
    Flow,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
    Severity,
)
from sixproof.reporting.conclusion.conclusion import Conclusion
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from sixproof.workloads.pools.stored import OWN_POOL
from tests.unit.reporting.conclusion.cluster import conclude, examined, hosts
from tests.unit.reporting.samples import NODES, RUN
from tests.unit.workloads.two_nodes import addresses

SIX = Family.IPV6
HOME = "six-abc123-pools-gw0"
POOL = f"{HOME}-masked-ipv6"
TEST = "suites/calico/test_pools.py::t"


def changed(said: str, pool: str = POOL) -> Finding:
    """The pool is not as it was made."""
    return OWN_POOL.found(
        Severity.ERROR, Subject("IPPool", pool), said, "", "see who writes it", families=[SIX]
    )


def pod(node: str, number: int) -> Endpoint:
    """A pod that asked for the pool."""
    held = addresses(f"10.1.0.{number}", f"fd00:7::{number:x}")
    return Endpoint(f"masked@{node}", EndpointKind.POD, held, HOME, f"masked-{node}", node)


def run(pods: Sequence[Endpoint], finding: Finding, said: str = "wrong block") -> Results:
    """Something is wrong with the IPv6 address of each of these pods, and of no other."""
    asked = {
        Flow(host, one, address, Protocol.ICMP, question="block"): said
        for number, node in enumerate(NODES, 1)
        for one in [pod(node, number)]
        for host in hosts()
        if host.node == node
        for address in one.addresses
        if Family.of(address) is SIX
    }
    named = {one.name for one in pods}
    wrong = {flow: why for flow, why in asked.items() if flow.destination.name in named}
    seen = [Observation(flow, Outcome.ALLOWED) for flow in asked]
    matrix, expected = judged(MatrixKind.ADDRESSES, "blocks", seen, wrong)
    return Results(
        RUN,
        cases=(Case(TEST, CaseOutcome.FAILED),),
        matrices=(Measured(matrix, expected, TEST),),
        findings=(finding,),
    ).examined(examined())


def concluded(results: Results) -> Conclusion:
    """The one conclusion."""
    (one,) = conclude(results).every
    return one


def test_pods_of_several_nodes_are_one_conclusion() -> None:
    """L5: the pool is named, not a pod on each node."""
    said = "blockSize is 124 instead of 125, with which the run created it"
    pods = [pod(node, number) for number, node in enumerate(NODES, 1)]
    one = concluded(run(pods, changed(said)))
    assert one.first_screen == f"IPPool {POOL}: {said}. See who writes it."


def test_one_pod_does_not_hide_its_pool() -> None:
    """Both explain the one cell: the pool comes first, the pod beside it."""
    one = concluded(run([pod(NODES[0], 1)], changed("nodeSelector is all()")))
    assert one.headline.startswith(f"IPPool {POOL}: nodeSelector is all()")
    assert any("beside it, pod masked on " in line for line in one.evidence)


def test_a_pool_of_another_process_explains_nothing() -> None:
    """Its pods are in another namespace."""
    other = "six-abc123-pools-gw1-masked-ipv6"
    one = concluded(run([pod(NODES[0], 1)], changed("blockSize is 124", other)))
    assert one.headline.startswith("pod masked on ")


def test_a_verdict_about_the_pool_itself_has_the_cause() -> None:
    """Without a matrix: who was served that did not ask, who was not refused."""
    about = Subject("IPPool", POOL)
    case = Case(TEST, CaseOutcome.FAILED, message="unasked has fd00:7::9", subjects=(about,))
    finding = changed("assignmentMode is Automatic instead of Manual")
    results = Results(RUN, cases=(case,), findings=(finding,)).examined(examined())
    assert concluded(results).headline.startswith(f"IPPool {POOL}: assignmentMode is Automatic")
