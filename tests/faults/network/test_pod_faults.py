"""Faults of one pod: A1 and A2."""

from __future__ import annotations

from pathlib import Path

import pytest

from sixproof.model import Family, Outcome
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.conftest import assert_first_line, run_suites

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]


def test_a1_a_killed_agent_is_unknown_and_never_a_network_verdict(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """A1: the agent's process dies in the middle of a run."""
    victim = f"a@{workers[0]}"
    suite_run = run_suites(
        tmp_path,
        "suites/pods/test_reachability.py",
        "suites/pods/test_payload.py",
        breaking="A1 --pod {pod}",
        node=workers[0],
    )
    seen = {o.outcome for o in suite_run.wrong()}
    assert seen == {Outcome.UNKNOWN}, seen
    assert {o.flow.source.name for o in suite_run.wrong()} | {
        o.flow.destination.name for o in suite_run.wrong()
    } >= {victim}
    assert all(victim in (o.flow.source.name, o.flow.destination.name) for o in suite_run.wrong())
    assert suite_run.cases(CaseOutcome.FAILED) == ()
    assert suite_run.cases(CaseOutcome.BROKEN) != ()
    assert suite_run.status == 1
    assert_first_line(
        suite_run, f"pod a on {workers[0]}", "exit status 137", "nothing about the network"
    )


def test_a2_a_server_dead_over_one_family_is_refused_there_only(
    tmp_path: Path, workers: tuple[str, str]
) -> None:
    """A2: the echo server of one pod answers over IPv4 only."""
    victim = f"a@{workers[0]}"
    suite_run = run_suites(
        tmp_path,
        "suites/pods/test_reachability.py",
        breaking="A2 --pod {pod} --family IPv6",
        node=workers[0],
    )
    wrong = suite_run.wrong()
    assert {o.outcome for o in wrong} == {Outcome.REFUSED}
    assert {o.flow.destination.name for o in wrong} == {victim}
    assert {o.flow.family for o in wrong} == {Family.IPV6}
    assert {o.flow.source.name for o in wrong} == {
        o.flow.source.name for o in suite_run.topology().matrix.observations()
    }
    assert all(case.family in (Family.IPV6, None) for case in suite_run.cases(CaseOutcome.FAILED))
    assert suite_run.cases(CaseOutcome.BROKEN) == ()
    assert f"{victim}" in suite_run.output
    assert "no listener" in suite_run.output
    words = (f"pod a on {workers[0]}", "refuses", "over IPv6", "although its agent listens there")
    assert_first_line(suite_run, *words, families=[Family.IPV6])
