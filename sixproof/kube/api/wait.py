"""Waiting: the only module of this package that sleeps.

Convergence is polled, never slept out, and every wait has a limit.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import tenacity

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Waited(Generic[T]):
    """How a wait ended: the last value, whether it was accepted, and the seconds it took."""

    value: T
    accepted: bool
    seconds: float
    attempts: int


class Deadline:
    """How many seconds are left of some."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, keep: float = 0.0) -> float:
        """How many, but for those that are kept; never fewer than none."""
        return max(0.0, self._end - time.monotonic() - keep)


def until(
    look: Callable[[], T],
    accept: Callable[[T], bool],
    *,
    timeout: float,
    first: float = 0.1,
    longest: float = 1.0,
) -> Waited[T]:
    """Poll until the value is accepted or `timeout` seconds have passed.

    The pauses grow from `first` to `longest` seconds: fast changes are seen at once, slow ones cost
    the API server one request a second. At least one look is taken. Errors of `look` are passed on.
    """
    begun = time.monotonic()
    retrying = tenacity.Retrying(
        stop=tenacity.stop_before_delay(timeout),
        wait=tenacity.wait_exponential(multiplier=first, exp_base=1.5, min=first, max=longest),
        retry=tenacity.retry_if_not_result(accept),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    value = retrying(look)
    return Waited(
        value=value,
        accepted=accept(value),
        seconds=time.monotonic() - begun,
        attempts=int(retrying.statistics.get("attempt_number", 1)),
    )


def retry(call: Callable[[], T], patience: Callable[[BaseException], float]) -> T:
    """Call again after errors, each for as many seconds since the first call as `patience` returns
    for it; 0 gives up at once.

    The last error is raised unchanged.
    """

    def worn_out(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        spent = (state.seconds_since_start or 0.0) + state.upcoming_sleep
        return error is None or spent >= patience(error)

    return tenacity.Retrying(
        stop=worn_out,
        wait=tenacity.wait_exponential(multiplier=0.2, max=2.0) + tenacity.wait_random(0, 0.2),
        retry=tenacity.retry_if_exception(lambda error: patience(error) > 0),
        reraise=True,
    )(call)
