"""Topology: the interfaces and routes by which flows go, as agents see them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.agent import protocol
from sixproof.model import Endpoint, Flow, IPAddress
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.probes.pmtu.path import Ask, Overhead, Path, PathTopology, path, questions


class TopologyReader:
    """Asks agents for interfaces and routes; `tunnels` are what is known of tunnel devices."""

    def __init__(self, agents: AgentClient, tunnels: Mapping[str, Overhead]) -> None:
        self._agents = agents
        self._tunnels = tunnels

    def read(
        self,
        endpoints: Mapping[str, Endpoint],
        flows: Sequence[Flow],
        nodes: Mapping[str, Endpoint],
    ) -> PathTopology:
        """Interfaces and routes as the agents see them now."""
        inspected = self._inspect(endpoints)
        asks = (*_asks(flows, nodes), *_asks(flows, nodes, back=True))
        routes = self._routes(endpoints, asks)
        return PathTopology(inspected, routes, nodes, self._tunnels)

    def _inspect(self, endpoints: Mapping[str, Endpoint]) -> dict[str, protocol.Inspected]:
        asked = {
            name: self._agents.ask(who, protocol.Inspect(), protocol.Inspected, SLACK)
            for name, who in endpoints.items()
        }
        return {name: future.result() for name, future in asked.items()}

    def _routes(
        self, endpoints: Mapping[str, Endpoint], asks: Iterable[Ask]
    ) -> dict[Ask, protocol.RouteSeen]:
        rows: dict[str, list[IPAddress]] = defaultdict(list)
        for name, address in dict.fromkeys(asks):
            rows[name].append(address)
        asked = {
            name: self._agents.ask(
                endpoints[name],
                protocol.RouteGet([str(a) for a in row]),
                protocol.RoutesSeen,
                SLACK,
            )
            for name, row in rows.items()
        }
        return {
            (name, address): seen
            for name, row in rows.items()
            for address, seen in zip(row, asked[name].result().routes, strict=True)
        }


def _asks(
    flows: Iterable[Flow], nodes: Mapping[str, Endpoint], *, back: bool = False
) -> Iterator[Ask]:
    for flow in flows:
        if back:
            yield from questions(flow.destination, flow.source, flow.family, nodes)
            continue
        yield flow.source.name, flow.address  # a service's address differs from its pod's
        frontend = _door(flow, nodes)
        those = questions(flow.source, flow.destination, flow.family, nodes, frontend)
        yield from (ask for ask in those if ask != (flow.source.name, flow.address))


def path_of(flow: Flow, topology: PathTopology) -> Path:
    frontend = _door(flow, topology.nodes)
    return path(flow.source, flow.destination, flow.family, topology, frontend)


def hops_of(flow: Flow, topology: PathTopology) -> tuple[object, ...]:
    """What must stay while a pair is measured: its path's hops, and what the way back takes."""
    back = path(flow.destination, flow.source, flow.family, topology).promised
    return back, *((hop.where, hop.device, hop.mtu) for hop in path_of(flow, topology).hops)


def forgotten(seen: PathTopology, before: PathTopology) -> PathTopology:
    """The routes without what was learnt: for as long as a Packet Too Big is remembered, the kernel
    reports that MTU in place of the route's own."""
    routes = {
        ask: before.routes[ask]
        if route.expires is not None and route.device == before.routes[ask].device
        else route
        for ask, route in seen.routes.items()
    }
    return dataclasses.replace(seen, routes=routes)


def learnt(flow: Flow, topology: PathTopology) -> tuple[tuple[str, protocol.RouteSeen], ...]:
    """The routes of the flow that a Packet Too Big changed, by the endpoint that has them."""
    asks = (ask for ask in _asks([flow], topology.nodes) if _used(flow, ask))
    return tuple(
        (name, topology.routes[name, address])
        for name, address in asks
        if topology.routes[name, address].expires is not None and name != flow.destination.name
    )


def _used(flow: Flow, ask: Ask) -> bool:
    """Whether the flow's packets use that route: a source that dials another address than the
    pod's has no use for its route to the pod."""
    name, address = ask
    return name != flow.source.name or address == flow.address


def _door(flow: Flow, nodes: Mapping[str, Endpoint]) -> Endpoint | None:
    """The node whose own address is dialled, as a NodePort is."""
    return next((node for node in nodes.values() if flow.address in node.addresses), None)


def moved(
    before: Mapping[str, protocol.Inspected], after: Mapping[str, protocol.Inspected]
) -> dict[str, dict[str, int]]:
    """By how much each counter rose, where it did."""
    return {
        name: {
            key: value - before[name].counters.get(key, 0)
            for key, value in seen.counters.items()
            if value > before[name].counters.get(key, 0)
        }
        for name, seen in after.items()
    }
