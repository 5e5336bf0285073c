"""The BGP speaker that listens: what it makes of messages, and how it lives with its peers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixproof.agent import protocol
from sixproof.agent.protocol import BgpRoute, BgpSession, StartBgp
from sixproof.agent.server import bgp_messages, bgp_speaker
from sixproof.agent.server.bgp_messages import BgpError
from sixproof.agent.server.bgp_speaker import BgpSpeaker

MARKER = b"\xff" * 16
KEEPALIVE = MARKER + b"\x00\x13\x04"
CEASE = b"\x06\x03"
FOUR_OCTETS = b"\x41\x04" + struct.pack("!I", 64512)
T = typing.TypeVar("T")


def sent(kind: int, body: bytes) -> bytes:
    """A message as RFC 4271 section 4.1 has it."""
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def an_open(as_number: int = 64512, hold: int = 240, capabilities: bytes = b"") -> bytes:
    """The OPEN of a router with the identifier 10.0.0.7."""
    options = b"\x02" + bytes([len(capabilities)]) + capabilities if capabilities else b""
    fixed = struct.pack("!BHH", 4, as_number, hold) + bytes([10, 0, 0, 7])
    return sent(1, fixed + bytes([len(options)]) + options)


def attribute(kind: int, value: bytes) -> bytes:
    """A path attribute."""
    return bytes([0x40, kind, len(value)]) + value


def an_update(attributes: bytes = b"", reached: bytes = b"", gone: bytes = b"") -> bytes:
    """The body of an UPDATE."""
    return (
        struct.pack("!H", len(gone))
        + gone
        + struct.pack("!H", len(attributes))
        + attributes
        + reached
    )


PATH = attribute(2, b"\x02\x02" + struct.pack("!II", 64512, 4200000001))
FOUR = an_update(
    attribute(1, b"\0") + PATH + attribute(3, bytes([192, 0, 2, 1]))
    + attribute(8, struct.pack("!HHHH", 64512, 100, 64512, 200))
    + attribute(32, struct.pack("!III", 64512, 1, 4294967295)),
    bytes([26, 10, 1, 2, 64]) + bytes([32, 10, 1, 2, 7]) + bytes([0]),
)  # fmt: skip
NEXT_HOP = socket.inet_pton(socket.AF_INET6, "2001:db8::1")
LINK_LOCAL = socket.inet_pton(socket.AF_INET6, "fe80::1")
PREFIX = b"\x7a" + socket.inet_pton(socket.AF_INET6, "fd00:1::40")
SIX = an_update(
    PATH + attribute(14, b"\x00\x02\x01\x20" + NEXT_HOP + LINK_LOCAL + b"\x00" + PREFIX)
)


def test_routes_of_ipv4_are_read_with_their_communities() -> None:
    """Three prefixes, the last one the default route, of one UPDATE."""
    seen = bgp_messages.updated(FOUR, four_octets=True)

    path, communities = [64512, 4200000001], ["64512:100", "64512:200", "64512:1:4294967295"]
    assert seen.routes == [
        BgpRoute(prefix, "192.0.2.1", path, communities)
        for prefix in ("10.1.2.64/26", "10.1.2.7/32", "0.0.0.0/0")
    ]
    assert (seen.withdrawn, seen.end) == ([], False)


def test_routes_of_ipv6_have_the_global_next_hop() -> None:
    """A link-local one beside it (RFC 2545 section 3) is of no use to anybody else."""
    [route] = bgp_messages.updated(SIX, four_octets=True).routes
    assert (route.prefix, route.next_hop) == ("fd00:1::40/122", "2001:db8::1")


def test_a_peer_without_large_as_numbers_has_short_paths() -> None:
    """RFC 6793: two octets each, unless both sides know four."""
    body = an_update(
        attribute(2, b"\x02\x01" + struct.pack("!H", 65001)) + attribute(3, b"\1\2\3\4"),
        b"\x08\x0a",
    )
    [route] = bgp_messages.updated(body, four_octets=False).routes
    assert (route.prefix, route.as_path) == ("10.0.0.0/8", [65001])


@pytest.mark.parametrize(
    ("body", "gone", "end"),
    [
        (an_update(), [], True),
        (an_update(attribute(15, b"\x00\x02\x01")), [], True),
        (an_update(gone=bytes([26, 10, 1, 2, 64])), ["10.1.2.64/26"], False),
        (an_update(attribute(15, b"\x00\x02\x01" + PREFIX)), ["fd00:1::40/122"], False),
    ],
    ids=["end of IPv4", "end of IPv6", "one of IPv4", "one of IPv6"],
)
def test_what_is_withdrawn_and_where_the_list_ends(body: bytes, gone: list[str], end: bool) -> None:
    """RFC 4724 section 2: an UPDATE about nothing says that all routes were sent."""
    seen = bgp_messages.updated(body, four_octets=True)
    assert (seen.routes, seen.withdrawn, seen.end) == ([], gone, end)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", 3, "2 bytes announced, 0 there"),
        (b"\x00\x05\x08", 3, "5 bytes announced"),
        (an_update(reached=b"\x21\x0a"), 3, "a prefix of 33 bits"),
        (an_update(attribute(14, b"\x00\x01\x80")), 3, "address family 1, 128"),
        (an_update(attribute(14, b"\x00\x02\x01\x03abc")), 3, "a next hop of 3 bytes"),
        (an_update(attribute(3, b"\x01")), 3, "4 bytes announced, 1 there"),
    ],
)
def test_an_update_that_is_none_is_an_error(body: bytes, code: int, said: str) -> None:
    """It is answered with the code of its kind."""
    with pytest.raises(BgpError, match=said) as caught:
        bgp_messages.updated(body, four_octets=True)
    assert caught.value.code == code


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=500, deadline=None)
def test_no_bytes_do_harm(body: bytes, four_octets: bool) -> None:
    """Whatever a peer sends is a message or a BgpError."""
    for read in (bgp_messages.opened, lambda b: bgp_messages.updated(b, four_octets)):
        try:
            read(body)
        except BgpError:
            continue
    assert bgp_messages.notified(body)


class Router:
    """A BGP peer of the speaker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def message(self) -> tuple[int, bytes]:
        """The next message that comes."""
        head = await asyncio.wait_for(self.reader.readexactly(19), 5)
        size = struct.unpack("!H", head[16:18])[0]
        return head[18], await self.reader.readexactly(size - 19)

    def say(self, *what: bytes) -> None:
        """Send messages."""
        for each in what:
            self.writer.write(each)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return int(sock.getsockname()[1])


