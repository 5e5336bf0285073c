"""Packets of a flow at a node: its own, its answers, its tunnel's, and others it depends on.

A rule of the packet filter can only break a flow whose packets it can take.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping

from sixproof.model import (
    Disagreement,
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    IPAddress,
    IPNetwork,
    MatrixKind,
    Outcome,
    Protocol,
)
from sixproof.probes.crafted.shapes import WHOLE
from sixproof.probes.pmtu.probe import SMALL
from sixproof.reporting.causes.filtering.rule_match import (
    HIGHEST,
    FilteredPacket,
    Spans,
    same_device,
    span_of,
)
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.merged import behind
from sixproof.workloads.probe_pods.ports import POD_PORTS

BGP = 179
EPHEMERAL = ((45_000, 45_000),)
"""A port that a client may be given (RFC 6056; Linux takes 32768 to 60999): one represents all,
since a rule for one of them hits no client twice."""
TUNNEL_KINDS = ("vxlan", "geneve", "wireguard", "ipip", "sit", "gre", "ip6tnl", "ip6gre")
TUNNEL_PORTS = (4789, 8472, 6081, 51820, 51821)
"""UDP ports of VXLAN (IANA's and Linux's own), Geneve and WireGuard as Calico sets it."""
TUNNEL_PROTOCOLS = ("protocol 4", "protocol 41", "protocol 47")
POD_DEVICES = frozenset(("cali*", "veth*", "lxc*", "cni*", "azv*", "eni*", "gke*"))
"""How the node's ends of its pods' links are called."""
USUAL = ((40, 512),)
"""Bytes of a packet of a probe that asks nothing about sizes."""
ANY_SIZE = ((40, HIGHEST),)
OPTIONS = frozenset(("fragment", "hop-by-hop options", "destination options", "routing header"))

ECHO = {Family.IPV4: ((0, 0), (8, 8)), Family.IPV6: ((128, 129),)}
TOO_BIG = {Family.IPV4: (((3, 3),), ((4, 4),)), Family.IPV6: (((2, 2),), None)}
"""Type and code of the error that reports a packet as too big (RFC 4443, 1191)."""
ERRORS = {Family.IPV4: ((3, 3), (11, 12)), Family.IPV6: ((1, 1), (3, 4))}
DISCOVERY = ((130, 136), (143, 143))
"""Types of neighbour discovery (RFC 4861) and of the multicast listeners that it needs."""
LINK_LOCAL, MULTICAST = map(ipaddress.ip_network, ("fe80::/10", "ff02::/16"))

EVERY_HOOK = frozenset(("", "prerouting", "ingress", "input", "forward", "output", "postrouting"))


class FlowPackets:
    """The packets of flows at one node."""

    def __init__(self, situation: Situation, node: str) -> None:
        self._situation = situation
        self._node = node
        links = situation.nodes[node].links
        others = [x for x in links if x.name != "lo" and not _of_a_pod(x.name)]
        self._devices = frozenset(link.name for link in others)
        self._tunnels = frozenset(x.name for x in others if x.kind in TUNNEL_KINDS)
        self._links = self._devices | POD_DEVICES
        self._known: dict[tuple[Flow, bool, bool], tuple[FilteredPacket, ...]] = {}
        self._at: dict[tuple[Endpoint, Family], Spans] = {}

    def of(self, wrong: Disagreement) -> tuple[FilteredPacket, ...]:
        """Those that a wrong cell's flow needs here."""
        flow = wrong.observation.flow
        refused = Outcome.ALLOWED not in wrong.expected.outcomes
        key = flow, self.sized(wrong), refused
        if key not in self._known:
            self._known[key] = tuple(self._needed(*key))
        return self._known[key]

    def sized(self, wrong: Disagreement) -> bool:
        """Whether it may be lost for its size or shape: a path check or a crafted packet, and not
        the small one beside them; or a flow that other tests carried."""
        flow = wrong.observation.flow
        if flow.question in (f"{SMALL} bytes", WHOLE):
            return False
        kinds = self._situation.kinds_of(flow)
        shaped = not kinds.isdisjoint((MatrixKind.PATHS, MatrixKind.PACKETS))
        too_big = wrong.observation.outcome is Outcome.TOO_BIG
        return shaped or too_big or self._situation.comes_and_goes(flow)

    def _needed(self, flow: Flow, sized: bool, refused: bool) -> Iterator[FilteredPacket]:
        family = carried_over(flow)
        yield from self._own(flow, family, sized)
        if sized:
            kinds, codes = TOO_BIG[family]
            yield self._message(family, kinds, codes)
        if refused:
            yield self._message(family, ERRORS[family], None)
        if family is Family.IPV6:
            near = (*self._cluster[family], span_of(LINK_LOCAL))
            yield FilteredPacket(
                "icmpv6",
                near,
                (*near, span_of(MULTICAST)),
                type=DISCOVERY,
                lengths=USUAL,
                arrives=self._links,
                leaves=self._links,
                hooks=EVERY_HOOK - {"forward"},
            )
        apart = flow.source.node != flow.destination.node
        if self._tunnels and (apart or _translated(flow)):
            yield from self._carrying(family, sized)

    def _own(self, flow: Flow, family: Family, sized: bool) -> Iterator[FilteredPacket]:
        """What the source sends, and what the destination answers."""
        ports = _ports(flow, self._situation.kinds_of(flow))
        there = self._addresses(flow.destination, family)
        there = (*there, span_of(flow.address))
        here = self._addresses(flow.source, family)
        to, back = (flow.source, flow.destination), (flow.destination, flow.source)
        lengths = ANY_SIZE if sized else USUAL
        headers = OPTIONS if sized else frozenset()
        for protocol in self._protocols(flow, family):
            icmp = protocol.startswith("icmp")
            dialled = () if icmp else ports
            client = () if icmp else EPHEMERAL
            for ends, (sources, destinations), (sport, dport) in (
                (to, (here, there), (client, dialled)),
                (back, (there, here), (dialled, client)),
            ):
                yield FilteredPacket(
                    protocol,
                    sources,
                    destinations,
                    sport,
                    dport,
                    type=ECHO[family] if icmp else (),
                    lengths=lengths,
                    arrives=self._devices_of(*ends),
                    leaves=self._devices_of(*ends[::-1]),
                    hooks=self._hooks(*ends),
                    headers=headers,
                )

    def _protocols(self, flow: Flow, family: Family) -> tuple[str, ...]:
        """A path is tried with packets of both kinds, whatever its flow is called by."""
        if MatrixKind.PATHS in self._situation.kinds_of(flow):
            return "tcp", "udp"
        return (flow.protocol.named_for(family).lower(),)

    def _message(self, family: Family, types: Spans, codes: Spans | None) -> FilteredPacket:
        """An ICMP error, from any node on the path."""
        known = self._cluster[family]
        name = Protocol.ICMP.named_for(family).lower()
        return FilteredPacket(
            name,
            known,
            known,
            type=types,
            code=codes,
            arrives=self._links,
            leaves=self._links,
            hooks=EVERY_HOOK,
        )

    def _carrying(self, family: Family, sized: bool) -> Iterator[FilteredPacket]:
        """The outer packets of a tunnel: they end at this node, whatever the inner destination."""
        known = self._cluster[family]
        ports = {link.port for link in self._situation.nodes[self._node].links} - {0}
        outer = FilteredPacket(
            "udp",
            known,
            known,
            sport=EPHEMERAL,
            dport=tuple((port, port) for port in (*TUNNEL_PORTS, *ports)),
            lengths=ANY_SIZE if sized else USUAL,
            arrives=self._devices - self._tunnels,
            leaves=self._devices - self._tunnels,
            hooks=EVERY_HOOK - {"forward"},
            headers=frozenset(("fragment",)) if sized else frozenset(),
        )
        yield outer
        for protocol in TUNNEL_PROTOCOLS:
            yield dataclasses.replace(outer, protocol=protocol, sport=(), dport=())

    def _devices_of(self, end: Endpoint, other: Endpoint) -> frozenset[str] | None:
        """The devices by which packets of an end come here, and those to it leave."""
        if behind(end):
            return None
        if end.node != self._node:
            return self._devices
        if end.kind is EndpointKind.POD:
            return POD_DEVICES
        return frozenset(("lo",)) if self._is_local(other) else frozenset()

    def _hooks(self, source: Endpoint, destination: Endpoint) -> frozenset[str]:
        """The hooks that packets between these ends pass here."""
        passed = {""}
        begins, ends = self._is_local(source), self._is_local(destination)
        if ends or behind(destination):
            passed.add("input")
        if begins or behind(source):
            passed.add("output")
        if not begins and not ends:
            passed.add("forward")
        if ends or not begins:
            passed |= {"prerouting", "ingress"}
        if begins or not ends:
            passed.add("postrouting")
        return frozenset(passed)

    def _is_local(self, end: Endpoint) -> bool:
        """Whether it is this node's own network stack."""
        return end.node == self._node and end.kind is EndpointKind.HOST

    def _addresses(self, end: Endpoint, family: Family) -> Spans:
        """What packets of an end may have for an address: its own, its node's where they are
        masqueraded; any of the cluster's where others answer behind it."""
        if behind(end):
            return self._cluster[family]
        if (end, family) not in self._at:
            node = [a for a, name in self._situation.holders.items() if name == end.node]
            node_addresses = self._situation.node_addresses.get(end.node, ())
            self._at[end, family] = _of_family((*end.addresses, *node, *node_addresses), family)
        return self._at[end, family]

    @functools.cached_property
    def _cluster(self) -> Mapping[Family, Spans]:
        """All addresses of nodes and pods that are known, and the ranges of pods and services."""
        situation = self._situation
        facts = situation.results.facts
        ranges = (*facts.pod_cidrs, *facts.service_cidrs) if facts else ()
        nodes = (a for addresses in situation.node_addresses.values() for a in addresses)
        ends = (a for end in situation.endpoints for a in end.addresses)
        every = (*ranges, *nodes, *situation.holders, *ends)
        return {family: _of_family(every, family) for family in Family}


def _of_family(values: Iterable[IPAddress | IPNetwork], family: Family) -> Spans:
    return tuple({span_of(value) for value in values if value.version == family.version})


def _ports(flow: Flow, kinds: Collection[MatrixKind]) -> Spans | None:
    """The ports that a flow dials, or that others serve behind it; None where it does not say."""
    if MatrixKind.SESSIONS in kinds and flow.port is None:
        return ((BGP, BGP),)
    if flow.port is None:
        return None
    served = [spec.port for spec in POD_PORTS if spec.port] if _translated(flow) else []
    return tuple((port, port) for port in (flow.port, *served))


def _translated(flow: Flow) -> bool:
    """Whether it is dialled at a service's address, or a node's, and sent on from there."""
    return behind(flow.destination) or flow.address not in flow.destination.addresses


def _of_a_pod(device: str) -> bool:
    return any(same_device(device, name) for name in POD_DEVICES)
