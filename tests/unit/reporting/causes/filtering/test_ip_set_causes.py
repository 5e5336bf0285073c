"""Felix's IP sets that lack pods, as nodes said when a test failed (C1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest

from sixproof.agent.protocol import IpSetSeen
from sixproof.model import Expectation, Family, Flow, Outcome
from sixproof.probes.nodes.examination import FailureReading, IpSetsReading, NodeReading
from sixproof.reporting.conclusion.cause import Confidence
from sixproof.reporting.conclusion.conclusion import Conclusions
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import conclude, examined, node
from tests.unit.reporting.samples import RUN, pods, topology

SIX, FOUR = Family.IPV6, Family.IPV4
TEST = "suites/policy/t.py::t"
VICTIM = next(pod for pod in pods() if pod.name == "a@worker")
FRIENDS = tuple(pod for pod in pods() if pod.name.startswith("b@"))
ALLOWED = Expectation.allowed("a policy selects b", by_policy=True)


def ip_set(
    name: str, exact: Iterable[object], within: Iterable[object] = (), size: int | None = None
) -> IpSetSeen:
    """A set of the family that its name says."""
    family = SIX if name.startswith("cali6") else FOUR
    members = [str(member) for member in exact]
    return IpSetSeen(
        name, family.value, len(members) if size is None else size, members, list(map(str, within))
    )


def addresses(family: Family) -> list[object]:
    """Those of the pods that the policy allows."""
    return [pod.address(family) for pod in FRIENDS]


def shut_out(*families: Family, answer: Outcome = Outcome.DROPPED) -> Results:
    """Flows of the pods that a policy allows do not come to the victim over these families."""

    def rule(flow: Flow) -> Outcome:
        hit = flow.source in FRIENDS and flow.destination == VICTIM and flow.family in families
        return answer if hit else Outcome.ALLOWED

    matrix = topology(rule, endpoints=[VICTIM, *FRIENDS])
    measured = Measured(matrix, dict.fromkeys(matrix.cells, ALLOWED), TEST)
    cases = (Case(TEST, CaseOutcome.FAILED),)
    return Results(RUN, cases=cases, matrices=(measured,), examination=examined())


def concluded(results: Results, **sets: list[IpSetSeen]) -> Conclusions:
    """With the IP sets of nodes at the moment of the failure."""
    read = [IpSetsReading(name, found) for name, found in sets.items()]
    reading = FailureReading(TEST, [NodeReading("worker", node("worker"))], read)
    return conclude(dataclasses.replace(results, failures=(reading,)))


def test_a_set_that_is_empty_over_one_family() -> None:
    """C1: node, set, whom it lacks, and what the other family has; the sets are gone later."""
    sets = [ip_set("cali60s:abc", []), ip_set("cali40s:abc", addresses(FOUR))]
    (one,) = concluded(shut_out(SIX), worker=sets).every
    assert one.first_screen == (
        "node worker: Felix's IP set cali60s:abc (no members) lacks pod b on control-plane and "
        "2 more, which its IPv4 twin has: policies there deny their IPv6 packets. Restart "
        "calico-node-worker, and see whether it still lacks them."
    )
    assert one.evidence[0].startswith("cali60s:abc lacks ")
    (place,) = one.faults
    assert len(place.pattern.cells) == len([c for m in (place.worst,) for c in m.disagreements()])


def test_a_set_that_all_other_nodes_have_whole() -> None:
    """Both families: neither shows what the other lacks, and nodes are not read at one instant."""
    lacking = [ip_set("cali60s:abc", []), ip_set("cali40s:abc", [])]
    whole = [ip_set("cali60s:abc", addresses(SIX)), ip_set("cali40s:abc", addresses(FOUR))]
    results = shut_out(*Family)
    (one,) = concluded(results, worker=lacking, worker2=whole).every
    assert "which worker2 has, and 1 more such: policies there deny" in one.headline
    assert "their IPv4 and IPv6 packets" in one.headline
    assert one.causes[0].confidence is Confidence.FITS
    assert {lack.split()[0] for lack in one.evidence if " lacks " in lack} == {
        "cali40s:abc",
        "cali60s:abc",
    }
    more = {"worker": lacking, "worker2": whole, "control-plane": lacking}
    assert not any(one.known for one in concluded(results, **more).every)


def test_an_address_may_be_held_by_a_prefix_or_a_range() -> None:
    """Of the set itself; as a witness only the pod's own address counts: a NetworkSet may have
    networks of one family."""
    fours = [ip_set("cali40s:abc", addresses(FOUR))]
    held = [ip_set("cali60s:abc", [], addresses(SIX), 1)]
    assert not any(one.known for one in concluded(shut_out(SIX), worker=[*held, *fours]).every)
    ranges = [ip_set("cali60s:abc", [], [], 0), ip_set("cali40s:abc", [], addresses(FOUR), 1)]
    assert not any(one.known for one in concluded(shut_out(SIX), worker=ranges).every)


@pytest.mark.parametrize(
    "sets",
    [
        pytest.param([ip_set("cali60s:abc", addresses(SIX))], id="whole"),
        pytest.param([ip_set("cali60s:abc", []), ip_set("cali40s:xyz", addresses(FOUR))],
                     id="another-selector"),
        pytest.param([ip_set("cali60s:abc", []), ip_set("cali40s:abc", [])], id="both-empty"),
        pytest.param([], id="none"),
    ],
)  # fmt: skip
def test_sets_that_show_nothing_are_no_cause(sets: list[IpSetSeen]) -> None:
    """The place is reported, with what would fit."""
    (one,) = concluded(shut_out(SIX), worker=sets).every
    assert not one.known
    assert any("IP sets" in fit for fit in one.fits)


def test_a_set_explains_what_a_policy_denies_and_nothing_else() -> None:
    """What came back corrupted, and what no policy decides."""
    sets = [ip_set("cali60s:abc", []), ip_set("cali40s:abc", addresses(FOUR))]
    spoilt = concluded(shut_out(SIX, answer=Outcome.CORRUPTED), worker=sets)
    assert not any(one.known for one in spoilt.every)
    results = shut_out(SIX)
    (measured,) = results.matrices
    anyhow = {key: Expectation.allowed("no policy") for key in measured.matrix.cells}
    open_ = dataclasses.replace(results, matrices=(dataclasses.replace(measured, expected=anyhow),))
    assert not any(one.known for one in concluded(open_, worker=sets).every)


def test_a_reading_of_another_test_explains_nothing() -> None:
    sets = [ip_set("cali60s:abc", []), ip_set("cali40s:abc", addresses(FOUR))]
    reading = FailureReading("suites/policy/t.py::other", [], [IpSetsReading("worker", sets)])
    results = dataclasses.replace(shut_out(SIX), failures=(reading,))
    assert not any(one.known for one in conclude(results).every)


def test_what_could_not_be_read_is_reported() -> None:
    """Where the place has no cause."""
    reading = FailureReading(TEST, problems=["IP sets were not read: pods is forbidden"])
    conclusions = conclude(dataclasses.replace(shut_out(SIX), failures=(reading,)))
    assert "IP sets were not read: pods is forbidden" in conclusions.problems
