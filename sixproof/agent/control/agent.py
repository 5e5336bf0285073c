"""The agent: carries out the runner's requests."""

from __future__ import annotations

import asyncio
import collections
import os
import random
import sys
import time
import typing

from sixproof.agent import identity, protocol
from sixproof.agent.client.batch import EXCHANGES, TRANSFERS, Batch
from sixproof.agent.client.raw_sender import RawSender
from sixproof.agent.client.resolver import Resolver
from sixproof.agent.client.sized import SizedSender
from sixproof.agent.control.known_requests import KnownRequests
from sixproof.agent.server.ports import Server
from sixproof.agent.witness import facts
from sixproof.agent.witness.capture import Capture
from sixproof.agent.witness.routes import routes

if typing.TYPE_CHECKING:
    from sixproof.agent.server.bgp_speaker import BgpSpeaker

CAPTURES = 8
"""That may be under way at a time."""


class Agent:
    """Carries out requests."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.resolver = Resolver()
        self.lag = Lag()
        self.started = time.monotonic()
        self.last_ping = 0.0
        self.captures: dict[str, Capture] = {}
        self.bgp: BgpSpeaker | None = None
        self.requests = KnownRequests()

    async def answer(self, request: object) -> object:
        """The answer to one request."""
        return await HANDLERS[type(request)](self, request)

    async def pong(self, _: protocol.Ping) -> protocol.Pong:
        """How this does."""
        now = asyncio.get_running_loop().time()
        last, self.last_ping = self.last_ping, now
        foreign = self.server.log.foreign
        return protocol.Pong(self.lag.since(last), foreign["udp"], foreign["tcp"])

    async def welcome(self, _: protocol.Hello) -> protocol.Welcome:
        """Who this is."""
        return protocol.Welcome(
            host=identity.HOST,
            python=sys.version.split()[0],
            pid=os.getpid(),
            uptime=time.monotonic() - self.started,
            rss_kib=facts.rss_kib(),
            listening=self.server.listening + [f"not {p}" for p in self.server.problems],
        )

    async def probe(self, request: protocol.Probe) -> protocol.Probed:
        """Try all flows."""
        since = asyncio.get_running_loop().time()
        results = await Batch(request.flows).run()
        return protocol.Probed(results=results, lag=self.lag.since(since))

    async def exchange(self, request: protocol.Exchange) -> protocol.Exchanged:
        """Send all messages."""
        since = asyncio.get_running_loop().time()
        replies = await Batch(request.messages, EXCHANGES).run()
        return protocol.Exchanged(
            replies=typing.cast(list[protocol.Reply], replies),
            lag=self.lag.since(since),
        )

    async def fetch(self, request: protocol.Fetch) -> protocol.Fetched:
        """Get all pages; what gets them is loaded when it is first wanted."""
        from sixproof.agent.client.pages import PAGES

        if len(request.gets) > protocol.PAGES:
            raise ValueError(f"{len(request.gets)} pages, at most {protocol.PAGES} are fetched")
        since = asyncio.get_running_loop().time()
        pages = await Batch(request.gets, PAGES).run()
        return protocol.Fetched(
            pages=typing.cast(list[protocol.Page], pages),
            lag=self.lag.since(since),
        )

    async def resolve(self, request: protocol.Resolve) -> protocol.Resolved:
        """Look all names up."""
        since = asyncio.get_running_loop().time()
        found = await self.resolver.run(request)
        return protocol.Resolved(found=found, lag=self.lag.since(since))

    async def send_sized(self, request: protocol.SendSized) -> protocol.SentSized:
        """Send datagrams of exact sizes."""
        since = asyncio.get_running_loop().time()
        seen = await asyncio.gather(*(SizedSender(spec).run() for spec in request.specs))
        return protocol.SentSized(seen=seen, lag=self.lag.since(since))

    async def transfer(self, request: protocol.Transfer) -> protocol.Transferred:
        """Carry bulk."""
        since = asyncio.get_running_loop().time()
        results = await Batch(request.flows, TRANSFERS).run()
        return protocol.Transferred(
            results=typing.cast(list[protocol.Bulk], results),
            lag=self.lag.since(since),
        )

    async def send_raw(self, request: protocol.SendRaw) -> protocol.SentRaw:
        """Send packets as they are."""
        since = asyncio.get_running_loop().time()
        results = await RawSender(request.packets).run()
        return protocol.SentRaw(results=results, lag=self.lag.since(since))

    async def inspect(self, _: protocol.Inspect) -> protocol.Inspected:
        """Read the pod's own facts."""
        return facts.inspected()

    async def routes(self, request: protocol.RouteGet) -> protocol.RoutesSeen:
        """Ask the kernel for routes."""
        return protocol.RoutesSeen(routes(request.addresses))

    async def read_node(self, request: protocol.ReadNode) -> protocol.NodeSeen:
        """Read the node's facts; what reads them is loaded when it is first wanted."""
        from sixproof.agent.witness import health, node

        return node.NodeReader().read(await health.health(request.health))

    async def ask_servers(self, request: protocol.AskServers) -> protocol.ServersAsked:
        """Ask HTTP servers how they are."""
        from sixproof.agent.witness import health

        return protocol.ServersAsked(await health.elsewhere(request.servers))

    async def read_filter(self, _: protocol.ReadFilter) -> protocol.FilterSeen:
        """Read the packet filter."""
        from sixproof.agent.witness.filter import packet_filter

        return packet_filter()

    async def read_ip_sets(self, request: protocol.ReadIpSets) -> protocol.IpSetsSeen:
        """Look addresses up in Felix's IP sets."""
        from sixproof.agent.witness.ip_sets import ip_sets

        return ip_sets(request.addresses)

    async def start_bgp(self, request: protocol.StartBgp) -> protocol.BgpStarted:
        """Begin to listen for BGP sessions; what does it is loaded when it is first wanted."""
        from sixproof.agent.server.bgp_speaker import BgpSpeaker

        if self.bgp is not None and not self.bgp.over:
            raise ValueError("a BGP speaker listens already")
        self.bgp = BgpSpeaker(request)
        return protocol.BgpStarted(await self.bgp.start())

    async def read_bgp(self, _: protocol.ReadBgp) -> protocol.BgpSeen:
        """Hand out what BGP peers have said."""
        if self.bgp is None:
            raise ValueError("there is no BGP speaker")
        return protocol.BgpSeen(self.bgp.seen(), self.lag.since(self.bgp.began))

    async def stop_bgp(self, _: protocol.StopBgp) -> protocol.BgpSeen:
        """End the BGP speaker."""
        if self.bgp is None:
            raise ValueError("there is no BGP speaker")
        seen = self.bgp.seen()
        self.bgp.stop()
        return protocol.BgpSeen(seen, self.lag.since(self.bgp.began))

    async def start_capture(self, request: protocol.StartCapture) -> protocol.CaptureStarted:
        """Begin to keep packets; captures that were not fetched make room, the oldest first."""
        if request.name in self.captures:
            raise ValueError(f"there is a capture {request.name[:40]!r} already")
        if len(self.captures) >= CAPTURES:
            over = [n for n, c in self.captures.items() if c.sock.fileno() < 0]
            if not over:
                raise ValueError(f"{CAPTURES} captures are under way, more are not kept")
            del self.captures[over[0]]
        self.captures[request.name] = Capture(request.seconds, request.limit)
        return protocol.CaptureStarted(request.name)

    async def end_capture(self, request: protocol.EndCapture) -> protocol.Captured:
        """Hand out what was kept."""
        capture = self.captures.pop(request.name, None)
        if capture is None:
            raise ValueError(f"there is no capture {request.name[:40]!r}")
        capture.end()
        lag = self.lag.since(capture.began)
        return protocol.Captured(capture.frames, capture.lost, capture.complete, lag)

    async def evidence(self, request: protocol.Evidence) -> protocol.EvidenceFound:
        """What arrived, what hangs, and whether the server answers itself."""
        since = asyncio.get_running_loop().time() - request.window
        hanging = facts.half_open() if request.handshakes else []
        flows = [
            protocol.FlowSpec(
                protocol=c.protocol,
                address=c.address,
                port=c.port,
                nonce=f"control{random.getrandbits(64):016x}",
                timeout=1.0,
                attempts=2,
            )
            for c in request.controls
        ]
        results = await Batch(flows).run()
        return protocol.EvidenceFound(
            arrivals=self.server.log.of(request.nonces),
            half_open=hanging,
            controls=[
                protocol.ControlResult(c.protocol, c.address, c.port, r.event, r.error)
                for c, r in zip(request.controls, results, strict=True)
            ],
            lag=self.lag.since(since),
            uptime=time.monotonic() - self.started,
        )


