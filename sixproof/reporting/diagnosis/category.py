"""Classes of failure, as verdicts name them and Allure's categories find them.

A verdict ends with a line ``class: Policy leak, IPv6-only failure``. The expressions below find
that line and nothing else. They are written for both JavaScript (Allure 3 searches, and ``.`` stops
at a line end) and Java (Allure 2 matches the whole text).
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterable

from sixproof.model import Family, Parity
from sixproof.reporting.results.test_record import APPLICATION

LEAD = "class: "
_ONE_FAMILY = {Family.IPV6: "IPv6-only failure", Family.IPV4: "IPv4-only failure"}
_ONE_BROKEN = {Parity.IPV6_BROKEN: Family.IPV6, Parity.IPV4_BROKEN: Family.IPV4}


class Category(enum.StrEnum):
    """The classes, the most specific first: Allure 3 files a test under the first that matches."""

    LEAK = "Policy leak"
    OVER_BLOCK = "Policy over-block"
    DNS = "DNS"
    MTU = "MTU black hole"
    APPLICATION = APPLICATION
    IPV6_ONLY = "IPv6-only failure"
    IPV4_ONLY = "IPv4-only failure"
    BOTH = "Connectivity failure"
    OTHER_DENIAL = "Denied in another way"
    NOT_MEASURED = "Not measured (UNKNOWN)"
    INFRASTRUCTURE = "Infrastructure"

    @property
    def description(self) -> str:
        """What such a failure means, in a sentence."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    Category.LEAK: "A flow that a policy must deny was carried.",
    Category.OVER_BLOCK: "A flow that the policies allow was dropped or rejected.",
    Category.DNS: "A name did not resolve, or resolved to the wrong addresses.",
    Category.MTU: "Small packets pass, large ones do not: Packet Too Big is lost or ignored.",
    Category.APPLICATION: "An application of the cluster's owner does not work over a family; this "
    "says nothing about the network.",
    Category.IPV6_ONLY: "The same flow is right over IPv4.",
    Category.IPV4_ONLY: "The same flow is right over IPv6.",
    Category.BOTH: "The flow fails, and the failure is not limited to one family.",
    Category.OTHER_DENIAL: "A flow was denied, but not in the way its policy denies.",
    Category.NOT_MEASURED: "An agent could not measure; this says nothing about the network.",
    Category.INFRASTRUCTURE: "The cluster or the harness failed; no verdict about the network.",
}
_EXTRA = {Category.MTU: "|MTU black hole", Category.NOT_MEASURED: "|ChannelLost|AgentError"}
_STATUSES = {
    Category.NOT_MEASURED: ["failed", "broken"],
    Category.INFRASTRUCTURE: ["broken"],
}


def one_family(wrong: Iterable[Family], compared: Iterable[Family] = Family) -> Category | None:
    """The class of what is wrong in one family of two alone; None where it is not.

    `wrong` are the families of the wrong answers, `compared` those that were measured for the same
    question, be it with a good or a bad answer: without the other one a family is not told apart.
    """
    found = set(wrong)
    if len(found) != 1 or set(compared) != set(Family):
        return None
    return Category(_ONE_FAMILY[found.pop()])


def broken_family(parity: Parity, *, leak: bool = False) -> Family | None:
    """The one family that is wrong by a comparison of both, None where it is not one. Of a `leak`
    the family that works is the wrong one."""
    family = _ONE_BROKEN.get(parity)
    return family.other if family and leak else family


def class_line(categories: Iterable[Category]) -> str:
    """The closing line of a verdict."""
    named = set(categories)
    return LEAD + ", ".join(category for category in Category if category in named)


def rules() -> list[dict[str, object]]:
    """Allure's categories.json; the configuration of Allure 3 takes the same objects."""
    return [
        {
            "name": category.value,
            "description": category.description,
            "matchedStatuses": _STATUSES.get(category, ["failed"]),
            **({"messageRegex": expression} if (expression := _expression(category)) else {}),
        }
        for category in Category
    ]


def _expression(category: Category) -> str:
    if category is Category.INFRASTRUCTURE:
        return ""
    named = rf"class: [^\n]*{_escaped(category)}"
    return rf"[\s\S]*({named}{_EXTRA.get(category, '')})[\s\S]*"


def _escaped(category: Category) -> str:
    return re.sub(r"([()])", r"\\\1", category.value)


def rules_json() -> str:
    """The text of categories.json; reports/categories.json holds the same."""
    return json.dumps(rules(), indent=2) + "\n"
