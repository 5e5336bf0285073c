"""Categories: Allure files a test by expressions that match our own messages, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sixproof.model import Expectation, Family, Flow, Outcome, Parity
from sixproof.reporting.diagnosis.category import Category, class_line, rules, rules_json
from sixproof.reporting.diagnosis.evidence import verdict, wrong
from sixproof.reporting.diagnosis.pattern import categories_of
from sixproof.reporting.diagnosis.places import diagnose
from tests.unit.reporting.samples import all_open, topology, v6_tunnel_broken

CHECKOUT = Path(__file__).parents[4]


def filed(message: str, status: str = "failed") -> str:
    """The first category that matches, as Allure 3 searches it; the same must hold for Allure 2."""
    for rule in rules():
        expression = str(rule.get("messageRegex", ""))
        found = re.search(expression, message) is not None
        assert not expression or found is (re.fullmatch(expression, message) is not None)
        if found and status in rule["matchedStatuses"]:  # type: ignore[operator]
            return str(rule["name"])
    return ""


@pytest.mark.parametrize("category", [c for c in Category if c is not Category.INFRASTRUCTURE])
def test_a_message_is_filed_under_the_class_that_it_names(category: Category) -> None:
    error = wrong("something\nin several lines", (), category)
    assert filed(f"sixproof.errors.VerdictError: {error}") == category.value


def test_the_most_telling_class_comes_first() -> None:
    assert filed(str(wrong("x", (), Category.IPV6_ONLY, Category.LEAK))) == "Policy leak"
    assert (
        class_line([Category.IPV6_ONLY, Category.LEAK]) == "class: Policy leak, IPv6-only failure"
    )


def test_a_real_verdict_is_filed() -> None:
    matrix = topology(v6_tunnel_broken)
    assert filed(verdict(matrix, matrix.disagreements(all_open(matrix)))) == "IPv6-only failure"


def test_broken_tests_are_infrastructure_unless_they_say_what_could_not_be_measured() -> None:
    assert filed("sixproof.errors.ApiError: 503", "broken") == "Infrastructure"
    lost = "sixproof.errors.ChannelLost: agent a@worker: stream closed"
    assert filed(lost, "broken") == "Not measured (UNKNOWN)"


def test_a_message_that_merely_speaks_of_dns_is_not_filed_there() -> None:
    assert filed("AssertionError: the DNS service has no IPv6 address") == ""


def test_every_category_is_explained_and_the_committed_file_is_current() -> None:
    """To renew it: write `rules_json()` to reports/categories.json."""
    assert all(rule["description"] for rule in rules())
    committed = (CHECKOUT / "reports" / "categories.json").read_text()
    assert committed == rules_json()
    assert json.loads(committed)


@pytest.mark.parametrize("selected", [True, False])
def test_a_policy_is_blamed_only_where_it_decides_all_that_is_dropped_there(selected: bool) -> None:
    """What reaches a node no more, whether a policy decides it or not, no policy has dropped."""

    def into_worker(flow: Flow) -> Outcome:
        dead = flow.destination.node == "worker" and flow.family is Family.IPV6
        return Outcome.DROPPED if dead else Outcome.ALLOWED

    matrix = topology(into_worker, itself=False)
    passed = Expectation.allowed("shop/p ingress[0] allows it", by_policy=True)
    first = next(key for key, o in matrix.cells.items() if o.outcome is Outcome.DROPPED)
    expected = dict.fromkeys(matrix.cells, passed)
    if not selected:
        expected[first] = Expectation.allowed("no policy selects it")
    (pattern,) = diagnose(matrix, matrix.disagreements(expected))
    assert (Category.OVER_BLOCK in pattern.categories) is selected
    assert Category.IPV6_ONLY in pattern.categories


def test_what_a_filter_rejects_is_an_over_block_whatever_is_dropped_beside_it() -> None:
    """A rejection names its cause itself; the place speaks of what is dropped only."""

    def into_worker(flow: Flow) -> Outcome:
        if flow.destination.node != "worker":
            return Outcome.ALLOWED
        return Outcome.REJECTED if flow.port == 8080 else Outcome.DROPPED

    matrix = topology(into_worker)
    patterns = diagnose(matrix, matrix.disagreements(all_open(matrix)))
    rejecting = [p for p in patterns if Outcome.REJECTED in p.outcomes]
    assert any(Outcome.DROPPED in p.outcomes for p in rejecting)
    assert all(Category.OVER_BLOCK in p.categories for p in rejecting)


@pytest.mark.parametrize(
    ("outcome", "category"),
    [
        (Outcome.DNS_FAILED, Category.DNS),
        (Outcome.REJECTED, Category.OVER_BLOCK),
        (Outcome.TOO_BIG, Category.MTU),
        (Outcome.UNROUTABLE, Category.BOTH),
    ],
)
def test_an_outcome_that_names_its_cause_decides_the_class(
    outcome: Outcome, category: Category
) -> None:
    matrix = topology(lambda _: outcome)
    wrong = matrix.disagreements(all_open(matrix))[0]
    assert wrong.parity is Parity.BOTH_BROKEN
    assert categories_of(wrong) == {category}
