"""Devices: a tunnel or link of a node differs from those of all other nodes, or is down."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

from sixproof.agent.protocol.node import KIND_ADDRESSES, LinkSeen
from sixproof.model import Disagreement, Family, Flow
from sixproof.probes.nodes import fib
from sixproof.probes.pmtu.interfaces import UNDERLAY
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence, Trait, since
from sixproof.reporting.conclusion.reach import between_pods_across, carried_over, crosses, sized
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_families, said_list

SHARED = ("vxlan", "ipip", "tunl", "wireguard", "geneve")
"""Kinds of devices that all nodes must have alike."""
UNREACHED = "pods of other nodes are not reached"


@dataclasses.dataclass
class _Odd:
    """What devices of a node have other than they must; `what` follows their names, `effect` is the
    result, in front of the families, `carries` has the families that each carries. `traits` are
    the cause's."""

    node: str
    what: str
    effect: str
    do: str
    carries: dict[str, tuple[Family, ...]] = dataclasses.field(default_factory=dict)
    traits: frozenset[Trait] = frozenset()


def find(situation: Situation) -> Iterator[Cause]:
    """Each property of shared devices that one node has otherwise than most, or than before: the
    tunnels of both families as one, where they have it alike."""
    tables = {n: {link.name: link for link in s.links} for n, s in situation.nodes.items()}
    names = Counter(name for links in tables.values() for name in links)
    carried = _carried(situation)
    odd: dict[tuple[str, str], _Odd] = {}
    below = {n: link for n in situation.nodes if (link := _link_below(situation, n))}
    beneath: set[str] = set()
    for node, link in below.items():
        others = [other for n, other in below.items() if n != node]
        for cause in _mtu(situation, node, link, others, tuple(Family)):
            beneath.add(node)
            yield dataclasses.replace(cause, parts=(link.name, UNDERLAY))
    for node, links in tables.items():
        for name, count in names.items():
            if count <= len(tables) / 2 or name not in carried:
                continue  # one node's own, or no way between nodes leads over it
            others = [t[name] for n, t in tables.items() if n != node and name in t]
            before = _before(situation, node, name)
            for found in (
                *_oddities(node, links.get(name), others, before),
                *_foreign(situation, node, links.get(name)),
            ):
                one = odd.setdefault((node, found.what), found)
                one.carries[name] = carried[name]
            if name in links and links[name] != below.get(node):
                sign = Confidence.SIGN if node in beneath else Confidence.FITS
                yield from _mtu(situation, node, links[name], others, carried[name], sign)
    for one in odd.values():
        yield _cause(situation, one)


def _oddities(
    node: str, link: LinkSeen | None, others: list[LinkSeen], before: LinkSeen | None
) -> Iterator[_Odd]:
    """What is wrong with a device of a node."""
    if link is None:
        yield _Odd(node, "is not there", UNREACHED, "make it again")
        return
    if not link.up:
        yield _Odd(node, "is down", UNREACHED, "set it up")
    if not others or not link.kind.startswith(SHARED):
        return
    for what, key in (("UDP port", "port"), ("VNI", "vni")):
        mine = getattr(link, key)
        usual = _usual(mine, [getattr(other, key) for other in others], getattr(before, key, None))
        if mine != usual:
            yield _Odd(
                node,
                f"has {what} {mine}, the other nodes have {usual}",
                "neither side takes the other's packets",
                f"give it {usual} (Calico: FelixConfiguration node.{node}, else default)",
                traits=frozenset({Trait.VXLAN_PORT} if key == "port" else ()),
            )


def _foreign(situation: Situation, node: str, link: LinkSeen | None) -> Iterator[_Odd]:
    """A tunnel that sends from an address that no device of its node has, nor is its InternalIP
    (which, missing from its device, is a cause of its own)."""
    seen = situation.nodes[node]
    if link is None or not link.local or seen.lacks(KIND_ADDRESSES):
        return
    local = ip_address(link.local)
    held = {ip_address(one.address) for one in seen.addresses}
    if not held or local in (*held, *situation.node_addresses.get(node, ())):
        return
    owner = situation.holders.get(local)
    whose = f"an address of {owner}" if owner else "which none of the node's devices has"
    yield _Odd(
        node,
        f"has local address {local}, {whose}",
        UNREACHED,
        f"give it an address of {node} (Calico: restart calico-node there), and find out who set "
        f"it",
    )


def _carried(situation: Situation) -> Mapping[str, tuple[Family, ...]]:
    """The families whose packets nodes send to others over each device, by routes of any node;
    where no flow was measured, both for each tunnel."""
    found: dict[str, set[Family]] = defaultdict(set)
    if not situation.endpoints:
        for seen in situation.nodes.values():
            found.update({x.name: set(Family) for x in seen.links if x.kind in SHARED})
    for node, seen in situation.nodes.items():
        for end in situation.endpoints:
            for address in end.addresses if end.node != node else ():
                way = fib.way(seen, address)
                if way.open and way.route:
                    found[way.route.device].add(Family.of(address))
    return {name: tuple(f for f in Family if f in those) for name, those in found.items()}


