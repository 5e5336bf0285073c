"""Devices: a tunnel or link of a node differs from everybody else's, or is down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from sixproof.agent.protocol import LinkSeen
from sixproof.model import Disagreement, EndpointKind, Family, Flow, Outcome
from sixproof.probes.nodes import fib
from sixproof.reporting.conclusion.cause import Cause, Confidence, Rule
from sixproof.reporting.conclusion.reach import carried_over, crosses, touches
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.merged import behind

IPV6_MINIMUM = 1280
"""RFC 8200 section 5."""
SHARED = ("vxlan", "ipip", "tunl", "wireguard", "geneve")
"""Kinds of devices that all nodes must have alike."""


def find(situation: Situation) -> Iterator[Cause]:
    """Each property of a shared device that one node has otherwise than most, or than before."""
    tables = {n: {link.name: link for link in s.links} for n, s in situation.nodes.items()}
    names = Counter(name for links in tables.values() for name in links)
    shared = [n for n, count in names.items() if count > len(tables) / 2]
    for node, links in tables.items():
        for name in shared:
            carries = _families(situation, name)
            if not carries:
                continue  # no way between nodes leads over it
            link = links.get(name)
            others = [t[name] for n, t in tables.items() if n != node and name in t]
            if link is None:
                yield _different(situation, node, name, carries, "is not there", "make it again")
                continue
            if not link.up:
                yield _different(situation, node, name, carries, "is down", "set it up")
            before = _before(situation, node, name)
            if others and _is_tunnel(link):
                yield from _tunnel(situation, node, link, others, before, carries)
            yield from _mtu(node, link, others, before, carries)


def _families(situation: Situation, name: str) -> tuple[Family, ...]:
    """The families whose packets nodes send to others over a device, by routes of any node."""
    found = set()
    for node, seen in situation.nodes.items():
        for end in situation.endpoints:
            for address in end.addresses if end.node != node else ():
                way = fib.way(seen, address)
                if way.open and way.route and way.route.device == name:
                    found.add(Family.of(address))
    return tuple(family for family in Family if family in found)


def _is_tunnel(link: LinkSeen) -> bool:
    return link.kind.startswith(SHARED)


def _before(situation: Situation, node: str, name: str) -> LinkSeen | None:
    earlier = situation.earlier.get(node)
    return next((link for link in earlier.links if link.name == name), None) if earlier else None


def _tunnel(
    situation: Situation,
    node: str,
    link: LinkSeen,
    others: list[LinkSeen],
    before: LinkSeen | None,
    carries: tuple[Family, ...],
) -> Iterator[Cause]:
    """Port and VNI, which both ends must have alike."""
    for what, key in (("UDP port", "port"), ("VNI", "vni")):
        mine = getattr(link, key)
        usual = Counter(getattr(other, key) for other in others).most_common(1)[0][0]
        alone = len(others) > 1 or (before is not None and getattr(before, key) != mine)
        if mine == usual or not alone:
            continue
        yield _different(
            situation,
            node,
            link.name,
            carries,
            f"has {what} {mine}, the other nodes have {usual}: neither side takes the other's "
            f"packets",
            f"give it {usual} (Calico: FelixConfiguration node.{node} and default)",
            "projectcalico/calico 10692" if key == "port" else "",
        )


def _mtu(
    node: str,
    link: LinkSeen,
    others: list[LinkSeen],
    before: LinkSeen | None,
    carries: tuple[Family, ...],
) -> Iterator[Cause]:
    usual = Counter(other.mtu for other in others).most_common(1)
    wanted = usual[0][0] if usual else (before.mtu if before else link.mtu)
    alone = len(others) > 1 or (before is not None and before.mtu != link.mtu)
    if link.mtu == wanted or not alone:
        return
    was = "" if before is None or before.mtu == link.mtu else f" ({before.mtu} when the run began)"
    yield Cause(
        "device-mtu",
        f"node {node}",
        f"{link.name} has MTU {link.mtu}{was}, on the other nodes it has {wanted}",
        f"Set it to {wanted} (ip link set dev {link.name} mtu {wanted}), and find who changed it",
        carries,
        Confidence.SHOWN,
        hits=lambda wrong: _sized(wrong) and touches(wrong.observation.flow, node),
    )


def _sized(wrong: Disagreement) -> bool:
    """Whether sizes matter to it."""
    flow = wrong.observation.flow
    return "byte" in flow.question or wrong.observation.outcome in (
        Outcome.TOO_BIG,
        Outcome.WRONG,
        Outcome.DROPPED,
        Outcome.REPLY_LOST,
    )


def _different(
    situation: Situation,
    node: str,
    name: str,
    carries: tuple[Family, ...],
    what: str,
    do: str,
    like: str = "",
) -> Cause:
    def carried(flow: Flow) -> bool:
        return carried_over(flow) in carries and crosses(flow, node)

    def must(flow: Flow) -> bool:
        pods = flow.source.kind is flow.destination.kind is EndpointKind.POD
        return pods and flow.crosses_nodes and not behind(flow.destination) and carried(flow)

    earlier = _before(situation, node, name)
    now = next((x for x in situation.nodes[node].links if x.name == name), None)
    since = ""
    if node in situation.earlier:
        since = "since before the run" if earlier == now else "since the run began"
    hits: Callable[[Disagreement], bool] = lambda wrong: carried(wrong.observation.flow)  # noqa: E731
    return Cause(
        "device",
        f"node {node}",
        f"{name} {what}",
        f"{do[0].upper()}{do[1:]}",
        carries,
        Confidence.SHOWN,
        hits,
        must,
        (f"{name} carries {' and '.join(carries)} to the pods of other nodes",),
        since,
        like,
    )


RULES = (
    Rule(
        "device",
        "A tunnel device of a node is down, gone, or set otherwise than the other nodes'",
        "network devices of each node: VNI, UDP port, state; the ways that lead over them",
        find,
        ("R7",),
        "projectcalico/calico 10692, RFC 7348",
    ),
    Rule(
        "device-mtu",
        "A device of a node has another MTU than on the other nodes, or than when the run began",
        "network devices of each node",
        lambda _: (),
        ("I3T", "I2L"),
        "RFC 8200 section 5",
    ),
)
