"""A tour of the variants: each is brought up, the suites run on it, and it is taken down again.

It continues after a red variant. A bed that already existed is kept. Suites are run the usual way,
and their result is read from the summary in their report.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from testbed import record
from testbed.errors import BedError
from testbed.host.paths import Cache
from testbed.host.progress import duration
from testbed.variants import variant

ROOT = Path(__file__).parent.parent
REPORTS = Path("reports/variants")
SUMMARY = "summary.txt"
JSON = "variants.json"
MINUTES = 45
"""Maximum time for bringing a variant up and running its suites, by default."""
DOWN_SECONDS = 600.0
MANNERS = ((signal.SIGINT, 120.0), (signal.SIGTERM, 30.0), (signal.SIGKILL, 30.0))
"""How a run that has exceeded its time is ended, and how long it may clean up after each signal."""

FIT_FOR_CI = ("single",)
"""The variants of which CI runs one, another each day: those whose suites are known to be green and
to finish in time on two cores."""


class TourState(StrEnum):
    """How a variant's part of the tour ended."""

    GREEN = "green"
    UP = "came up"  # suites are skipped where the owner's policies close their flows
    RED = "red"
    NOT_UP = "did not come up"
    NO_TIME = "out of time"
    NO_RESULT = "no result"
    INTERRUPTED = "interrupted"


@dataclass
class Stop:
    """One variant. Times are in seconds; `counts` are tests by outcome, `verdicts` words by family,
    both from the suites' own summary. `exit_status` is that of pytest."""

    variant: str
    state: TourState = TourState.INTERRUPTED
    up_seconds: float | None = None
    suites_seconds: float | None = None
    exit_status: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    report: str = ""
    removed: bool | None = None
    """None for a bed that existed before and is kept."""

    @property
    def green(self) -> bool:
        """A bed that could not be removed spoils what comes after it."""
        return self.state in (TourState.GREEN, TourState.UP) and self.removed is not False


Run = Callable[[Sequence[str], Mapping[str, str], float], int | None]
"""Runs a command with additions to the environment for a limited number of seconds: its exit
status, None on a time-out."""


def of_the_day(day: datetime.date, fit: Sequence[str] = FIT_FOR_CI) -> str:
    """The variant of a day: each comes once in as many days as there are."""
    return fit[day.toordinal() % len(fit)]


def chosen(only: str) -> tuple[str, ...]:
    """Names from a comma-separated list; for an empty one, all except the twin of the default. The
    default comes first.

    Raises:
        BedError: one of them is not a variant.
    """
    every = tuple(name for name in variant.names() if name != variant.TWIN)
    names = tuple(dict.fromkeys(filter(None, re.split(r"[,\s]+", only)))) or every
    for name in names:
        variant.load(name)
    return tuple(sorted(names, key=lambda name: (name != variant.DEFAULT, name)))


def run(words: Sequence[str], env: Mapping[str, str], seconds: float) -> int | None:
    """Run a command in the checkout, on this terminal; ended with everything it started on a
    time-out or interrupt."""
    with subprocess.Popen(
        words, cwd=ROOT, env={**os.environ, **env}, start_new_session=True
    ) as process:
        try:
            return process.wait(max(seconds, 1.0))
        except subprocess.TimeoutExpired:
            end(process)
            return None
        except BaseException:
            end(process)
            raise


def end(process: subprocess.Popen[bytes], manners: Sequence[tuple[int, float]] = MANNERS) -> None:
    """End a process and its group, first with a chance to clean up."""
    for number, seconds in manners:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def visit(stop: Stop, cache: Cache, seconds: float, pytest_words: Sequence[str], go: Run) -> None:
    """One variant of the tour; only an interrupt is raised, after the bed is removed."""
    stood = (cache.cluster(variant.load(stop.variant).cluster) / record.FILE).is_file()
    try:
        _measure(stop, seconds, pytest_words, go)
    finally:
        if not stood:
            stop.removed = False
            stop.removed = go(_testbed(stop.variant, "down"), {}, DOWN_SECONDS) == 0


