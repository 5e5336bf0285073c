"""The control channel: many requests on one stream, and every way in which it can break."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from sixproof.agent import protocol
from sixproof.agent.control.session import Session
from sixproof.agent.protocol import Hello, Ping, Pong, Welcome
from sixproof.errors import AgentError, ChannelLost
from sixproof.kube.channel import channel as module
from sixproof.kube.channel.channel import STDOUT, Channel, Stream, StreamMultiplexer, _why
from sixproof.kube.channel.local_stream import FarEnd, LocalStream, SocketHolder, pair

A = TypeVar("A")

SOON = 10.0
WELCOME = Welcome("echo", "3.11.2", 1, 2.0, 20000, ["tcp/[::]:8080"])


@pytest.fixture
def multiplexer() -> Iterator[StreamMultiplexer]:
    """A multiplexer, closed afterwards."""
    multiplexer = StreamMultiplexer()
    yield multiplexer
    multiplexer.close()


@pytest.fixture
def far_ends() -> Iterator[list[FarEnd]]:
    """The far ends of a test, closed afterwards."""
    ends: list[FarEnd] = []
    yield ends
    for end in ends:
        end.close()


Connect = Callable[..., tuple[Channel, FarEnd]]


@pytest.fixture
def connect(multiplexer: StreamMultiplexer, far_ends: list[FarEnd]) -> Connect:
    """Opens a channel to an agent that the test plays."""

    def connect(
        name: str = "echo", status: bytes = b"", wrap: Callable[[LocalStream], Stream] = lambda s: s
    ) -> tuple[Channel, FarEnd]:
        stream, far = pair(status)
        far_ends.append(far)
        return Channel(name, wrap(stream), multiplexer), far

    return connect


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A multiplexer that looks at the clock often."""
    monkeypatch.setattr(module, "TICK", 0.02)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, brisk: None) -> None:
    """Frequent heart-beats, and a short time for their answers."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)
    monkeypatch.setattr(module, "SILENCE", 1.0)


def ping(channel: Channel, timeout: float = SOON) -> concurrent.futures.Future[Pong]:
    """A request on its way."""
    return channel.ask(Ping(), Pong, timeout)


def why(future: concurrent.futures.Future[A]) -> str:
    """Why a request failed with its channel."""
    error = future.exception(timeout=SOON)
    assert isinstance(error, ChannelLost), error
    return str(error)


def wait_until_lost(channel: Channel) -> str:
    """Why a channel was lost, once it is."""
    deadline = time.monotonic() + SOON
    while not channel.lost and time.monotonic() < deadline:
        time.sleep(0.01)
    return channel.lost


def oblige(far: FarEnd) -> None:
    """Answer every ping until the end."""
    with contextlib.suppress(OSError, ValueError):
        while True:
            far.answer(far.hear()[0], Pong(lag=0.0))


# ---- answers


def test_answer_reaches_its_asker(connect: Connect) -> None:
    """The future holds the message that the agent sent."""
    channel, far = connect()

    future = channel.ask(Hello(), Welcome, SOON)
    number, request = far.hear()
    far.answer(number, WELCOME)

    assert (request, future.result(SOON)) == (Hello(), WELCOME)


def test_answers_may_come_in_any_order(connect: Connect) -> None:
    """Each goes to the request whose number it bears."""
    channel, far = connect()

    futures = [ping(channel) for _ in range(20)]
    numbers = [far.hear()[0] for _ in futures]
    for number in reversed(numbers):
        far.answer(number, Pong(lag=float(number)))

    assert [f.result(SOON).lag for f in futures] == [float(n) for n in numbers]


def test_many_threads_share_a_channel(connect: Connect) -> None:
    """No answer goes astray when eight threads ask at once."""
    channel, far = connect()

    def agent() -> None:
        for _ in range(80):
            number, request = far.hear()
            assert isinstance(request, protocol.Evidence)
            far.answer(number, protocol.EvidenceFound([], [], [], request.window, 0.0))

    def agent_client(mark: int) -> bool:
        request = protocol.Evidence([], [], float(mark))
        asked = [channel.ask(request, protocol.EvidenceFound, SOON) for _ in range(10)]
        return all(future.result(SOON).lag == mark for future in asked)

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        answering = pool.submit(agent)
        right = list(pool.map(agent_client, range(8)))
        answering.result(SOON)

    assert right == [True] * 8


def test_answer_in_pieces_is_put_together(connect: Connect) -> None:
    """Frames end anywhere, also within a character."""
    channel, far = connect()

    future = channel.ask(Hello(), Welcome, SOON)
    number, _ = far.hear()
    line = protocol.encode_answer(number, WELCOME)
    for i in range(len(line)):
        far.say(line[i : i + 1])

    assert future.result(SOON) == WELCOME


def test_large_answer_does_not_wait_for_the_next_one(connect: Connect) -> None:
    """What reading one channel has taken in beside it is not left in the stream's buffer."""
    channel, far = connect()
    long = protocol.Inspected({}, [], {}, "x" * 2_000_000, {})

    future = channel.ask(protocol.Inspect(), protocol.Inspected, SOON)
    far.answer(far.hear()[0], long)

    assert future.result(timeout=4.0) == long


