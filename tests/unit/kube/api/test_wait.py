"""Waiting: bounded, and it takes the last value as it is."""

from __future__ import annotations

import time

import pytest

from sixproof.errors import ApiError
from sixproof.kube.api import wait


def test_value_that_is_right_at_once() -> None:
    waited = wait.until(lambda: 7, lambda v: v == 7, timeout=5)
    assert (waited.value, waited.accepted, waited.attempts) == (7, True, 1)
    assert waited.seconds < 0.1


def test_value_that_becomes_right() -> None:
    values = iter(range(10))
    waited = wait.until(lambda: next(values), lambda v: v == 3, timeout=5, first=0.01)
    assert (waited.value, waited.accepted, waited.attempts) == (3, True, 4)


def test_value_that_never_is() -> None:
    begun = time.monotonic()
    waited = wait.until(lambda: 1, lambda v: v == 2, timeout=0.2, first=0.05)
    assert (waited.value, waited.accepted) == (1, False)
    assert waited.seconds <= time.monotonic() - begun < 0.4


def test_no_time_still_looks_once() -> None:
    assert wait.until(lambda: 1, lambda v: v == 2, timeout=0).attempts == 1


def test_errors_are_passed_on() -> None:
    def look() -> int:
        raise ApiError("gone")

    with pytest.raises(ApiError, match="gone"):
        wait.until(look, bool, timeout=1)


def test_retry_gives_the_last_error() -> None:
    errors = [ApiError("one"), ApiError("two"), ValueError("three")]

    def call() -> None:
        raise errors.pop(0)

    with pytest.raises(ValueError, match="three"):
        wait.retry(call, lambda e: 5.0 if isinstance(e, ApiError) else 0.0)


def test_every_error_has_a_patience_of_its_own() -> None:
    errors = [ApiError("silence"), ApiError("silence"), ApiError("busy"), ApiError("busy")]

    def call() -> None:
        raise errors.pop(0)

    with pytest.raises(ApiError, match="busy"):
        wait.retry(call, lambda e: 5.0 if "silence" in str(e) else 0.01)
    assert len(errors) == 1
