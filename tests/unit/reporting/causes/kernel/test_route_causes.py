"""What is recommended and said of policy rules whose tables refuse packets."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from sixproof.agent.protocol import RouteHeld, RuleSeen
from sixproof.model import Family
from sixproof.reporting.conclusion.conclusion import Conclusion
from tests.unit.reporting.conclusion.cluster import RULES, across, concluded, examined, node
from tests.unit.reporting.samples import pods

SIX = Family.IPV6
BLOCK = "fd00:10:244::/56"
OWN = [f"{pod.address(SIX)}/128" for pod in pods() if pod.node == "worker"]


def shadowed(
    rules: Sequence[RuleSeen], routes: Sequence[RouteHeld] = (), **more: list[str]
) -> Conclusion:
    """What is concluded where the worker has such rules, and table 52 refuses the rest."""
    sick = node("worker", **more)
    held = [*sick.routes, *routes, RouteHeld("::/0", 52, "blackhole")]
    sick = dataclasses.replace(sick, rules=[*RULES, *rules], routes=held)
    (one,) = concluded(across(SIX, "worker"), examined({"worker": sick})).every
    return one


def spared(one: Conclusion) -> list[str]:
    """Why the node's own pods are spared."""
    return [line for line in one.evidence if line.startswith("its own pods are spared")]


@pytest.mark.parametrize(
    ("more", "do"),
    [
        ({}, True),
        ({"cut": ["IPv6 routes"]}, False),
        ({"cut": ["rules"]}, False),
        ({"unread": ["rules: Operation not permitted"]}, False),
        ({"cut": ["neighbours"], "unread": ["forwarding: timed out"]}, True),
    ],
)
def test_no_table_is_emptied_that_was_not_read_to_the_end(
    more: dict[str, list[str]], do: bool
) -> None:
    one = shadowed([RuleSeen("IPv6", 5270, "table", 52, destination=BLOCK)], [], **more)
    assert any("flush" in command.text for command in one.causes[0].do) is do


def test_an_inverted_rule_spares_what_is_in_its_prefix() -> None:
    """For all others: nothing is said of why."""
    rule = RuleSeen("IPv6", 5270, "table", 52, destination="2001:db8::/32", inverted=True)
    one = shadowed([rule], [RouteHeld(prefix, 52, "throw") for prefix in OWN])
    assert "policy rule 5270" in one.headline
    assert spared(one) == []


def test_own_pods_are_spared_by_throw_routes_where_all_have_one() -> None:
    """One has a unicast route of the table instead."""
    rule = RuleSeen("IPv6", 5270, "table", 52, destination=BLOCK)
    all_thrown = [RouteHeld(prefix, 52, "throw") for prefix in OWN]
    some = [*all_thrown[1:], RouteHeld(OWN[0], 52, "unicast", "cali1")]
    assert len(spared(shadowed([rule], all_thrown))) == 1
    assert spared(shadowed([rule], some)) == []