class Bench:
    """A speaker, and routers that connect to it."""

    def __init__(self, hold: int = 90, seconds: float = 60.0) -> None:
        self.port = free_port()
        wanted = StartBgp(self.port, 4200000099, "198.51.100.7", hold, seconds)
        self.speaker = BgpSpeaker(wanted)
        self.routers: list[Router] = []

    async def router(self, address: str = "::1") -> Router:
        """One that is connected."""
        self.routers.append(Router(*await asyncio.open_connection(address, self.port)))
        return self.routers[-1]

    async def end(self) -> None:
        """End the speaker, and what is connected to it."""
        self.speaker.stop()
        for router in self.routers:
            router.writer.close()
            with contextlib.suppress(OSError):
                await router.writer.wait_closed()

    async def until(self, done: typing.Callable[[BgpSession], bool], index: int = 0) -> BgpSession:
        """The session once it is so, within 5 s."""
        for _ in range(500):
            seen = self.speaker.seen()
            if len(seen) > index and done(seen[index]):
                return seen[index]
            await asyncio.sleep(0.01)
        raise AssertionError(f"it never was: {self.speaker.seen()}")


def on_a_bench(
    test: typing.Callable[[Bench], typing.Awaitable[T]], hold: int = 90, seconds: float = 60.0
) -> T:
    """What a test on a bench gives; the speaker ends with it."""

    async def run() -> T:
        bench = Bench(hold, seconds)
        assert await bench.speaker.start() == []
        try:
            return await test(bench)
        finally:
            await bench.end()

    return asyncio.run(run())


