"""The one bounded pool of threads on which independent requests run in parallel."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

WORKERS = 8  # enough to hide latency, too few to trip the API server's fairness limits


class Workers:
    """Threads that are started when first needed and end with `close`."""

    def __init__(self, count: int = WORKERS) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(count, thread_name_prefix="kube")
        self._inside = threading.local()

    def gather(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """The results of the calls, in order.

        All calls have ended when this returns or raises; it raises the first error in that order.
        When called within a call it runs the calls one by one: a worker waiting for workers could
        starve.
        """
        if getattr(self._inside, "worker", False):
            return [call() for call in calls]
        batch = _Batch()
        try:
            futures = [self._pool.submit(self._work, batch, call) for call in calls]
            concurrent.futures.wait(futures)
        except BaseException:  # Ctrl-C: the clean-up must find everything that was created
            batch.stop()
            raise
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the threads; calls that have not begun are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, batch: _Batch, call: Callable[[], T]) -> T:
        self._inside.worker = True
        with batch.under_way():
            return call()


class _Batch:
    """The calls of one gathering. It keeps its own count of running calls: an interrupt may come
    between the start of a call and the caller's knowledge of it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._stopped = False

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Around one call.

        Raises:
            CancelledError: the batch was stopped before.
        """
        with self._changed:
            if self._stopped:
                raise concurrent.futures.CancelledError
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def stop(self) -> None:
        """Start no more calls; return once the running ones have ended."""
        with self._changed:
            self._stopped = True
            self._changed.wait_for(lambda: not self._running)
