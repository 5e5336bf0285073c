"""Agents of a simulated cluster: each answers the runner's requests from the network's point of
view."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import threading
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.model import Family
from sixproof.probes.connect.payload import IP_HEADER, UDP_HEADER, request_line_length
from tests.plugin.simulated.names import Zone
from tests.plugin.simulated.network import Met, Network, Sent
from tests.plugin.simulated.objects import Manifest, Where, address_of, family_of

POD_MTU, NODE_MTU = 1430, 1500
TUNNELS = {"vxlan.calico": 1450, "vxlan-v6.calico": 1430}
LATENCY = 0.0004
_FLOW = ("nonce", "protocol", "address", "port")


class Agent:
    """The agent of one pod. `waiting` ends waits early when the test is over."""

    def __init__(self, pod: Where, network: Network, zone: Zone, over: threading.Event) -> None:
        self._where = pod
        self._network = network
        self._zone = zone
        self._over = over
        self._port = 40000

    @property
    def _pod(self) -> Manifest:
        """The pod as it is now.

        Raises:
            ValueError: it is gone.
        """
        found = self._network.objects.get(self._where)
        if found is None:
            raise ValueError("the pod is gone")
        return found

    def answer(self, request: object) -> object:
        """The answer to a request.

        Raises:
            ValueError: this agent cannot do that.
        """
        handler = self._HANDLERS.get(type(request))
        if handler is None:
            raise ValueError(f"{type(request).__name__}: operation not permitted")
        return handler(self, request)

    def _hello(self, _: protocol.Hello) -> protocol.Welcome:
        listening = [
            f"{protocol_name}/{everywhere}:{port}"
            for word in self._pod["spec"]["containers"][0]["command"]
            for protocol_name, slash, port in [word.partition("/")]
            if slash and port.isdigit()
            for everywhere in ("0.0.0.0", "[::]")  # noqa: S104 - how an agent reports it
        ]
        name = self._pod["metadata"]["name"]
        return protocol.Welcome(name, "3.13", 1, 3600.0, 14000, listening)

    def _ping(self, _: protocol.Ping) -> protocol.Pong:
        return protocol.Pong(0.0)

    def _inspect(self, _: protocol.Inspect) -> protocol.Inspected:
        host = self._pod["spec"].get("hostNetwork")
        config = self._pod["spec"].get("dnsConfig")
        namespace = self._pod["metadata"]["namespace"]
        ip = address_of(self._pod, "IPv6")
        return protocol.Inspected(
            mtus={"lo": 65536, "eth0": NODE_MTU, **TUNNELS} if host else {"eth0": POD_MTU},
            ipv6=[protocol.AddressSeen("eth0", ip, 128, ["permanent"])] if ip else [],
            sysctls={
                "net/ipv6/conf/all/disable_ipv6": "0",
                "net/ipv6/conf/all/forwarding": "1" if host else "0",
                "net/ipv6/conf/all/accept_ra": "0",
                "net/ipv6/conf/default/disable_ipv6": "0",
                "net/ipv4/ping_group_range": "0 2147483647",
                "net/ipv6/route/mtu_expires": "600",
            },
            resolv_conf=self._zone.resolv_conf(namespace, config),
            counters={"Ip6FragFails": 0},
        )

    def _node(self, _: protocol.ReadNode) -> protocol.NodeSeen:
        sysctls = self._network.sysctls
        if not sysctls:
            raise ValueError("ReadNode: operation not permitted")
        links = [protocol.LinkSeen("eth0", "veth", NODE_MTU, True, True)]
        nothing: list[Any] = []
        return protocol.NodeSeen(
            links, *(nothing,) * 5, dict(sysctls), {}, nothing, 0.0, 0.0, nothing, nothing
        )

    def _servers(self, request: protocol.AskServers) -> protocol.ServersAsked:
        """Pods of CoreDNS are well; no service has a health check node port."""
        if any(server.path == "healthz" for server in request.servers):
            raise ValueError("AskServers: operation not permitted")
        well = [protocol.HealthSeen("", 200, "OK") for _ in request.servers]
        return protocol.ServersAsked(well)

    def _routes(self, request: protocol.RouteGet) -> protocol.RoutesSeen:
        return protocol.RoutesSeen([self._route(address) for address in request.addresses])

    def _route(self, address: str) -> protocol.RouteSeen:
        home, host = self._pod["spec"]["nodeName"], self._pod["spec"].get("hostNetwork")
        family = family_of(address)
        device = gateway = ""
        there = self._network.at(address) if host else None
        if there is None:
            device = "eth0"
        elif there["spec"]["nodeName"] == home:
            called = f"{there['metadata']['namespace']}.{there['metadata']['name']}"
            device = "cali" + hashlib.sha1(called.encode()).hexdigest()[:11]  # noqa: S324
        elif self._network.tunnels:
            device = "vxlan.calico" if family == "IPv4" else "vxlan-v6.calico"
            gateway = self._network.tunnel_address(there["spec"]["nodeName"], family)
        else:
            device = "eth0"
        return protocol.RouteSeen(address, device, gateway, source=address_of(self._pod, family))

    def _probe(self, request: protocol.Probe) -> protocol.Probed:
        results = [self._tried(flow) for flow in request.flows]
        self._over.wait(max((flow.hold for flow in request.flows), default=0.0))
        self._wait_for_the_silent(results)
        return protocol.Probed(results, 0.0)

    def _tried(self, flow: protocol.FlowSpec) -> protocol.FlowResult:
        if flow.foreign and flow.port == 443:
            return protocol.FlowResult(
                flow.nonce, Event.ECHOED, "exchange", latency=LATENCY, sent=1
            )
        outcome = self._outcome(flow)
        if outcome["event"] == Event.ECHOED:
            self._network.arrived.add(flow.nonce)
        return protocol.FlowResult(flow.nonce, **outcome)

    def _outcome(self, flow: protocol.FlowSpec, size: int = 0) -> dict[str, Any]:
        """The fields of a flow's result."""
        own = address_of(self._pod, family_of(flow.address))
        self._port = flow.source_port or 40000 + (self._port + 1) % 20000
        fields: dict[str, Any] = {"sent": 1, "local": own, "local_port": self._port}
        if flow.dont_fragment and self._size(flow) > self._mtu():
            return {**fields, "sent": 0, "event": Event.TOO_BIG, "error": "EMSGSIZE"}
        met = self._met(flow.protocol, flow.address, flow.port, flow.source_port, size)
        if met.by is not None:
            name = met.by["metadata"]["name"] if flow.protocol != "icmp" else ""
            return {
                **fields,
                "event": Event.ECHOED,
                "stage": "exchange",
                "latency": LATENCY,
                "peer_saw": met.seen,
                "peer_port": self._port,
                "answered_by": name,
            }
        if met.lost:
            return {**fields, "event": Event.SILENT, "stage": "connect", "elapsed": flow.timeout}
        return {**fields, "event": Event.RESET, "stage": "connect", "error": "ECONNREFUSED"}

    def _met(self, name: str, address: str, port: int, source_port: int = 0, size: int = 0) -> Met:
        dialled = str(ipaddress.ip_address(address))
        return self._network.send(Sent(self._pod, name, dialled, port, source_port, size))

    def _wait_for_the_silent(self, results: Iterable[protocol.FlowResult]) -> None:
        """All silences of a batch are waited for together."""
        self._over.wait(max((result.elapsed for result in results), default=0.0))

    def _evidence(self, request: protocol.Evidence) -> protocol.EvidenceFound:
        controls = [
            protocol.ControlResult(c.protocol, c.address, c.port, Event.ECHOED)
            if self._network.serves(self._pod, c.protocol, c.port)
            else protocol.ControlResult(c.protocol, c.address, c.port, Event.RESET, "ECONNREFUSED")
            for c in request.controls
        ]
        arrivals = [
            protocol.Arrival(nonce, "tcp", "192.0.2.1", 40000, "192.0.2.2", 8080, 0.0)
            for nonce in request.nonces
            if nonce in self._network.arrived
        ]
        return protocol.EvidenceFound(arrivals, [], controls, 0.0, 3600.0)

    def _transfer(self, request: protocol.Transfer) -> protocol.Transferred:
        results = [self._carried(flow) for flow in request.flows]
        self._wait_for_the_silent(results)
        return protocol.Transferred(results, 0.0)

    def _carried(self, flow: protocol.FlowSpec) -> protocol.Bulk:
        headers = 40 if family_of(flow.address) == "IPv4" else 60
        offered = self._mtu() - headers
        return protocol.Bulk(
            flow.nonce,
            **self._outcome(flow, self._mtu()),
            segment=offered - 12,
            offered=offered,
            pmtu=self._mtu(),
            acknowledged=flow.upload,
            received=flow.download,
        )

    def _size(self, flow: protocol.FlowSpec) -> int:
        """Bytes of the packet that carries a datagram's request."""
        line = request_line_length(flow.upload, flow.download)
        return IP_HEADER[Family(family_of(flow.address))] + UDP_HEADER + line + flow.upload

    def _mtu(self) -> int:
        return NODE_MTU if self._pod["spec"].get("hostNetwork") else POD_MTU

    def _sized(self, request: protocol.SendSized) -> protocol.SentSized:
        seen = [self._sizes(spec) for spec in request.specs]
        silent = [
            spec.patience
            for spec, one in zip(request.specs, seen, strict=True)
            for sent in one.sends
            if sent.event == Event.SILENT
        ]
        self._over.wait(max(silent, default=0.0))
        return protocol.SentSized(seen, 0.0)

    def _sizes(self, spec: protocol.SizedSpec) -> protocol.SizedSeen:
        mtu = self._mtu()
        sends = []
        for size in spec.sizes:
            met = self._met("udp", spec.address, spec.port, size=min(size, mtu))
            if size > mtu and not spec.fragment:
                sends.append(protocol.Sized(size, Event.TOO_BIG, "EMSGSIZE", mtu=mtu))
            elif met.by is None:
                sends.append(protocol.Sized(size, Event.SILENT, mtu=mtu))
            else:
                sends.append(protocol.Sized(size, Event.ECHOED, latency=LATENCY, mtu=mtu))
        own = address_of(self._pod, family_of(spec.address))
        return protocol.SizedSeen(spec.nonce, mtu, sends, own, 40000)

    def _exchange(self, request: protocol.Exchange) -> protocol.Exchanged:
        replies = [self._replied(message) for message in request.messages]
        self._wait_for_the_silent(replies)
        return protocol.Exchanged(replies, 0.0)

    def _replied(self, message: protocol.Message) -> protocol.Reply:
        fields = self._outcome(message)
        if fields["event"] != Event.ECHOED:
            return protocol.Reply(message.nonce, **fields)
        asked = base64.b64decode(message.payload)
        said = self._zone.reply(asked, stream=message.protocol == "tcp")
        fields |= {"event": Event.ANSWERED, "payload": base64.b64encode(said).decode()}
        return protocol.Reply(message.nonce, **fields)

    def _fetch(self, request: protocol.Fetch) -> protocol.Fetched:
        pages = [self._page(get) for get in request.gets]
        self._wait_for_the_silent(pages)
        return protocol.Fetched(pages, 0.0)

    def _page(self, get: protocol.Get) -> protocol.Page:
        """What Felix says; nobody else has pages."""
        home = self._pod["spec"]["nodeName"]
        loopback = ipaddress.ip_address(get.address).is_loopback
        node = home if loopback else self._network.node_at(get.address)
        family = family_of(get.address)
        said = self._network.felix.says(node, family, get.port, get.path) if node else None
        if said is None:
            return protocol.Page(
                get.nonce, Event.SILENT, stage="connect", elapsed=get.timeout, sent=1
            )
        status, body = said
        return protocol.Page(
            get.nonce,
            Event.ANSWERED,
            stage="exchange",
            latency=LATENCY,
            sent=1,
            status=status,
            body=body,
        )

    def _resolve(self, request: protocol.Resolve) -> protocol.Resolved:
        namespace = self._pod["metadata"]["namespace"]
        config = self._pod["spec"].get("dnsConfig")
        found = []
        for lookup in request.lookups:
            said, error = self._zone.looked_up(lookup.name, lookup.family, namespace, config)
            found.append(
                protocol.Found(lookup.name, lookup.family, Event.ANSWERED, said, error, "", LATENCY)
            )
        return protocol.Resolved(found, 0.0)

    _HANDLERS: ClassVar[dict[type, Callable[[Agent, Any], object]]] = {
        protocol.Hello: _hello,
        protocol.Ping: _ping,
        protocol.Inspect: _inspect,
        protocol.ReadNode: _node,
        protocol.AskServers: _servers,
        protocol.RouteGet: _routes,
        protocol.Probe: _probe,
        protocol.Evidence: _evidence,
        protocol.Transfer: _transfer,
        protocol.SendSized: _sized,
        protocol.Exchange: _exchange,
        protocol.Fetch: _fetch,
        protocol.Resolve: _resolve,
    }
