"""The pool of threads: what an interrupted run may still be making."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from sixproof.kube.api.workers import Workers


def test_an_interrupted_gathering_waits_for_what_has_begun() -> None:
    """Ctrl-C ends it once no call is under way: who cleans up after it finds all that was made."""
    begun = threading.Event()
    ended: list[str] = []
    workers = Workers(2)

    def interrupts() -> None:
        begun.wait(10)
        signal.raise_signal(signal.SIGINT)
        threading.Event().wait(0.3)
        ended.append("interrupts")

    def works() -> None:
        begun.set()
        threading.Event().wait(0.5)
        ended.append("works")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            workers.gather([interrupts, works])
        assert sorted(ended) == ["interrupts", "works"]
    finally:
        signal.signal(signal.SIGINT, before)
        workers.close()


def test_an_interrupt_while_calls_are_handed_out_waits_for_what_has_begun() -> None:
    """Not all calls are with the pool yet when it comes: none of them begins after it."""
    ended: list[str] = []
    begun = threading.Event()
    workers = Workers(2)

    def works() -> None:
        begun.set()
        threading.Event().wait(0.3)
        ended.append("works")

    def calls() -> Iterator[Callable[[], None]]:
        yield works
        begun.wait(10)
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            workers.gather(calls())
        assert ended == ["works"]
    finally:
        workers.close()
