"""Not proven in pytest: counted apart, also by workers, and never exit status 0."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures import carried

UNPROVEN = """
from fixtures.carried import must_be_open
import ipaddress
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Protocol

HERE = Endpoint("a", EndpointKind.POD, (ipaddress.ip_address("2001:db8::1"),))
CLOSED = [(Flow(HERE, HERE, HERE.addresses[0], Protocol.TCP, 1), "GlobalNetworkPolicy closed")]

def test_closed():
    must_be_open("pods", (), CLOSED)

def test_open():
    must_be_open("pods", [Family.IPV6], CLOSED)
"""


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_what_is_not_proven_is_counted_apart(
    project: pytest.Pytester, words: tuple[str, ...]
) -> None:
    """Neither passed nor failed nor skipped; the reason is told."""
    (project.path / "tests" / "test_other.py").write_text(UNPROVEN, encoding="utf-8")
    result = project.runpytest_subprocess("tests", "-v", *words)
    lines = [t for t in result.outlines if "test_closed" in t and "NOT PROVEN" in t]
    assert lines, result.stdout.str()
    assert result.parseoutcomes()["passed"] == 1
    assert "1 not proven" in result.stdout.str().splitlines()[-1]
    assert "skipped" not in result.stdout.str().splitlines()[-1]


@pytest.mark.parametrize(
    ("stats", "before", "after"),
    [({"not proven": [1]}, 0, 1), ({}, 0, 0), ({"not proven": [1]}, 2, 2)],
    ids=["not proven", "all passed", "interrupted"],
)
def test_a_run_is_not_green_that_proved_nothing(
    stats: dict[str, list[int]], before: int, after: int
) -> None:
    """Its exit status is 1, unless it is worse already."""
    reporter = SimpleNamespace(stats=stats)
    manager = SimpleNamespace(get_plugin=lambda _: reporter)
    session: Any = SimpleNamespace(config=SimpleNamespace(pluginmanager=manager), exitstatus=before)
    assert carried.exit_status(session, before) == after
    assert session.exitstatus == after