def _measure(stop: Stop, seconds: float, pytest_words: Sequence[str], go: Run) -> None:
    begun, env = time.monotonic(), {variant.VARIABLE: stop.variant}

    def left() -> float:
        return seconds - (time.monotonic() - begun)

    came = go(_testbed(stop.variant, "up"), env, seconds)
    stop.up_seconds = round(time.monotonic() - begun, 1)
    if came != 0:
        stop.state = TourState.NO_TIME if came is None else TourState.NOT_UP
        return
    if variant.load(stop.variant).hostile:
        stop.state = TourState.UP
        return
    report = REPORTS / stop.variant
    stop.report = str(report)
    (ROOT / report / SUMMARY).unlink(missing_ok=True)  # that of an earlier tour says nothing
    provider = ("--six-provider", "kind", "--six-variant", stop.variant)
    go((sys.executable, "-m", "pytest", "--six-cleanup", *provider), env, left())
    since = time.monotonic()
    ended = go(
        (
            *(sys.executable, "-m", "pytest", *places(pytest_words), "-n", "2", *provider),
            *("--six-report-dir", str(report), *pytest_words),
        ),
        env,
        left(),
    )
    stop.suites_seconds = round(time.monotonic() - since, 1)
    stop.exit_status = ended
    stop.counts, stop.verdicts = read(ROOT / report / SUMMARY)
    stop.state = judged(ended, stop.counts, stop.verdicts)


def places(pytest_words: Sequence[str]) -> tuple[str, ...]:
    """All suites, unless some are named among pytest's words."""
    return () if any(word.startswith("suites") for word in pytest_words) else ("suites",)


def judged(
    exit_status: int | None, counts: Mapping[str, int], verdicts: Mapping[str, str]
) -> TourState:
    """A run without any known result is not green, whatever its exit status."""
    if exit_status is None:
        return TourState.NO_TIME
    if not counts.get("passed") or not verdicts:
        return TourState.RED if exit_status == 1 else TourState.NO_RESULT
    return TourState.GREEN if exit_status == 0 else TourState.RED


def read(summary: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Tests by outcome, and the verdict of each family; both empty where there is no summary, or
    one of another form."""
    try:
        text = summary.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}, {}
    end_of_it = re.split(r"^Verdict$", text, flags=re.M)[-1]
    verdicts = dict(re.findall(r"^  (IPv[46])  ([a-z]+(?: [a-z]+)?) *(?:  |$)", end_of_it, re.M))
    tests_line = re.search(r"^  Tests  (.*)$", end_of_it, re.M)
    counts = re.findall(r"(\d+) ([a-z ]+)", tests_line[1]) if tests_line else []
    return {word.strip(): int(number) for number, word in counts}, verdicts


def tour(
    names: Sequence[str],
    cache: Cache,
    minutes: float = MINUTES,
    pytest_words: Sequence[str] = (),
    go: Run = run,
) -> tuple[list[Stop], bool]:
    """Visit variants one after the other: the result of each, and whether the tour was interrupted.

    Raises:
        BedError: this is not a checkout, so there are no suites.
    """
    if not (ROOT / "suites").is_dir():
        raise BedError("the suites beside the test bed", remedy="run this in a checkout")
    stops: list[Stop] = []
    with _terminable():
        for name in names:
            print(f"==> variant {name}", file=sys.stderr, flush=True)
            stops.append(Stop(name))
            try:
                visit(stops[-1], cache, minutes * 60, pytest_words, go)
            except KeyboardInterrupt:
                return stops, True
    return stops, False


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM interrupts like Ctrl-C, so that no bed is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _testbed(name: str, word: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "testbed", "--variant", name, word)


COLUMNS = ("variant", "result", "passed", "failed", "skipped", "up", "suites", "verdicts")
FAILED = ("failed", "broken", "not proven")
"""What counts as failed in the table; each has a word of its own in the JSON."""


def table(stops: Sequence[Stop]) -> str:
    """One line per variant."""
    rows = [COLUMNS, *(_row(stop) for stop in stops)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(stop: Stop) -> tuple[str, ...]:
    def count(*words: str) -> str:
        return str(sum(stop.counts.get(word, 0) for word in words)) if stop.counts else "-"

    def took(seconds: float | None) -> str:
        return "-" if seconds is None else duration(seconds)

    verdicts = ", ".join(f"{family} {word}" for family, word in stop.verdicts.items()) or "-"
    left = ", NOT removed" if stop.removed is False else ""
    return (
        stop.variant,
        f"{stop.state}{left}",
        *(count("passed"), count(*FAILED), count("skipped")),
        *(took(stop.up_seconds), took(stop.suites_seconds), verdicts),
    )


def write(stops: Sequence[Stop], path: Path) -> None:
    """The same as JSON: one object per variant, its members those of `Stop`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = [{**asdict(stop), "green": stop.green} for stop in stops]
    path.write_text(json.dumps({"variants": listed}, indent=2) + "\n", encoding="utf-8")
