"""Tests without a matrix, and cells that were not measured, beside a cause that is known."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sixproof.errors import Subject
from sixproof.model import Family, Flow, Outcome
from sixproof.probes.connect.verdict import CONTROL_FAILED
from sixproof.probes.nodes.examination import NodeReading
from sixproof.reporting.conclusion import words
from sixproof.reporting.conclusion.conclusion import Conclusion
from sixproof.reporting.conclusion.joined import with_unmeasured
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.pages.overview import overview
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import across, conclude, examined, node, run
from tests.unit.reporting.samples import pods

SIX, FOUR = Family.IPV6, Family.IPV4
OFF = node("worker", sysctls={"net/ipv6/conf/all/forwarding": "0"})
TITLE = "Every node follows a change"


def with_case(**changes: Any) -> Results:
    """A run whose IPv6 flows of worker fail of a cause, and a test without a matrix about it."""
    results = run(across(SIX, "worker"), examined({"worker": OFF}))
    case = Case(
        "suites/x/t.py::t", CaseOutcome.FAILED, title=TITLE, message="not there yet: worker"
    )
    about = {"subjects": (Subject.of_node("worker"),), **changes}
    return dataclasses.replace(results, cases=(*results.cases, dataclasses.replace(case, **about)))


@pytest.mark.parametrize(
    ("changes", "joined"),
    [
        ({}, True),
        ({"accuses": (SIX,), "categories": (Category.IPV6_ONLY.value,)}, True),
        ({"accuses": tuple(Family), "categories": (Category.BOTH.value,)}, True),
        ({"categories": (Category.OVER_BLOCK.value,)}, True),
        ({"family": SIX}, True),
        ({"family": FOUR}, False),
        ({"accuses": (FOUR,)}, False),
        ({"accuses": (SIX,), "categories": (Category.MTU.value,)}, False),
        ({"categories": (Category.LEAK.value, Category.IPV6_ONLY.value)}, False),
        ({"outcome": CaseOutcome.BROKEN, "family": FOUR}, True),
    ],
    ids=[
        "nothing is known of it",
        "its family",
        "both families",
        "an over-block",
        "a test of its family",
        "a test of the other",
        "the other family",
        "sizes",
        "a leak",
        "it broke",
    ],
)
def test_a_test_joins_a_cause_that_could_have_reached_it(
    changes: dict[str, Any], joined: bool
) -> None:
    """One about another family, or of another kind of result, may be a second fault there."""
    one, *others = conclude(with_case(**changes)).every
    assert one.known
    assert ("suites/x/t.py::t" in one.tests) is joined
    assert [other.headline for other in others] == ([] if joined else ["not there yet: worker"])


def test_the_overview_names_what_joined() -> None:
    """Folded, below what the cause explains."""
    page = overview(with_case())
    (one,) = conclude(with_case()).every
    folded = page[page.index(f"<summary>Explains {words.explains(one)[0]}") :]
    assert TITLE in folded[: folded.index("</details>")]


def _dead_server(reason: str, unmeasured: Family = SIX) -> Results:
    """A pod that refuses its own node; what others sent over a family could not be told."""
    victim = next(pod for pod in pods() if pod.name == "a@worker")

    def rule(flow: Flow) -> Outcome:
        if flow.destination.name != victim.name:
            return Outcome.ALLOWED
        near = flow.source.node == victim.node
        if near and flow.family is SIX:
            return Outcome.REFUSED
        return Outcome.UNKNOWN if not near and flow.family is unmeasured else Outcome.ALLOWED

    inside = NodeReading(f"{victim.namespace}/{victim.pod}", node("worker"))
    results = run(rule, examined(inside=[inside]))
    (measured,) = results.matrices
    cells = {
        key: dataclasses.replace(seen, reason=reason) if not seen.outcome.measured else seen
        for key, seen in measured.matrix.cells.items()
    }
    matrix = dataclasses.replace(measured.matrix, cells=cells)
    return dataclasses.replace(results, matrices=(dataclasses.replace(measured, matrix=matrix),))


REFUSED = f"{CONTROL_FAILED} (reset ECONNREFUSED): silence proves nothing"


def test_a_server_that_fails_its_own_control_is_one_conclusion() -> None:
    """What it refuses and what could not be measured of it."""
    (one,) = conclude(_dead_server(REFUSED)).every
    assert one.headline.startswith("Likely cause: pod a on worker: it refuses ")
    assert one.measured
    assert any("IPv6 cells could not be measured" in line for line in words.explains(one))


@pytest.mark.parametrize(
    ("reason", "family"),
    [("agent channel lost", SIX), (REFUSED, FOUR)],
    ids=["another reason", "another family"],
)
def test_what_was_not_measured_for_another_reason_is_another_entry(
    reason: str, family: Family
) -> None:
    """It may be a second fault."""
    known, unknown = conclude(_dead_server(reason, family)).every
    assert known.known
    assert not unknown.known
    assert not unknown.measured


def at(*servers: tuple[Family, str], measured: bool = True) -> FailingPlace:
    """A place with a cell at each of these servers."""
    cells = [
        SimpleNamespace(
            observation=SimpleNamespace(
                reason="" if measured else REFUSED,
                flow=SimpleNamespace(family=family, destination=SimpleNamespace(name=name)),
            )
        )
        for family, name in servers
    ]
    return cast(
        FailingPlace, SimpleNamespace(measured=measured, pattern=SimpleNamespace(cells=cells))
    )


def test_what_two_causes_left_unmeasured_goes_to_the_one_that_explains_most() -> None:
    """No third entry, where each server and family is explained by one of them; else there is."""
    first = Conclusion((), (at((SIX, "a"), (SIX, "b")),))
    second = Conclusion((), (at((FOUR, "a")),))
    both = at((SIX, "a"), (SIX, "b"), (FOUR, "a"), measured=False)

    given, left = with_unmeasured([second, first], [both])
    assert left == []
    assert [len(one.faults) for one in given] == [1, 2]

    beyond = at((SIX, "a"), (FOUR, "b"), measured=False)
    given, left = with_unmeasured([second, first], [beyond])
    assert left == [beyond]
    assert given == [second, first]
