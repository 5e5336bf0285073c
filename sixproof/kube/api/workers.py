"""The one bounded pool of threads on which independent requests run side by side."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

WORKERS = 8  # enough to hide latency, too few to trip the API server's fairness limits


class Workers:
    """Threads that are started when first needed and end with `close`."""

    def __init__(self, count: int = WORKERS) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(count, thread_name_prefix="kube")
        self._inside = threading.local()

    def gather(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """What the calls return, in their order.

        All calls have ended when this returns or raises; it raises the first error in that order.
        Within a call it works the calls one by one: a worker that waited for workers could starve.
        """
        if getattr(self._inside, "worker", False):
            return [call() for call in calls]
        futures = [self._pool.submit(self._work, call) for call in calls]
        try:
            concurrent.futures.wait(futures)
        except BaseException:  # Ctrl-C: who cleans up after it must find all that was made
            for future in futures:
                future.cancel()
            concurrent.futures.wait(futures)
            raise
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the threads; calls that have not begun are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, call: Callable[[], T]) -> T:
        self._inside.worker = True
        return call()
