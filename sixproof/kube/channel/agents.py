"""The agents of a run: which endpoint has one, and how to send it requests."""

from __future__ import annotations

import concurrent.futures
import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from sixproof.agent import protocol
from sixproof.errors import AgentSilent, ChannelLost, InfrastructureError
from sixproof.kube.channel.channel import (
    Channel,
    Opener,
    OpenRequest,
    StreamMultiplexer,
    answer_to_come,
)
from sixproof.model import Endpoint

A = TypeVar("A")

OPENERS = 8
"""Exec streams that are opened at the same time."""
MOST_OPEN = 400
"""Channels that are open at the same time: each takes a socket, of which a process usually has
1024, and a heart-beat."""
FULL_PATIENCE = 60.0
"""Seconds that opening another one waits until one of them is not in use."""
SECOND_CHANCE = 1.0
"""Seconds for the heart-beat of an agent that was silent, before it gets another request."""

MOST_CUTS = 5
"""Streams that may be cut before a request is answered: its time-out bounds it, too."""

_Key = tuple[str, str]  # namespace and pod


class Agents:
    """Sends requests to agents by endpoint; opens their channels when first needed and again after
    a loss.

    Of many agents the channels that are used least are closed for others, once nothing is in
    flight on them (MOST_OPEN).

    What was in flight on a channel that is cut is asked for again on a new one, by its token: the
    agent goes on meanwhile, and works on it once. A request is never repeated: a second probe would
    be another measurement.

    An agent that was silent for its whole time-out must answer a heart-beat first. If it does not,
    the next request soon fails for the same reason; if it does, the agent is used again.
    """

    def __init__(
        self, opener: Opener, key: str = "", multiplexer: StreamMultiplexer | None = None
    ) -> None:
        """`key` is the mark of the run's key; agents with another key refuse every request."""
        self._opener = opener
        self._key = key
        self._multiplexer = multiplexer or StreamMultiplexer()
        self._pool = concurrent.futures.ThreadPoolExecutor(OPENERS, thread_name_prefix="agents")
        self._lock = threading.Condition()
        self._in_flight: Counter[_Key] = Counter()
        self._ended = False
        self._channels: dict[_Key, concurrent.futures.Future[Channel]] = {}
        self._met: dict[_Key, Endpoint] = {}
        self._silent: dict[_Key, AgentSilent] = {}

    def has(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint has an agent."""
        return bool(endpoint.pod)

    def open(self, endpoints: Iterable[Endpoint]) -> None:
        """Open the channels of these endpoints in parallel, and wait for all.

        Raises:
            InfrastructureError: one could not be opened.
        """
        for future in [self._channel(e) for e in endpoints]:
            future.result()

    def ask(
        self, endpoint: Endpoint, request: object, answer: type[A], timeout: float
    ) -> concurrent.futures.Future[A]:
        """Send a request to the agent of an endpoint; see `Channel.ask`."""
        why = self._silent.get(_key(endpoint))
        if why is None:
            return self._send(endpoint, request, answer, timeout)
        result: concurrent.futures.Future[A] = answer_to_come()

        def send() -> None:
            _forward(self._send(endpoint, request, answer, timeout), result)

        def heard(future: concurrent.futures.Future[protocol.Pong]) -> None:
            if error := future.exception():
                result.set_exception(why if isinstance(error, AgentSilent) else error)
                return
            try:  # not on this thread: it is the multiplexer's, and a full channel blocks
                self._pool.submit(send)
            except RuntimeError:  # the pool is shut down
                result.set_exception(_closed(endpoint))

        beat = self._send(endpoint, protocol.Ping(), protocol.Pong, SECOND_CHANCE)
        beat.add_done_callback(heard)
        return result

    def _send(
        self, endpoint: Endpoint, request: object, answer: type[A], timeout: float
    ) -> concurrent.futures.Future[A]:
        """Send; whether the agent was silent is recorded before the answer is seen. A heart-beat
        has little time, and its loss alone does not make an agent silent."""
        result: concurrent.futures.Future[A] = answer_to_come()

        def note(error: BaseException | None) -> None:
            if isinstance(error, AgentSilent) and not isinstance(request, protocol.Ping):
                self._silent.setdefault(_key(endpoint), error)
            elif not isinstance(error, ChannelLost):
                self._silent.pop(_key(endpoint), None)

        def opened(future: concurrent.futures.Future[Channel]) -> None:
            if future.cancelled():
                result.set_exception(_closed(endpoint))
            elif error := future.exception():
                result.set_exception(error)
            else:
                _forward(future.result().ask(request, answer, timeout), result, note)

        key = _key(endpoint)
        with self._lock:
            self._in_flight[key] += 1
        result.add_done_callback(lambda _: self._answered(key))
        self._channel(endpoint).add_done_callback(opened)
        return result

    def _answered(self, key: _Key) -> None:
        with self._lock:
            self._in_flight[key] -= 1
            self._lock.notify_all()

    def pinged(self, timeout: float) -> dict[Endpoint, protocol.Pong]:
        """The heart-beats of all agents whose channels are open and that answer in time, seconds.

        No channel is opened for it: an agent that got no request has nothing to report.
        """
        with self._lock:
            there = [self._met[key] for key, known in self._channels.items() if _is_open(known)]
        asked = {e: self._send(e, protocol.Ping(), protocol.Pong, timeout) for e in there}
        concurrent.futures.wait(asked.values(), timeout)
        return {e: f.result() for e, f in asked.items() if f.done() and not f.exception()}

    def close(self) -> None:
        """Close every channel."""
        with self._lock:
            self._ended = True
            self._lock.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._multiplexer.close()

    def _channel(self, endpoint: Endpoint) -> concurrent.futures.Future[Channel]:
        key = _key(endpoint)
        with self._lock:
            known = self._channels.get(key)
            if known is not None and not _is_broken(known):
                self._channels[key] = self._channels.pop(key)  # the last one to be closed for room
                return known
            try:
                future = self._pool.submit(self._connect, endpoint)
            except RuntimeError:  # the pool is shut down
                future = concurrent.futures.Future()
                future.set_exception(_closed(endpoint))
            self._channels.pop(key, None)
            self._channels[key], self._met[key] = future, endpoint
            return future

    def _go_on(self, endpoint: Endpoint, left: list[OpenRequest], reason: str) -> None:
        """Have what was in flight on a cut stream go on on a new one. Called by the multiplexer,
        which must not wait."""

        def error(more: str = "") -> ChannelLost:
            return ChannelLost(f"{endpoint.name}: {reason}{more}", subjects=[endpoint.subject()])

        again = []
        for asked in left:
            asked.cuts += 1
            if asked.cuts > MOST_CUTS or asked.deadline < time.monotonic():
                asked.future.set_exception(error())
            else:
                again.append(asked)
        if not again:
            return

        def send(channel: Channel) -> None:
            for asked in again:
                channel.take(asked)

        def opened(future: concurrent.futures.Future[Channel]) -> None:
            failed = None if future.cancelled() else future.exception()
            try:
                if not future.cancelled() and failed is None:
                    self._pool.submit(send, future.result())
                    return
            except RuntimeError:  # the pool is shut down
                pass
            for asked in again:
                asked.future.set_exception(error(f"; {failed}" if failed else ""))

        self._channel(endpoint).add_done_callback(opened)

    def _make_room(self) -> None:
        """Close what is used least where many channels are open; where all are in use, wait for
        one, but not for ever."""
        deadline = time.monotonic() + FULL_PATIENCE
        with self._lock:
            while not self._ended and time.monotonic() < deadline:
                there = [key for key, known in self._channels.items() if _is_open(known)]
                if len(there) < MOST_OPEN:
                    return
                if idle := [key for key in there if not self._in_flight[key]]:
                    self._channels.pop(idle[0]).result().retire()
                    return
                self._lock.wait(deadline - time.monotonic())

    def _connect(self, endpoint: Endpoint) -> Channel:
        namespace, pod = _key(endpoint)
        self._make_room()
        try:
            stream = self._opener(namespace, pod)
            subjects = [endpoint.subject()]
            cut = functools.partial(self._go_on, endpoint)
            return Channel(endpoint.name, stream, self._multiplexer, self._key, subjects, cut)
        except InfrastructureError as error:
            raise ChannelLost(
                f"{endpoint.name}: no control channel into pod {namespace}/{pod}: {error}",
                subjects=[endpoint.subject()],
            ) from error


def _key(endpoint: Endpoint) -> _Key:
    return endpoint.namespace, endpoint.pod


def _closed(endpoint: Endpoint) -> ChannelLost:
    said = f"{endpoint.name}: the agents were closed"
    return ChannelLost(said, subjects=[endpoint.subject()])


def _is_open(future: concurrent.futures.Future[Channel]) -> bool:
    return future.done() and not future.cancelled() and not _is_broken(future)


def _is_broken(future: concurrent.futures.Future[Channel]) -> bool:
    if future.cancelled() or not future.done():
        return False
    return future.exception() is not None or bool(future.result().lost)


def _forward(
    source: concurrent.futures.Future[A],
    target: concurrent.futures.Future[A],
    note: Callable[[BaseException | None], None] = lambda _: None,
) -> None:
    def done(future: concurrent.futures.Future[A]) -> None:
        error = future.exception()
        note(error)
        if error:
            target.set_exception(error)
        else:
            target.set_result(future.result())

    source.add_done_callback(done)