@pytest.mark.parametrize(("address", "afi"), [("127.0.0.1", 1), ("::1", 2)], ids=["IPv4", "IPv6"])
def test_it_opens_with_what_it_was_given(address: str, afi: int) -> None:
    """Its OPEN has the AS number, in four octets by a capability, hold time, identifier, and the
    family of the session."""

    async def test(bench: Bench) -> tuple[int, bytes]:
        return await (await bench.router(address)).message()

    kind, body = on_a_bench(test)
    assert (kind, body[0], struct.unpack("!HH", body[1:5])) == (1, 4, (23456, 90))
    assert body[5:9] == bytes([198, 51, 100, 7])
    assert bytes([1, 4, 0, afi, 0, 1]) in body
    assert b"\x41\x04" + struct.pack("!I", 4200000099) in body


@pytest.mark.parametrize("as_number", [64512, 4200000001])
def test_a_session_is_established_and_its_routes_are_kept(as_number: int) -> None:
    """AS number, hold time and identifier of the peer; a route that is withdrawn is gone."""
    capability = b"\x41\x04" + struct.pack("!I", as_number)  # RFC 6793
    gone = sent(2, an_update(gone=bytes([32, 10, 1, 2, 7])))

    async def test(bench: Bench) -> BgpSession:
        router = await bench.router("127.0.0.1")
        router.say(an_open(min(as_number, 23456), 240, capability), KEEPALIVE)
        router.say(sent(2, FOUR), gone, sent(2, an_update()), KEEPALIVE)
        return await bench.until(lambda session: session.complete and bool(session.kept))

    seen = on_a_bench(test)
    assert (seen.peer, seen.state, seen.why) == ("127.0.0.1", "Established", "")
    assert (seen.as_number, seen.hold, seen.identifier) == (as_number, 240, "10.0.0.7")
    assert [route.prefix for route in seen.routes] == ["10.1.2.64/26", "0.0.0.0/0"]


def test_it_keeps_the_session_alive_every_third_of_the_hold_time() -> None:
    """RFC 4271 section 4.4. The hold time is the smaller one of both: 3 s here."""

    async def test(bench: Bench) -> list[int]:
        router = await bench.router()
        router.say(an_open(hold=3), KEEPALIVE)
        kinds = []
        for _ in range(3):
            kinds.append((await router.message())[0])
            router.say(KEEPALIVE)
        return kinds

    assert on_a_bench(test) == [1, 4, 4]


