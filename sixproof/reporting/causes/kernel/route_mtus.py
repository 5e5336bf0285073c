"""MTUs of routes: a node's route to other nodes' pods carries a smaller MTU than its device has.

That alone loses nothing: it is reported to the sender (RFC 8201). It shows where a path is narrow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from sixproof.agent.protocol import RouteHeld
from sixproof.model import Disagreement, Family, IPAddress, Outcome
from sixproof.probes.nodes import fib
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence, since
from sixproof.reporting.conclusion.reach import sends, sized
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_list


@dataclasses.dataclass
class _Narrow:
    """What a node sends by narrow routes of one MTU over one device."""

    route: RouteHeld
    addresses: set[IPAddress] = dataclasses.field(default_factory=set)
    nodes: dict[str, None] = dataclasses.field(default_factory=dict)


def find(situation: Situation) -> Iterator[Cause]:
    """Such routes of each node, those of one MTU and device as one."""
    for node, seen in situation.nodes.items():
        links = {link.name: link.mtu for link in seen.links}
        for family in Family:
            narrow: dict[tuple[str, int], _Narrow] = {}
            for end in situation.endpoints:
                address = end.address(family)
                route = fib.way(seen, address).route if address and end.node != node else None
                if route is None or not 0 < route.mtu < links.get(route.device, 0):
                    continue
                one = narrow.setdefault((route.device, route.mtu), _Narrow(route))
                one.nodes.setdefault(end.node)
                one.addresses |= {address} if address else set()
            for (device, mtu), one in narrow.items():
                yield _cause(situation, node, family, links[device], mtu, one)


def _cause(
    situation: Situation, node: str, family: Family, width: int, mtu: int, one: _Narrow
) -> Cause:
    to = frozenset(one.addresses)
    route = f"{fib.said_prefix(one.route.destination)} dev {one.route.device}"

    def hits(wrong: Disagreement) -> bool:
        seen = wrong.observation
        lost = seen.outcome is not Outcome.WRONG  # what was carried was not too big
        return lost and sized(wrong) and sends(seen.flow, node, family, to)

    return Cause(
        "route-mtu",
        f"node {node}",
        f"its route {route} has MTU {mtu} bytes, the device {width} bytes: larger {family} packets "
        f"to {said_list(tuple(one.nodes))} are too big",
        "Find out what set it: it may come back. Then replace the route by one without it",
        (family,),
        Confidence.SIGN,
        hits=hits,
        see=(Command.ip(family, "route", "get", min(to, key=str), on=node),),
        do=(Command.ip(family, "route", "show", fib.said_prefix(one.route.destination), on=node),),
        since=_since(situation, node, one),
    )


def _since(situation: Situation, node: str, one: _Narrow) -> str:
    """Whether it was so when the run began."""
    earlier = situation.earlier.get(node)
    if earlier is None:
        return ""
    before = fib.way(earlier, min(one.addresses, key=str)).route
    return since(before is not None and before.mtu == one.route.mtu)


RULES = (
    CauseRule(
        "route-mtu",
        "A route of a node carries a smaller MTU than its device has",
        "routes of each node with their MTU, network devices",
        find,
        ("I1",),
        "ip-route(8), RFC 8201",
    ),
)
