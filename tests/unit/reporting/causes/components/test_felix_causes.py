"""Felix as a cause: what its metrics say of a node, and a Felix that hangs."""

from __future__ import annotations

from collections.abc import Mapping

from sixproof.agent.protocol import HealthSeen
from sixproof.checks.judged import expecting_all
from sixproof.model import Family, Flow, Matrix, MatrixKind, Observation, Outcome, Protocol
from sixproof.probes.connect.fetch import asking
from sixproof.probes.nodes import reader
from sixproof.reporting.conclusion.conclusion import Conclusions
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import conclude, examined, hosts, node
from tests.unit.reporting.samples import RUN

TEST = "suites/felix/test_state.py::t"
LATE = "Felix took no update of the datastore in 10 s although a pod started there"
SILENT = HealthSeen(reader.FELIX, 0, error="no answer within 2 s")


def states(wrong: Mapping[str, str], *families: Family, lost: str = "") -> Measured:
    """What Felix of every node is, by family; that of `lost` could not be asked."""
    seen = []
    for host in hosts():
        for address in host.addresses:
            said = wrong.get(host.node, "") if Family.of(address) in families else ""
            outcome = Outcome.WRONG if said else Outcome.ALLOWED
            if host.node == lost:
                outcome, said = Outcome.UNKNOWN, "Felix could not be asked there"
            flow = Flow(host, host, address, Protocol.TCP, None, "Felix: applies changes")
            seen.append(Observation(flow, outcome, said))
    return Measured(*expecting_all(Matrix.of("Felix", seen, MatrixKind.FELIX), "Felix"), TEST)


def pages(node_: str) -> Measured:
    """Metrics of every node; those of this one are not answered."""
    seen = [
        Observation(
            asking(host, host, address, 9091, "/metrics"),
            Outcome.DROPPED if host.node == node_ else Outcome.ALLOWED,
        )
        for host in hosts()
        for address in host.addresses
    ]
    return Measured(*expecting_all(Matrix.of("metrics of Felix", seen), "Felix"), TEST)


def concluded(*matrices: Measured, sick: str = "") -> Conclusions:
    changed = {sick: node(sick, health=[SILENT])} if sick else {}
    cases = (Case(TEST, CaseOutcome.FAILED),)
    return conclude(Results(RUN, cases=cases, matrices=matrices, examination=examined(changed)))


def test_a_felix_that_takes_nothing_over_is_reported_for_both_families() -> None:
    (one,) = concluded(states({"worker": LATE}, *Family)).every
    assert one.causes[0].code == "felix-state"
    assert one.headline.startswith(f"node worker: {LATE}")
    assert one.causes[0].families == tuple(Family)


def test_what_is_wrong_in_one_family_accuses_that_alone() -> None:
    (one,) = concluded(states({"worker": "Felix made no rule of IPv6"}, Family.IPV6)).every
    assert one.causes[0].families == (Family.IPV6,)


def test_each_node_is_reported_by_itself() -> None:
    found = concluded(
        states(
            {"worker": LATE, "worker2": "Felix is not in sync: felix_resync_state is 2"}, *Family
        )
    )
    assert {one.causes[0].place for one in found.every} == {"node worker", "node worker2"}


def test_a_felix_that_stands_still_explains_what_it_does_not_answer() -> None:
    found = concluded(states({}, lost="worker"), pages("worker"), sick="worker")
    (one,) = found.every
    assert one.causes[0].code == "felix"
    assert one.headline.startswith("Likely cause: node worker: Felix does not follow")


def test_a_felix_that_stands_still_elsewhere_explains_nothing_of_it() -> None:
    found = concluded(pages("worker2"), sick="worker")
    assert all("felix" not in {c.code for c in one.causes} for one in found.every)