def test_a_peer_that_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Hold Timer Expired, like every other speaker."""
    monkeypatch.setattr(bgp_speaker, "OPEN_SECONDS", 0.1)

    async def test(bench: Bench) -> tuple[tuple[int, bytes], BgpSession]:
        router = await bench.router()
        await router.message()
        said = await router.message()
        return said, await bench.until(lambda session: session.state == "Idle")

    (kind, body), seen = on_a_bench(test)
    assert (kind, body) == (3, b"\x04\x00")
    assert seen.why == "no OPEN came"


@pytest.mark.parametrize(
    ("said", "answer", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n ", b"\x01\x01", "no BGP: the marker is not all ones"),
        (KEEPALIVE, b"\x05\x01", "a message of type 4 before OPEN"),
        (MARKER + b"\xff\xff\x02", b"\x01\x02", "a message of 65535 bytes"),
        (sent(1, b"\x03" + bytes(9)), b"\x02\x01", "version 3"),
        (an_open(hold=2), b"\x02\x06", "a hold time of 2 s"),
        (an_open() + sent(9, b""), b"\x01\x03", "a message of type 9"),
    ],
)
def test_what_is_no_bgp_is_answered_and_ended(said: bytes, answer: bytes, why: str) -> None:
    """By a NOTIFICATION with the code that RFC 4271 section 6 has for it."""

    async def test(bench: Bench) -> tuple[bytes, BgpSession]:
        router = await bench.router()
        router.say(said)
        kind, body = 0, b""
        while kind != 3:
            kind, body = await router.message()
        return body, await bench.until(lambda session: session.state == "Idle")

    body, seen = on_a_bench(test)
    assert (body, seen.why) == (answer, why)


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (sent(3, b"\x06\x05"), "the peer ended it: Cease, subcode 5"),
        (sent(3, b"\x09"), "the peer ended it: error code 9, subcode 0"),
    ],
)
def test_why_a_peer_ended_it_is_kept(last: bytes, why: str) -> None:
    """Its NOTIFICATION counts, not that it then hangs up."""

    async def test(bench: Bench) -> BgpSession:
        router = await bench.router()
        router.say(an_open(), KEEPALIVE, last)
        router.writer.close()
        return await bench.until(lambda session: session.state == "Idle")

    assert on_a_bench(test).why == why


def test_a_peer_that_hangs_up_has_ended_it() -> None:
    """Without a word."""

    async def test(bench: Bench) -> BgpSession:
        router = await bench.router()
        router.writer.close()
        return await bench.until(lambda session: session.state == "Idle")

    assert on_a_bench(test).why.startswith("the connection ended")


def test_with_its_end_sessions_cease() -> None:
    """RFC 4486: Peer De-configured. Its port is free again."""

    async def test(bench: Bench) -> tuple[int, bytes]:
        router = await bench.router()
        router.say(an_open(), KEEPALIVE)
        await bench.until(lambda session: session.state == "Established")
        bench.speaker.stop()
        kind, body = 0, b""
        while kind != 3:
            kind, body = await router.message()
        again = BgpSpeaker(bench.speaker.wanted)
        assert await again.start() == []
        again.stop()
        return kind, body

    assert on_a_bench(test) == (3, CEASE)


def test_it_ends_by_itself() -> None:
    """A run that is gone leaves nothing that listens."""

    async def test(bench: Bench) -> bool:
        await asyncio.sleep(0.2)
        return bench.speaker.over

    assert on_a_bench(test, seconds=0.1)


def test_sessions_and_routes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is over makes room, one that lives does not."""
    monkeypatch.setattr(protocol, "BGP_SESSIONS", 1)
    monkeypatch.setattr(protocol, "BGP_ROUTES", 2)

    async def test(bench: Bench) -> list[str]:
        first = await bench.router()
        first.say(an_open(capabilities=FOUR_OCTETS), KEEPALIVE)
        await bench.until(lambda session: session.state == "Established")
        refused = await bench.router()
        assert await asyncio.wait_for(refused.reader.read(), 5) == b""
        first.say(sent(2, FOUR))
        ended = await bench.until(lambda session: session.state == "Idle")
        await bench.router("127.0.0.1")
        later = await bench.until(lambda session: session.peer == "127.0.0.1")
        return [ended.why, later.state]

    assert on_a_bench(test) == ["more than 2 routes", "OpenSent"]


@pytest.mark.parametrize(
    ("as_number", "hold", "identifier"),
    [
        (0, 90, "192.0.2.1"),
        (1 << 32, 90, "192.0.2.1"),
        (1, 2, "192.0.2.1"),
        (1, 70000, "192.0.2.1"),
        (1, 9, "x"),
    ],
)
def test_what_cannot_be_said_in_an_open_is_refused(
    as_number: int, hold: int, identifier: str
) -> None:
    """Before anything listens."""

    async def run() -> None:
        BgpSpeaker(StartBgp(1790, as_number, identifier, hold))

    with pytest.raises((ValueError, OSError)):
        asyncio.run(run())


def test_a_port_that_is_taken_is_a_problem() -> None:
    """Of each family by itself."""

    async def run(port: int) -> list[str]:
        speaker = BgpSpeaker(StartBgp(port, 65001, "192.0.2.1"))
        try:
            return await speaker.start()
        finally:
            speaker.stop()

    with socket.socket(socket.AF_INET6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::", 0))
        sock.listen()
        problems = asyncio.run(run(sock.getsockname()[1]))
    assert problems == ["::: Address already in use"]