def _before(situation: Situation, node: str, name: str) -> LinkSeen | None:
    earlier = situation.earlier.get(node)
    return next((link for link in earlier.links if link.name == name), None) if earlier else None


def _usual(mine: int, others: Sequence[int], before: int | None) -> int:
    """What a device should have: what most nodes have, this one among them; where there is no such
    majority, what it had when the run began, if others still have that."""
    value, count = Counter([mine, *others]).most_common(1)[0]
    if count > (1 + len(others)) / 2:
        return value
    return before if before is not None and before in others else mine


def _mtu(
    situation: Situation,
    node: str,
    link: LinkSeen,
    others: Sequence[LinkSeen],
    carries: tuple[Family, ...],
    confidence: Confidence = Confidence.FITS,
) -> Iterator[Cause]:
    """A device whose MTU is not what it should be beside the `others` of its kind."""
    earlier = _before(situation, node, link.name)
    before = earlier.mtu if earlier else None
    usual = _usual(link.mtu, [other.mtu for other in others], before)
    if link.mtu == usual:
        return

    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        return sized(wrong) and carried_over(flow) in carries and situation.passes(flow, node)

    was = "" if before is None or before == link.mtu else f" ({before} bytes when the run began)"
    measured = (
        situation.endpoints or link.kind not in SHARED
    )  # else it is unknown what tunnels carry
    families_text = f"; it carries {said_families(carries)}" if measured else ""
    yield Cause(
        "device-mtu",
        f"node {node}",
        f"{link.name} has MTU {link.mtu} bytes{was}, on the other nodes it has {usual} bytes"
        f"{families_text}",
        f"Set it to {usual} bytes, and find out what sets it to {link.mtu} bytes",
        carries,
        confidence,
        hits=hits,
        since=since(True) if before == link.mtu else "",
        do=(Command.of("ip", "link", "set", "dev", link.name, "mtu", usual, on=node),),
        parts=(link.name,),
    )


def _link_below(situation: Situation, node: str) -> LinkSeen | None:
    """The link by which a node sends to other nodes, under its tunnels, which take its MTU over
    sooner or later; None where that is not known, or a tunnel itself."""
    seen = situation.nodes[node]
    links = {link.name: link for link in seen.links if not link.kind.startswith(SHARED)}
    for other, addresses in situation.node_addresses.items():
        for address in addresses if other != node else ():
            way = fib.way(seen, address)
            if way.open and way.route:
                return links.get(way.route.device)
    return None


def _cause(situation: Situation, odd: _Odd) -> Cause:
    families = tuple(f for f in Family if any(f in those for those in odd.carries.values()))

    def carried(flow: Flow) -> bool:
        return carried_over(flow) in families and crosses(flow, odd.node)

    def must(flow: Flow) -> bool:
        return between_pods_across(flow) and carried(flow)

    what = odd.what
    if len(odd.carries) > 1:
        what = what.replace("has ", "have ", 1).replace("is ", "are ", 1)
    return Cause(
        "device",
        f"node {odd.node}",
        f"{said_list(sorted(odd.carries))} {what}: {odd.effect}, over {said_families(families)}",
        f"{odd.do[0].upper()}{odd.do[1:]}",
        families,
        Confidence.SHOWN,
        hits=lambda wrong: carried(wrong.observation.flow),
        must=must,
        evidence=tuple(
            f"{name} carries {' and '.join(carries)} to the pods of other nodes"
            for name, carries in sorted(odd.carries.items())
        ),
        since=_since(situation, odd),
        traits=odd.traits,
    )


def _since(situation: Situation, odd: _Odd) -> str:
    """Whether it was so when the run began."""
    if odd.node not in situation.earlier:
        return ""
    links = {link.name: link for link in situation.nodes[odd.node].links}
    return since(all(_before(situation, odd.node, n) == links.get(n) for n in odd.carries))


RULES = (
    CauseRule(
        "device",
        "A tunnel device of a node is down, gone, or configured differently from the other nodes'",
        "network devices of each node: VNI, UDP port, local address, state; the ways that lead "
        "over them; addresses of nodes",
        find,
        ("R7",),
        "RFC 7348",
    ),
    CauseRule(
        "device-mtu",
        "A device of a node has another MTU than on the other nodes, or than when the run began",
        "network devices of each node",
        find,
        ("I3T", "I2L"),
        "RFC 8200 section 5",
    ),
)
