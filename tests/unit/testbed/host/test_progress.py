import io
import time

import pytest

from testbed.host import progress
from testbed.host.progress import Count, Progress, duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (125, "2 min 05 s")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_the_pace() -> None:
    clock = Clock()
    count = Count(100, "packages", clock)
    assert str(count) == "0 of 100 packages"
    count.advance(25)
    clock.now += 50
    assert count.left() == pytest.approx(150)
    assert str(count) == "25 of 100 packages, about 2 min 30 s left"


def test_no_time_is_guessed_from_too_little() -> None:
    clock = Clock()
    count = Count(100, "packages", clock)
    count.advance(4)
    clock.now += 50
    assert count.left() is None


def test_more_than_the_total_raises_the_total() -> None:
    count = Count(2, "packages")
    count.advance(3)
    assert str(count) == "3 of 3 packages"


def test_a_step_that_says_nothing_is_seen_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHORT_SECONDS", 0.01)
    stream = io.StringIO()
    shown = Progress(stream, quiet=0.0)
    with shown.step("building") as report:
        report("7 of 9 packages")
        time.sleep(1.2)
    assert "... building: 7 of 9 packages (1 s)" in stream.getvalue()
    assert "building: done in " in stream.getvalue()
    assert shown.timings["building"] >= 1.2


def test_a_step_that_is_over_at_once_is_not_worth_a_line() -> None:
    stream = io.StringIO()
    shown = Progress(stream)
    with shown.step("looking"):
        pass
    assert stream.getvalue() == ""
    assert shown.timings == {}


def test_a_failing_step_ends_its_heartbeat() -> None:
    shown = Progress(io.StringIO())
    with pytest.raises(RuntimeError), shown.step("building"):
        raise RuntimeError