def test_new_channel_does_not_wait_for_the_tick(connect: Connect) -> None:
    """Its first request goes out at once, whatever the multiplexer was doing."""
    began = time.monotonic()
    for number in range(20):
        channel, far = connect(f"echo-{number}")
        future = ping(channel)
        far.answer(far.hear()[0], Pong(lag=0.0))
        future.result(SOON)

    assert time.monotonic() - began < module.TICK * 5


def test_answer_to_nobody_is_ignored(connect: Connect) -> None:
    """A number that was never given out, or whose time was up."""
    channel, far = connect()

    future = ping(channel)
    number, _ = far.hear()
    far.answer(number + 1000, Pong(lag=1.0))
    far.answer(number, Pong(lag=2.0))

    assert future.result(SOON).lag == 2.0


def test_nobody_can_cancel_a_request(connect: Connect) -> None:
    """Its answer will come; a cancelled future would break the multiplexer that delivers it."""
    channel, far = connect()

    future = ping(channel)
    cancelled = future.cancel()
    far.answer(far.hear()[0], Pong(lag=3.0))

    assert (cancelled, future.result(SOON).lag) == (False, 3.0)


# ---- refusals


def test_agent_s_refusal_is_an_agent_error(connect: Connect) -> None:
    """It names the agent and says what it said; the channel goes on."""
    channel, far = connect()

    future = ping(channel)
    far.say(protocol.encode_error(far.hear()[0], "flows[3].port: missing"))

    assert isinstance(future.exception(SOON), AgentError)
    assert str(future.exception()) == "echo: flows[3].port: missing"
    assert channel.lost == ""


@pytest.mark.parametrize(
    "ok", ['{"lag":"much"}', "{}", "null", '{"lag":1e999}', f'{{"lag":{10**400}}}']
)
def test_answer_of_another_shape_is_an_agent_error(connect: Connect, ok: str) -> None:
    """An agent of another version cannot be misunderstood, nor harm the channel."""
    channel, far = connect()

    future = ping(channel)
    far.say(b'{"v":1,"id":%d,"ok":%s}\n' % (far.hear()[0], ok.encode()))

    assert isinstance(future.exception(SOON), AgentError)
    assert channel.lost == ""


def test_request_too_long_for_a_line_is_not_sent(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails by itself; the channel and its places stay as they were."""
    monkeypatch.setattr(protocol, "LINE_LIMIT", 1000)
    channel, far = connect()

    future = channel.ask(protocol.Evidence(["n" * 1000], []), protocol.EvidenceFound, SOON)
    after = ping(channel)
    far.answer(far.hear()[0], Pong(lag=0.0))

    assert isinstance(future.exception(SOON), AgentError)
    assert after.result(SOON) == Pong(lag=0.0)


# ---- time


def test_overdue_request_fails_and_its_late_answer_is_ignored(
    connect: Connect, brisk: None
) -> None:
    """The channel survives a slow agent."""
    channel, far = connect()

    late = ping(channel, timeout=0.05)
    number, _ = far.hear()
    reason = why(late)
    far.answer(number, Pong(lag=9.0))
    next_one = ping(channel)
    far.answer(far.hear()[0], Pong(lag=1.0))

    assert reason == "echo: no answer from the agent in time"
    assert next_one.result(SOON).lag == 1.0


def test_quiet_channel_is_pinged(connect: Connect, impatient: None) -> None:
    """The heart-beat distinguishes a quiet agent from a dead one."""
    _, far = connect()

    assert far.hear()[1] == Ping()


def test_channel_that_answers_heart_beats_lives(connect: Connect, impatient: None) -> None:
    """However long nobody asks anything."""
    channel, far = connect()

    for _ in range(5):
        far.answer(far.hear()[0], Pong(lag=0.0))

    assert channel.lost == ""


def test_silent_channel_is_lost(connect: Connect, impatient: None) -> None:
    """What is under way fails with the length of the silence."""
    channel, _ = connect()

    assert "echo: control channel silent for" in why(ping(channel))


def test_runner_that_was_held_up_blames_no_agent(connect: Connect, impatient: None) -> None:
    """A silence that the multiplexer slept through itself is nobody's fault."""
    held_up = threading.Event()

    class Slow(LocalStream):
        def write_stdin(self, data: bytes) -> None:
            if not held_up.is_set():
                time.sleep(1.2)
                held_up.set()
            super().write_stdin(data)

    def slow(stream: LocalStream) -> Stream:
        stream.__class__ = Slow
        return stream

    quiet, far = connect("quiet")
    obliging = threading.Thread(target=oblige, args=(far,))
    obliging.start()
    busy, _ = connect("busy", wrap=slow)
    ping(busy)
    held_up.wait(SOON)
    answer = ping(quiet).result(SOON)
    quiet.close()
    obliging.join(SOON)

    assert answer == Pong(lag=0.0)


# ---- loss


def test_end_of_the_stream_fails_everything_under_way(connect: Connect) -> None:
    """With what the API server said of the end."""
    channel, far = connect(status=b'{"status":"Failure","reason":"NonZeroExitCode"}')

    futures = [ping(channel) for _ in range(3)]
    for _ in futures:
        far.hear()
    far.close()

    assert ["NonZeroExitCode" in why(f) for f in futures] == [True] * 3


def test_loss_quotes_what_the_agent_said_last(connect: Connect) -> None:
    """The end of standard error, of which an import error or a missing file speaks."""
    channel, far = connect()

    future = ping(channel)
    far.hear()
    far.complain("x" * 5000 + "bridge: /run/agent.sock: No such file or directory")
    far.close()

    assert "(agent said: " in why(future)
    assert channel.lost.endswith("bridge: /run/agent.sock: No such file or directory)")
    assert len(channel.lost) < 500


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (b'{"status": "Failure", "message": "container not found"}', "container not found"),
        (b'{"status": "Success"}', ""),
        (b'{"message": 7}', "7"),
        (b"", ""),
        (b"gone\nfor good", "gone for good"),
        (b"x" * 900, "x" * 150),
    ],
)
def test_why_a_stream_ended_is_said_in_the_words_of_its_status(status: bytes, said: str) -> None:
    assert _why(status).startswith(said)
    assert len(_why(status)) <= 200
    assert said or not _why(status)


