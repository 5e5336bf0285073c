"""The control channel: one long-lived exec stream per pod, JSON lines, many requests at once.

It enters the pod through kubelet and CRI, so no policy or broken data path can cut it (design
contract 1). One thread, the multiplexer, owns every socket, because an SSL connection must not be
read and written from two threads at once; callers get futures.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import secrets
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from sixproof.agent import protocol
from sixproof.errors import AgentError, AgentSilent, ChannelLost, InfrastructureError, Subject
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import one_line

A = TypeVar("A")

STDOUT, STDERR, STATUS = 1, 2, 3
HEARTBEAT = 5.0
"""Seconds between heart-beats of an otherwise idle channel."""
SILENCE = 20.0
"""Seconds of silence after which a channel counts as lost."""
TICK = 1.0
"""Maximum seconds between checks for overdue requests and silent channels."""
QUEUE_LIMIT = 48
"""Requests that one channel takes before `ask` waits for room (back-pressure).

Fewer than an agent handles at once (`Session.IN_FLIGHT`), so that an agent never stops reading:
otherwise both sides could wait for the other to read.
"""


class Stream(Protocol):
    """What a channel needs of an exec stream; the Kubernetes client's WSClient has it."""

    sock: object

    def is_open(self) -> bool: ...
    def update(self, timeout: float = 0) -> None: ...
    def read_channel(self, channel: int, timeout: float = 0) -> bytes: ...
    def write_stdin(self, data: bytes) -> None: ...
    def close(self) -> None: ...


@dataclasses.dataclass
class OpenRequest:
    """A request that is not answered yet; `deadline` and `since` are by the monotonic clock, and
    `cuts` counts the streams that were cut meanwhile."""

    request: object
    kind: type
    future: concurrent.futures.Future[object]
    deadline: float
    since: float
    token: str = ""
    cuts: int = 0

    def line(self, number: int, key: str) -> bytes:
        """What the agent is sent; that it is sent again is said with the time since then."""
        age = time.monotonic() - self.since if self.cuts else None
        return protocol.encode_request(number, self.request, key, self.token, age)


Cut = Callable[[list[OpenRequest], str], None]
"""Takes what was in flight on a stream that was cut, and the reason."""


def _why(status: bytes) -> str:
    """Why a stream ended, from the Status on its last channel (``v4.channel.k8s.io``); "" where it
    ended well or there is no Status."""
    try:
        parsed = json.loads(status)
        said = json_fields.text(parsed, "message") or json_fields.text(parsed, "reason")
    except ValueError:
        said = status.decode(errors="replace")
    return one_line(said, 200) if said else ""


