"""The lab: client - router - server (and a bystander), every packet real, none leaves.

All addresses are documentation addresses (RFC 5737, RFC 3849) on links between the namespaces.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from sixproof.kube.channel.agents import Agents
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    IPAddress,
    Observation,
    Protocol,
)
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions, Witnesses
from tests.netns.laboratory import links, rules, scenes
from tests.netns.laboratory.agents import SEAL, AgentProcess, Home
from tests.netns.laboratory.links import BESIDE, CUTS, FAR, NEAR, Link
from tests.netns.laboratory.namespace import Namespace
from tests.netns.laboratory.scenes import CUT_HERE, CUT_THERE_QUICK, MAIN, SCENES

Panorama = dict[tuple[str, Family, Protocol], Observation]
"""What came of every scene, by its name."""

KERNEL = {
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.dad_transmits": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
    "net.ipv4.icmp_ratemask": "0",  # icmp_ratelimit 0 would also silence "no route" (one bucket)
    "net.ipv6.icmp.ratelimit": "0",
}
FORWARDING = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}


class Lab:
    """The namespaces with their agents; `close` leaves nothing behind."""

    def __init__(self) -> None:
        self.namespaces: list[Namespace] = []
        self.home = Home()
        self.agents = Agents(self.home.open, SEAL.mark)
        self.probe = ConnectProbe(self.agents)

    def build(self) -> None:
        """Make everything and wait for the agents."""
        self.client, self.router, self.server, self.bystander = (
            self._namespace(role) for role in ("client", "router", "server", "bystander")
        )
        for place, those in (
            (self.client, NEAR.values()),
            (self.server, FAR.values()),
            (self.bystander, (BESIDE,)),
        ):
            for link in those:
                self._connect(place, link)
        started = [
            self.home.agent(self.client, "client"),
            self.home.agent(self.server, "server", scenes.PORT_SPECS),
            self.home.agent(self.bystander, "bystander", scenes.PORT_SPECS[:2]),
        ]
        self._route()
        self.router.nft(rules.on_the_router())
        self.client.nft(rules.on_the_client())
        for agent in started:
            agent.wait_ready()
        self._cut(NEAR, self.client, self.router)
        self._cut(FAR, self.router, self.server)
        for namespace in self.namespaces:
            namespace.settle()

    def close(self) -> None:
        """End every process, delete every namespace."""
        try:
            self.agents.close()
        finally:
            self.home.close()
            for namespace in self.namespaces:
                namespace.delete()

    @contextlib.contextmanager
    def agent(
        self, namespace: Namespace, pod: str, port_specs: Iterable[str] = (), capability: str = ""
    ) -> Iterator[AgentProcess]:
        """One more agent, for a test that does it harm or needs a capability."""
        agent = self.home.agent(namespace, pod, port_specs, capability)
        try:
            agent.wait_ready()
            yield agent
        finally:
            agent.kill()

    def measure(
        self, flows: Sequence[Flow], options: ProbeOptions, witnesses: Witnesses | None = None
    ) -> tuple[Observation, ...]:
        """Measure; once more where this machine, not the network, was too slow to give a result."""
        for _ in range(3):
            seen = self.probe.measure(flows, options, witnesses)
            if not any("stalled" in o.reason for o in seen):
                break
        return seen

    def _namespace(self, role: str) -> Namespace:
        namespace = Namespace(role)
        self.namespaces.append(namespace)
        namespace.sysctl(KERNEL | (FORWARDING if role == "router" else {}))
        namespace.ip(["link set lo up"])
        return namespace

    def _connect(self, place: Namespace, link: Link) -> None:
        veth = f"link add {link.device} type veth peer name {link.beyond} netns {self.router.name}"
        place.ip([veth, *link.up(2)])
        self.router.ip(link.up(1))
        if link.name == CUT_THERE_QUICK:  # 0.3 s instead of 3 s until a neighbour counts as gone
            for namespace, device in ((place, link.device), (self.router, link.beyond)):
                key = f"neigh.{device}.retrans_time_ms"
                namespace.sysctl({f"net.ipv4.{key}": "100", f"net.ipv6.{key}": "100"})

    def _route(self) -> None:
        client, router, server, bystander = [], [], [], []
        for family, anywhere in ((Family.IPV4, "0.0.0.0/0"), (Family.IPV6, "::/0")):
            server.append(f"route add {anywhere} via {FAR[MAIN].address(family, 1)}")
            bystander.append(f"route add {anywhere} via {BESIDE.address(family, 1)}")
            gateway = NEAR[MAIN].address(family, 1)
            for known in (rules.VIRTUAL[family], FAR[MAIN].address(family, 2)):
                client.append(f"route add {known} via {gateway}")
            for index, scene in enumerate(SCENES):
                target, own = scenes.address(index, family), scenes.source(index, family)
                here, there = NEAR[scene.near], FAR[scene.far]
                server.append(f"address add {target} dev lo")
                client.append(f"address add {own} dev {here.device}{links.NOW[family]}")
                router.append(f"route add {own} via {here.address(family, 2)}")
                client += _route_to(
                    target, scene.own_route, f"via {here.address(family, 1)} src {own}"
                )
                router += _route_to(target, scene.route, f"via {there.address(family, 2)}")
        self.client.ip(client)
        self.router.ip(router)
        self.server.ip(server)
        self.bystander.ip(bystander)

    def _cut(self, those: dict[str, Link], here: Namespace, there: Namespace) -> None:
        for name in CUTS:
            place = here if name == CUT_HERE else there
            device = those[name].beyond if place is self.router else those[name].device
            place.ip([f"link set {device} down"])


def _route_to(target: IPAddress, kind: str | None, way: str) -> list[str]:
    if kind == "":
        return []
    return [f"route add {kind} {target}" if kind else f"route add {target} {way}"]


def host(pod: str, link: Link) -> Endpoint:
    """The endpoint of an agent under the addresses of its host's end of a link."""
    return Endpoint(
        name=pod,
        kind=EndpointKind.POD,
        addresses=tuple(ipaddress.ip_address(link.address(family, 2)) for family in Family),
        namespace="lab",
        pod=pod,
        node=pod,
    )


CLIENT, SERVER, BYSTANDER = (
    host("client", NEAR[MAIN]),
    host("server", FAR[MAIN]),
    host("bystander", BESIDE),
)


def flow(
    server: Endpoint,
    family: Family,
    protocol: Protocol,
    port: int = scenes.OPEN,
    source: Endpoint = CLIENT,
) -> Flow:
    """A flow to a server's own address of a family."""
    address = server.address(family)
    assert address is not None
    return Flow(source, server, address, protocol, None if protocol is Protocol.ICMP else port)
