"""Not proven in pytest: counted apart, also by workers, and never exit status 0."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.report import carried
from tests.plugin.played import PlayedCluster

LIVE = """
import ipaddress
import pytest
from sixproof.checks.connect.carried import must_be_open
from sixproof.errors import KnownLimit, NotAsked
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Protocol

HERE = Endpoint("a", EndpointKind.POD, (ipaddress.ip_address("2001:db8::1"),))
CLOSED = [(Flow(HERE, HERE, HERE.addresses[0], Protocol.TCP, 1), "GlobalNetworkPolicy closed")]

def test_closed():
    must_be_open("pods", (), CLOSED)

def test_open():
    must_be_open("pods", [Family.IPV6], CLOSED)

@pytest.fixture(scope="session")
def prepared():
    raise NotAsked("not this cluster", "--six-nodes")

def test_first_prepared(prepared):
    pass

def test_then_prepared(prepared):
    pass

def test_limit():
    raise KnownLimit("named ports are not known here")
"""


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_what_is_not_proven_is_counted_apart(
    project: pytest.Pytester, cluster: PlayedCluster, words: tuple[str, ...]
) -> None:
    """Neither passed nor failed nor skipped; the reason is given."""
    (project.path / "suites/pods/test_live.py").write_text(LIVE, encoding="utf-8")
    result = project.runpytest_subprocess("suites/pods", "-v", *words)
    for test, word in (
        ("test_closed", "NOT PROVEN"),
        ("test_first_prepared", "SKIPPED"),
        ("test_then_prepared", "SKIPPED"),
        ("test_limit", "XFAIL"),
    ):
        assert [t for t in result.outlines if test in t and word in t], result.stdout.str()
    last = result.stdout.str().splitlines()[-1]
    assert "1 passed, 2 skipped, 1 xfailed, 1 not proven" in last, last
    assert "not this cluster" in result.stdout.str()
    assert "enable: --six-nodes" in result.stdout.str()
    assert result.ret == 1


def test_in_other_tests_such_an_error_is_a_failure(project: pytest.Pytester) -> None:
    """The project's own tests must not end as skips that nobody sees."""
    (project.path / "tests/test_other.py").write_text(LIVE, encoding="utf-8")
    result = project.runpytest_subprocess("tests")
    result.assert_outcomes(failed=2, errors=2, passed=1)


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