class Channel:
    """One pod's stream. All methods may be called from any thread. `key` is the mark of the run's
    key, which every request carries; `subjects` are what its errors are about. What is in flight
    when the stream is cut goes to `cut`, if there is one, and fails otherwise."""

    def __init__(
        self,
        name: str,
        stream: Stream,
        multiplexer: StreamMultiplexer,
        key: str = "",
        subjects: Iterable[Subject] = (),
        cut: Cut | None = None,
    ) -> None:
        self.name = name
        self._cut = cut
        self._key = key
        self._subjects = tuple(subjects)
        self.lost = ""
        self._retired = False
        self._stream = stream
        self._multiplexer = multiplexer
        self._lock = threading.Lock()
        self._room = threading.Semaphore(QUEUE_LIMIT)
        self._number = 0
        self._pending: dict[int, OpenRequest] = {}
        self._outbox: deque[bytes] = deque()
        self._inbox = bytearray()
        self._stderr = bytearray()
        self._heard = time.monotonic()
        self._pinged = self._heard
        multiplexer.add(self)

    def ask(self, request: object, answer: type[A], timeout: float) -> concurrent.futures.Future[A]:
        """Send a request; the future holds the answer, or raises.

        `timeout` is seconds until an unanswered request fails. The future raises `ChannelLost` when
        the stream breaks, `AgentSilent` when the time is up, `AgentError` when the agent refuses.
        """
        future: concurrent.futures.Future[A] = answer_to_come()
        now = time.monotonic()
        token = secrets.token_hex(8) if self._cut else ""
        self.take(OpenRequest(request, answer, future, now + timeout, now, token))  # type: ignore[arg-type]
        return future

    def take(self, asked: OpenRequest) -> None:
        """Send a request, which another stream may have sent before."""
        if not self._room.acquire(timeout=max(0.0, asked.deadline - time.monotonic())):
            said = f"{QUEUE_LIMIT} requests unanswered"
            asked.future.set_exception(self._error(ChannelLost, said))
            return
        with self._lock:
            lost = self.lost
            if not lost:
                self._number += 1
                line = asked.line(self._number, self._key)
                if fits := len(line) <= protocol.LINE_LIMIT:
                    self._pending[self._number] = asked
                    self._outbox.append(line)
        if lost:
            self._room.release()
            self._leave([asked], lost, ChannelLost)
        elif not fits:
            self._room.release()
            asked.future.set_exception(self._error(AgentError, f"a request of {len(line)} bytes"))
        else:
            self._multiplexer.call(self)

    def close(self) -> None:
        """End the stream; unanswered requests fail."""
        self._cut = None
        self._multiplexer.remove(self)
        self.break_off("closed by the runner")

    def retire(self) -> None:
        """End the stream soon, by the multiplexer's own thread; nothing may be in flight."""
        self._retired = True
        self._multiplexer.call(self)

    # ---- called by the multiplexer only

    def fileno(self) -> int:
        """The descriptor to select on."""
        return int(self._stream.sock.sock.fileno())  # type: ignore[attr-defined]

    def work(self, readable: bool) -> None:
        """Write what is queued, read what arrived, fail what is overdue."""
        if self._retired:
            self.break_off("closed by the runner")
            return
        try:
            while self._outbox:
                self._stream.write_stdin(self._outbox.popleft())
            if readable:
                self._read()
        except Exception as error:  # whatever it is, the other channels need this thread
            self.break_off(f"{type(error).__name__}: {error}")
            return
        self._tick()

    def break_off(self, reason: str, kind: type[ChannelLost] = ChannelLost) -> None:
        """The stream is gone. Unanswered requests go on elsewhere, or fail for the reason, with a
        `kind`; those of an agent that is silent fail."""
        with self._lock:
            if not self.lost:
                said = bytes(self._stderr[-300:]).decode(errors="replace").strip()
                self.lost = f"{reason}{f' (agent said: {said})' if said else ''}"
            pending, self._pending = self._pending, {}
        with contextlib.suppress(Exception):
            self._stream.close()
        for _ in pending:
            self._room.release()
        self._leave(list(pending.values()), self.lost, kind)

    def _leave(self, asked: list[OpenRequest], reason: str, kind: type[ChannelLost]) -> None:
        if self._cut is not None and kind is not AgentSilent:
            if asked:
                self._cut(asked, f"control channel {reason}")
            return
        for one in asked:
            one.future.set_exception(self._error(kind, f"control channel {reason}"))

    def _error(self, kind: type[InfrastructureError], reason: str) -> InfrastructureError:
        return kind(f"{self.name}: {reason}", subjects=self._subjects)

    def _read(self) -> None:
        while True:
            self._stream.update(timeout=0)
            self._stderr += self._stream.read_channel(STDERR)
            del self._stderr[:-2000]
            # Last, since reading any channel may take more from the socket, and data in the
            # stream's own buffer makes no descriptor readable.
            self._collect(self._stream.read_channel(STDOUT))
            raw = self._stream.sock.sock  # type: ignore[attr-defined]
            if not (isinstance(raw, ssl.SSLSocket) and raw.pending()):
                break
        self._heard = time.monotonic()
        if not self._stream.is_open():
            said = _why(bytes(self._stream.read_channel(STATUS)))
            raise ConnectionError(f"ended by the other side{f': {said}' if said else ''}")

    def _collect(self, data: bytes) -> None:
        self._inbox += data
        if b"\n" in data:
            *lines, rest = bytes(self._inbox).split(b"\n")
            self._inbox = bytearray(rest)
            for line in lines:
                self._take(line)
        if len(self._inbox) > protocol.LINE_LIMIT:
            raise ValueError("a line without end")

    def _take(self, line: bytes) -> None:
        value = protocol.decode_line(line)
        if value["id"] == 0 and "error" in value:  # it could not even read the request's number
            raise ConnectionError(f"the agent refused a line: {value['error']}")
        with self._lock:
            item = self._pending.pop(value["id"], None)
        if item is None:
            return
        self._room.release()
        if "error" in value:
            item.future.set_exception(self._error(AgentError, str(value["error"])))
            return
        try:
            item.future.set_result(protocol.decode(item.kind, value.get("ok")))
        except protocol.ProtocolError as error:
            item.future.set_exception(self._error(AgentError, str(error)))

    def _tick(self) -> None:
        now = time.monotonic()
        with self._lock:
            overdue = [n for n, item in self._pending.items() if item.deadline < now]
            late = [self._pending.pop(n) for n in overdue]
        for item in late:
            self._room.release()
            item.future.set_exception(self._error(AgentSilent, "no answer from the agent in time"))
        if self._pinged > self._heard:
            # Counted from the heart-beat: silence while this thread was held up is its own.
            if now - self._pinged > SILENCE - HEARTBEAT:
                self.break_off(f"silent for {now - self._heard:.0f} s", AgentSilent)
        elif now - self._heard > HEARTBEAT:
            self._pinged = now
            with self._lock:
                self._number += 1
                ping = protocol.encode_request(self._number, protocol.Ping(), self._key)
                self._outbox.append(ping)
            self._multiplexer.call(self)


