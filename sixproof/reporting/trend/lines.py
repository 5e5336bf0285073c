"""The words of a trend, for the terminal and the page alike."""

from __future__ import annotations

from collections.abc import Iterator

from sixproof.model import Family
from sixproof.reporting.diagnosis.pattern import said_count
from sixproof.reporting.pages.scoreboard import TONES
from sixproof.reporting.pages.styled_text import Text, Tone, folded
from sixproof.reporting.results.test_record import CaseOutcome
from sixproof.reporting.trend.changes import Flaky, Slower, Trend, VerdictStep
from sixproof.reporting.trend.past_run import PastRun

SHOWN = 30
"""Runs that the terminal shows, the latest ones."""
FLAKY = 20
WIDTH = 100
_NONE = "-"


def trend_lines(trend: Trend) -> Iterator[Text]:
    """The table of runs, then what changed, what is flaky and what became slow."""
    if not trend.runs:
        yield Text("no run")
        return
    shown = trend.runs[-SHOWN:]
    if len(trend.runs) > len(shown):
        yield Text(f"the last {len(shown)} of {len(trend.runs)} runs", Tone.QUIET)
    heads = f"{'began, UTC':<18}{'IPv4':<14}{'IPv6':<14}{'tests':<30}{'s':>6}  change took effect"
    yield Text(heads, Tone.QUIET)
    for run in shown:
        yield _row(run)
    for title, said in sections(trend):
        yield Text()
        yield Text(title, Tone.HEAD)
        for line in said:
            yield from folded(Text("  "), line, WIDTH)


def sections(trend: Trend) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What the table does not say, by its title."""
    found = (
        ("Verdicts that changed", tuple(map(said_step, trend.steps[-SHOWN:]))),
        ("Tests that pass and fail in turn", tuple(map(said_flaky, trend.flaky[:FLAKY]))),
        ("Slower than usual", tuple(map(said_slower, trend.slower))),
    )
    return tuple((title, said) for title, said in found if said)


def said_step(step: VerdictStep) -> str:
    """``2026-11-30 02:00: IPv6 broken, was works: node worker: ...``."""
    cause = f": {step.cause}" if step.cause else ""
    return f"{when(step.run)}: {step.family} {step.after}, was {step.before}{cause}"


def said_flaky(one: Flaky) -> str:
    """The test, and how often."""
    turns = said_count(one.switched, "time")
    return f"{one.test}: did not pass in {one.bad} of {one.runs} runs, changed {turns}"


def said_slower(one: Slower) -> str:
    """What, and how much."""
    return f"{one.what}: {one.now:.1f} s, usually {one.usual:.1f} s ({one.now / one.usual:.1f}x)"


def when(run: PastRun) -> str:
    """``2026-11-30 02:00``."""
    return run.started[:16].replace("T", " ")


def word(run: PastRun, family: Family) -> str:
    """What a run said of a family."""
    return next((str(one.word) for one in run.families if one.family is family), _NONE)


def tests(run: PastRun) -> str:
    """``478 passed, 2 failed``: without what was not run."""
    left_out = (CaseOutcome.NOT_RUN, CaseOutcome.SKIPPED)
    return ", ".join(f"{n} {outcome}" for outcome, n in run.tests if outcome not in left_out)


def settled(run: PastRun) -> str:
    """The longest times until a change took effect, family by family."""
    times = (f"{one.family} {one.settled[1]:.1f} s" for one in run.families if one.settled)
    return ", ".join(times) or _NONE


def _row(run: PastRun) -> Text:
    line = Text(f"{when(run):<18}")
    for family in Family:
        said = word(run, family)
        line.append(f"{said:<14}", TONES.get(said, Tone.QUIET))
    return line.append(f"{tests(run):<30}{run.seconds:>6.0f}  {settled(run)}")
