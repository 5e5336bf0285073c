"""Recording: what a test's error says beside its text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.report.recording import CASE, note_phase
from sixproof.errors import ApiError, ChannelLost, NoAnswer, NotReady, Subject, VerdictError
from sixproof.reporting.results.test_record import Case, CaseOutcome

SILENT = NoAnswer("list pods: no answer from https://x: it was silent for 10 s", sent=True)
KUBELET = NoAnswer("exec into six-x/a: no answer from https://x", sent=True, behind=True)


def led_to(error: Exception, cause: Exception) -> Exception:
    """An error with its cause, as `raise ... from` makes it."""
    error.__cause__ = cause
    return error


def recorded(error: BaseException, when: str) -> Case:
    """The case of a test that fails so in a phase."""

    def fail() -> None:
        raise error

    stash = pytest.Stash()
    item = SimpleNamespace(stash=stash)
    stash[CASE] = Case("t.py::t", CaseOutcome.PASSED)
    call = pytest.CallInfo.from_call(fail, when=cast(Any, when))
    report = SimpleNamespace(skipped=False, failed=True, when=when, duration=0.1)
    note_phase(cast(pytest.Item, item), call, cast(pytest.TestReport, report))
    return stash[CASE]


@pytest.mark.parametrize(
    ("error", "unanswered"),
    [
        (SILENT, str(SILENT)),
        (led_to(NotReady("pod a is not there"), SILENT), str(SILENT)),
        (KUBELET, ""),
        (ApiError("list pods: 403: forbidden", status=403), ""),
    ],
    ids=["silent", "what led to it", "behind the API server", "an answer"],
)
def test_a_test_that_broke_of_an_unanswered_request_says_so(
    error: Exception, unanswered: str
) -> None:
    """Of one that the API server itself did not answer, wherever in the test that was."""
    for when in ("setup", "call"):
        case = recorded(error, when)
        assert case.outcome is CaseOutcome.BROKEN
        assert case.unanswered == unanswered


def test_a_test_began_when_its_first_phase_did() -> None:
    """UTC in ISO 8601, with milliseconds, as long as it is not known yet."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    case = recorded(SILENT, "setup")
    assert case.started.endswith("Z")
    assert before <= datetime.fromisoformat(case.started) <= datetime.now(UTC)


def test_a_verdict_is_no_unanswered_request() -> None:
    """What was found wrong was found, whatever led there."""
    case = recorded(led_to(AssertionError("2 pods have no address"), SILENT), "call")
    assert case.outcome is CaseOutcome.FAILED
    assert case.unanswered == ""


POD, NODE = Subject("pod", "shop/web", "worker"), Subject.of_node("worker", "eth0")


@pytest.mark.parametrize(
    ("error", "subjects"),
    [
        (VerdictError("1 node is wrong", subjects=[NODE, NODE]), (NODE,)),
        (led_to(NotReady("not there"), ChannelLost("a: silent", subjects=[POD])), (POD,)),
        (led_to(VerdictError("wrong", subjects=[NODE]), ChannelLost("a", subjects=[POD])), (NODE,)),
        (VerdictError("worker: eth0 is wrong"), ()),
        (AssertionError("worker: eth0 is wrong"), ()),
    ],
    ids=["a verdict", "what led to an error", "the last error first", "a text", "no verdict"],
)
def test_what_an_error_is_about_is_recorded(
    error: Exception, subjects: tuple[Subject, ...]
) -> None:
    """As fields; nothing is read out of a message."""
    assert recorded(error, "call").subjects == subjects