Handler = typing.Callable[[Agent, typing.Any], typing.Awaitable[object]]
HANDLERS: typing.Mapping[type, Handler] = {
    protocol.Hello: Agent.welcome,
    protocol.Ping: Agent.pong,
    protocol.Probe: Agent.probe,
    protocol.Exchange: Agent.exchange,
    protocol.Fetch: Agent.fetch,
    protocol.Resolve: Agent.resolve,
    protocol.Evidence: Agent.evidence,
    protocol.Inspect: Agent.inspect,
    protocol.SendSized: Agent.send_sized,
    protocol.Transfer: Agent.transfer,
    protocol.RouteGet: Agent.routes,
    protocol.ReadNode: Agent.read_node,
    protocol.ReadFilter: Agent.read_filter,
    protocol.ReadIpSets: Agent.read_ip_sets,
    protocol.AskServers: Agent.ask_servers,
    protocol.SendRaw: Agent.send_raw,
    protocol.StartCapture: Agent.start_capture,
    protocol.EndCapture: Agent.end_capture,
    protocol.StartBgp: Agent.start_bgp,
    protocol.ReadBgp: Agent.read_bgp,
    protocol.StopBgp: Agent.stop_bgp,
}
"""How every request is carried out."""


class Lag:
    """The worst delay of the event loop: an agent's slowness must not pass for the network's."""

    STEP = 0.05

    def __init__(self) -> None:
        self._samples: collections.deque[tuple[float, float]] = collections.deque(maxlen=2000)

    async def watch(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(self.STEP)
            now = loop.time()
            self._samples.append((now, now - before - self.STEP))

    def since(self, moment: float) -> float:
        """The worst delay in seconds since a moment of the loop's clock."""
        return max((lag for at, lag in self._samples if at >= moment), default=0.0)