class StreamMultiplexer:
    """The one thread that owns all streams of this process.

    A turn costs as much as there is to do in it, whatever the number of channels: each is
    registered once, and those that others gave work to are called by name.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channels: set[Channel] = set()
        self._called: deque[Channel] = deque()
        self._registered: dict[Channel, int] = {}
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="multiplexer", daemon=True)
        self._thread.start()

    def add(self, channel: Channel) -> None:
        """Take over a channel's stream; close it if this multiplexer is closed already."""
        with self._lock:
            closed = self._stop
            if not closed:
                self._channels.add(channel)
        if closed:
            channel.break_off("opened after the end of the run")
        self.call(channel)

    def remove(self, channel: Channel) -> None:
        """Release a channel's stream; its owner closes it only after that, so that whoever gets
        its descriptor next is registered later than it is forgotten."""
        with self._lock:
            self._channels.discard(channel)
        self.call(channel)

    def call(self, channel: Channel) -> None:
        """Wake the thread: this channel has something to write, to end, or is new."""
        self._called.append(channel)
        self._ring()

    def close(self) -> None:
        """Close every channel and end the thread."""
        with self._lock:
            self._stop = True
            channels = list(self._channels)
        for channel in channels:
            channel.close()
        self._ring()
        self._thread.join(timeout=5)
        self._bell.close()
        self._ringer.close()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._ringer.send(b"!")

    def _run(self) -> None:
        looked = time.monotonic()
        while not self._stop:
            readable = self._wait()
            called = self._take_over()
            due = time.monotonic() - looked >= TICK
            looked = time.monotonic() if due else looked
            for channel in list(self._registered) if due else readable | called:
                if not channel.lost:
                    channel.work(readable=channel in readable)
                if channel.lost:
                    self._forget(channel)
        self._selector.close()

    def _wait(self) -> set[Channel]:
        """The channels from which something can be read, after a second at most."""
        events = self._selector.select(timeout=TICK)
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass
        return {key.data for key, _ in events if key.data is not None}

    def _take_over(self) -> set[Channel]:
        """The channels that were called, the new ones registered and the removed ones forgotten, in
        the order of the calls."""
        called: set[Channel] = set()
        while self._called:
            channel = self._called.popleft()
            with self._lock:
                ours = channel in self._channels and not channel.lost
            if ours and self._register(channel):
                called.add(channel)
            elif not ours:
                self._forget(channel)
        return called

    def _register(self, channel: Channel) -> bool:
        if channel not in self._registered:
            try:
                number = channel.fileno()
                self._selector.register(number, selectors.EVENT_READ, channel)
            except (OSError, ValueError, KeyError, AttributeError) as error:
                channel.break_off(f"lost its socket: {error}")
                self._forget(channel)
                return False
            self._registered[channel] = number
        return True

    def _forget(self, channel: Channel) -> None:
        with self._lock:
            self._channels.discard(channel)
        number = self._registered.pop(channel, None)
        if number is not None:
            self._selector.unregister(number)  # of a closed one nothing is left in the kernel


def answer_to_come() -> concurrent.futures.Future[A]:
    """A future that its holder cannot cancel: the answer will arrive anyway."""
    future: concurrent.futures.Future[A] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()
    return future


Opener = Callable[[str, str], Stream]
"""Opens the bridge's exec stream into (namespace, pod); raises an InfrastructureError."""