def test_answer_before_the_end_still_counts(connect: Connect) -> None:
    """An agent that answers and dies has answered."""
    channel, far = connect()

    future = ping(channel)
    far.answer(far.hear()[0], Pong(lag=4.0))
    far.close()

    assert future.result(SOON).lag == 4.0
    assert "ended by the other side" in wait_until_lost(channel)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"v":1,"id":1,"ok":{"la\n', "not JSON"),
        (b"Traceback (most recent call last):\n", "not JSON"),
        (b"[]\n", "not a JSON object"),
        (b'{"v":2,"id":1,"ok":{}}\n', "protocol version 2, this side speaks 1"),
        (b'{"v":1,"ok":{}}\n', "id None is not a number"),
        (b'{"v":1,"id":0,"error":"line too long"}\n', "the agent refused a line: line too long"),
    ],
    ids=["truncated", "foreign", "no object", "version", "no id", "refused"],
)
def test_foreign_line_breaks_the_channel(connect: Connect, line: bytes, reason: str) -> None:
    """After a line that is not of the protocol, nothing on the stream can be trusted."""
    channel, far = connect()

    future = ping(channel)
    far.hear()
    far.say(line)

    assert reason in why(future)


def test_line_without_end_breaks_the_channel(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner's memory is bounded."""
    monkeypatch.setattr(protocol, "LINE_LIMIT", 10_000)
    channel, far = connect()

    future = ping(channel)
    far.hear()
    far.say(b"x" * 10_001)

    assert "a line without end" in why(future)


class WebSocketError(Exception):
    """As websocket-client's: derived from Exception alone."""


@pytest.mark.parametrize(
    "error",
    [OSError("reset"), ValueError("frame"), RuntimeError("closed"), WebSocketError("gone")],
    ids=repr,
)
def test_any_error_of_a_stream_is_that_channel_s_alone(connect: Connect, error: Exception) -> None:
    """The thread that owns all streams outlives what one of them throws."""

    class Broken(LocalStream):
        def update(self, timeout: float = 0) -> None:  # noqa: ARG002
            raise error

    def broken(stream: LocalStream) -> Stream:
        stream.__class__ = Broken
        return stream

    bad, bad_far = connect("bad", wrap=broken)
    good, far = connect("good")
    lost = ping(bad)
    bad_far.answer(bad_far.hear()[0], Pong(lag=0.0))
    reason = why(lost)
    future = ping(good)
    far.answer(far.hear()[0], Pong(lag=5.0))

    assert str(error) in reason
    assert future.result(SOON).lag == 5.0


def test_stream_that_cannot_be_written_breaks_its_channel(connect: Connect) -> None:
    """A request that could not be sent fails."""
    channel, far = connect()
    far.close()

    assert "control channel" in why(ping(channel))


def test_lost_channel_fails_requests_at_once(connect: Connect) -> None:
    """With the reason of the loss, also long after."""
    channel, far = connect(status=b"exit 137")
    far.close()
    wait_until_lost(channel)

    assert "exit 137" in why(ping(channel))


@pytest.mark.parametrize("left", [None, socket.socketpair], ids=["no socket", "a closed one"])
def test_stream_without_a_socket_is_lost(
    connect: Connect, left: Callable[[], tuple[socket.socket, socket.socket]] | None
) -> None:
    """As the client library leaves it after a close of its own."""

    def emptied(stream: LocalStream) -> Stream:
        if left:
            ours, theirs = left()
            ours.close()
            theirs.close()
        stream.sock = SocketHolder(ours if left else None)  # type: ignore[arg-type]
        return stream

    channel, _ = connect(wrap=emptied)

    assert "lost its socket" in wait_until_lost(channel)


# ---- closing and back-pressure


def test_closing_fails_what_is_under_way(connect: Connect) -> None:
    """Nobody waits for a channel that the runner closed."""
    channel, far = connect()
    future = ping(channel)
    far.hear()

    channel.close()

    assert why(future) == "echo: control channel closed by the runner"


def test_closing_it_closes_every_channel(multiplexer: StreamMultiplexer, connect: Connect) -> None:
    """And ends its thread."""
    channels = [connect(f"echo-{n}")[0] for n in range(3)]

    multiplexer.close()

    assert [c.lost for c in channels] == ["closed by the runner"] * 3
    assert "multiplexer" not in {t.name for t in threading.enumerate() if t.is_alive()}


def test_stream_opened_after_the_end_is_closed(
    multiplexer: StreamMultiplexer, connect: Connect
) -> None:
    """A stream whose opening outlasted the run is not left open, nor is anybody left waiting."""
    multiplexer.close()

    channel, _ = connect()

    assert "opened after the end of the run" in why(ping(channel))


def test_ask_waits_for_room(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel takes a bounded number of requests; an answer makes room for the next."""
    monkeypatch.setattr(module, "QUEUE_LIMIT", 2)
    channel, far = connect()
    futures = [ping(channel), ping(channel)]
    refused = ping(channel, timeout=0.05)

    far.answer(far.hear()[0], Pong(lag=0.0))
    futures[0].result(SOON)
    third = ping(channel)
    for _ in range(2):
        far.answer(far.hear()[0], Pong(lag=1.0))

    assert "echo: 2 requests unanswered" in why(refused)
    assert third.result(SOON) == Pong(lag=1.0)


def test_failed_requests_give_their_room_back(
    connect: Connect, brisk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overdue and refused ones alike."""
    monkeypatch.setattr(module, "QUEUE_LIMIT", 1)
    channel, far = connect()

    overdue = ping(channel, timeout=0.05)
    far.hear()
    why(overdue)
    refused = ping(channel)
    far.say(protocol.encode_error(far.hear()[0], "no"))
    refused.exception(SOON)
    answered = ping(channel)
    far.answer(far.hear()[0], Pong(lag=2.0))

    assert answered.result(SOON).lag == 2.0


def test_agent_works_on_more_than_a_channel_takes() -> None:
    """Otherwise runner and agent could each wait for the other to read."""
    assert module.QUEUE_LIMIT < Session.IN_FLIGHT


# ---- TLS


class TlsStream(LocalStream):
    """Reads so little at a time that decrypted bytes stay behind in the TLS socket."""

    tls: ssl.SSLSocket

    def update(self, timeout: float = 0) -> None:  # noqa: ARG002
        try:
            self._keep(STDOUT, self.tls.recv(100))
        except ssl.SSLWantReadError:
            return

    def write_stdin(self, data: bytes) -> None:
        self.tls.sendall(data)


def test_what_tls_has_decrypted_is_read_to_the_end(multiplexer: StreamMultiplexer) -> None:
    """A TLS record holds more than one read takes, and the rest makes no descriptor readable."""
    ours, theirs = socket.socketpair()
    contexts = [ssl.SSLContext(p) for p in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)]
    for context in contexts:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("aNULL:@SECLEVEL=0")  # anonymous: the test needs no certificate
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(contexts[0].wrap_socket, theirs, True)
        client = contexts[1].wrap_socket(ours)
        far = accepting.result(SOON)
    client.settimeout(0)
    stream = TlsStream(client)
    stream.tls = client

    channel = Channel("echo", stream, multiplexer)
    future = channel.ask(Hello(), Welcome, SOON)
    number = protocol.decode_line(far.recv(1000))["id"]
    far.sendall(protocol.encode_answer(number, WELCOME))
    answer = future.result(SOON)
    far.close()

    assert answer == WELCOME
