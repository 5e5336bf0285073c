"""A BGP speaker that listens, announces nothing, and keeps what its peers say.

Passive (RFC 4271 section 8): peers connect to it. It answers their OPEN, keeps the session alive
and takes note of their routes. Whoever can reach its port may try: sessions, routes and bytes are
bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import typing

from sixproof.agent import protocol
from sixproof.agent.addresses import plain
from sixproof.agent.server import bgp_messages as messages
from sixproof.agent.server.bgp_messages import BgpError

OPEN_SECONDS = 20.0
"""Seconds within which a peer must have sent its OPEN."""
KEPT = 64
"""Pauses between KEEPALIVE messages that are kept of a session."""
ADDRESSES = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - a pod's every address


class BgpSpeaker:
    """Listens from `start` to `stop`, or until its time is over."""

    def __init__(self, wanted: protocol.StartBgp) -> None:
        """Raises: ValueError: no AS number, hold time or identifier."""
        if not 0 < wanted.as_number < 1 << 32 or wanted.hold in (1, 2) or wanted.hold > 65535:
            raise ValueError(f"AS {wanted.as_number} with a hold time of {wanted.hold} s")
        socket.inet_aton(wanted.identifier)
        self.wanted = wanted
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.sessions: list[ConnectedPeer] = []
        self.servers: list[asyncio.Server] = []
        self.timer: asyncio.TimerHandle | None = None
        self.over = False

    async def start(self) -> list[str]:
        """Listen; what does not."""
        problems = []
        for family, address in ADDRESSES.items():
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError as error:
                problems.append(f"{address}: {error.strerror}")
                continue
            try:
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, self.wanted.port))
            except OSError as error:
                sock.close()
                problems.append(f"{address}: {error.strerror}")
                continue
            self.servers.append(
                await self.loop.create_server(lambda: ConnectedPeer(self), sock=sock, backlog=64)
            )
        seconds = min(self.wanted.seconds, protocol.BGP_SECONDS)
        self.timer = self.loop.call_later(seconds, self.stop)
        return problems

    def joined(self, peer: ConnectedPeer) -> bool:
        """Take a session up; whether there is room for it."""
        if len(self.sessions) >= protocol.BGP_SESSIONS:
            ended = next((one for one in self.sessions if one.state == "Idle"), None)
            if ended is None:
                return False
            self.sessions.remove(ended)
        self.sessions.append(peer)
        return True

    def seen(self) -> list[protocol.BgpSession]:
        """What was heard so far."""
        return [one.session() for one in self.sessions]

    def stop(self) -> None:
        """End all sessions, and listen no more."""
        self.over = True
        if self.timer:
            self.timer.cancel()
        for server in self.servers:
            server.close()
        for peer in self.sessions:
            peer.end("the run ended it", messages.notification(6, 3))  # Peer De-configured


class ConnectedPeer(asyncio.Protocol):
    """One session."""

    def __init__(self, speaker: BgpSpeaker) -> None:
        self.speaker = speaker
        self.loop = speaker.loop
        self.state = "OpenSent"
        self.why = ""
        self.at = self.loop.time() - speaker.began
        self.peer = ""
        self.buffer = bytearray()
        self.transport: asyncio.Transport | None = None
        self.opened: messages.Opened | None = None
        self.routes: dict[str, protocol.BgpRoute] = {}
        self.complete = False
        self.kept: list[float] = []
        self.heard = 0.0
        self.hold = 0
        self.timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who this is."""
        self.transport = typing.cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        self.peer = plain(transport.get_extra_info("peername")[0])
        if not self.speaker.joined(self):
            self.transport.abort()
            return
        wanted = self.speaker.wanted
        self.transport.write(
            messages.opening(wanted.as_number, wanted.hold, wanted.identifier, sock.family)
        )
        self.again("open", OPEN_SECONDS, lambda: self.fail(BgpError(4, 0, "no OPEN came")))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side hung up."""
        self.end(f"the connection ended{f': {exc}' if exc else ''}")

    def data_received(self, data: bytes) -> None:
        """Take whole messages."""
        self.buffer += data
        try:
            while self.state != "Idle" and len(self.buffer) >= messages.HEADER:
                size = messages.length(bytes(self.buffer[: messages.HEADER]))
                if len(self.buffer) < size:
                    return
                kind, body = self.buffer[18], bytes(self.buffer[messages.HEADER : size])
                del self.buffer[:size]
                self.take(kind, body)
        except BgpError as error:
            self.fail(error)

    def take(self, kind: int, body: bytes) -> None:
        """One message."""
        if kind == messages.NOTIFICATION:
            self.end(f"the peer ended it: {messages.notified(body)}")
        elif kind == messages.OPEN and self.opened is None:
            self.opened = messages.opened(body)
            self.state = "OpenConfirm"
            self.timers.pop("open").cancel()
            offered = self.speaker.wanted.hold
            self.hold = min(offered, self.opened.hold)
            self.keep_alive()
        elif self.opened is None:
            raise BgpError(5, 1, f"a message of type {kind} before OPEN")
        elif kind == messages.KEEPALIVE:
            now = self.loop.time()
            if self.state == "Established" and len(self.kept) < KEPT:
                self.kept.append(now - self.heard)
            self.heard, self.state = now, "Established"
        elif kind == messages.UPDATE:
            self.update(messages.updated(body, self.opened.four_octets))
        elif kind != messages.ROUTE_REFRESH:
            raise BgpError(1, 3, f"a message of type {kind}")
        self.wait()

    def update(self, said: messages.Updated) -> None:
        """Keep what is there, forget what is not."""
        for prefix in said.withdrawn:
            self.routes.pop(prefix, None)
        for route in said.routes:
            self.routes[route.prefix] = route
        if len(self.routes) > protocol.BGP_ROUTES:
            raise BgpError(6, 1, f"more than {protocol.BGP_ROUTES} routes")
        self.complete |= said.end

    def keep_alive(self) -> None:
        """Send a KEEPALIVE, now and every third of the hold time."""
        if self.transport is not None:
            self.transport.write(messages.message(messages.KEEPALIVE))
        if self.hold:
            self.again("keep", self.hold / 3, self.keep_alive)

    def wait(self) -> None:
        """Give the peer the hold time for its next message."""
        if self.hold and self.state != "Idle":
            self.again("hold", self.hold, lambda: self.fail(BgpError(4, 0, "nothing came in time")))

    def again(self, name: str, seconds: float, call: typing.Callable[[], None]) -> None:
        """Set a timer anew."""
        if name in self.timers:
            self.timers[name].cancel()
        self.timers[name] = self.loop.call_later(seconds, call)

    def fail(self, error: BgpError) -> None:
        """Answer what is not as it must be, and hang up."""
        self.end(str(error), messages.notification(error.code, error.subcode))

    def end(self, why: str, last: bytes = b"") -> None:
        """The session is over; the first reason counts."""
        if self.state == "Idle":
            return
        self.state, self.why = "Idle", why
        for timer in self.timers.values():
            timer.cancel()
        if self.transport is not None:
            with contextlib.suppress(OSError):
                self.transport.write(last)
            self.transport.close()

    def session(self) -> protocol.BgpSession:
        """What was heard."""
        opened = self.opened or messages.Opened(0, 0, "", False)
        return protocol.BgpSession(
            peer=self.peer,
            at=self.at,
            state=self.state,
            why=self.why[:200],
            as_number=opened.as_number,
            hold=opened.hold,
            identifier=opened.identifier,
            kept=self.kept,
            complete=self.complete,
            routes=list(self.routes.values()),
        )
