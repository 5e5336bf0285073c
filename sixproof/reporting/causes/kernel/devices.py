"""Devices: a tunnel or link of a node differs from everybody else's, or is down."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from sixproof.agent.protocol import LinkSeen
from sixproof.model import Disagreement, Family, Flow, Outcome
from sixproof.probes.nodes import fib
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence, since
from sixproof.reporting.conclusion.reach import between_pods_across, carried_over, crosses, touches
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_list

SHARED = ("vxlan", "ipip", "tunl", "wireguard", "geneve")
"""Kinds of devices that all nodes must have alike."""


@dataclasses.dataclass
class _Odd:
    """What devices of a node have otherwise than they must; `what` follows their names, `carries`
    has the families that each carries."""

    node: str
    what: str
    do: str
    carries: dict[str, tuple[Family, ...]] = dataclasses.field(default_factory=dict)


def find(situation: Situation) -> Iterator[Cause]:
    """Each property of shared devices that one node has otherwise than most, or than before: the
    tunnels of both families as one, where they have it alike."""
    tables = {n: {link.name: link for link in s.links} for n, s in situation.nodes.items()}
    names = Counter(name for links in tables.values() for name in links)
    carried = _carried(situation)
    odd: dict[tuple[str, str], _Odd] = {}
    for node, links in tables.items():
        for name, count in names.items():
            if count <= len(tables) / 2 or name not in carried:
                continue  # one node's own, or no way between nodes leads over it
            others = [t[name] for n, t in tables.items() if n != node and name in t]
            before = _before(situation, node, name)
            for found in _oddities(node, links.get(name), others, before):
                one = odd.setdefault((node, found.what), found)
                one.carries[name] = carried[name]
            if link := links.get(name):
                yield from _mtu(node, link, others, before, carried[name])
    for one in odd.values():
        yield _cause(situation, one)


def _oddities(
    node: str, link: LinkSeen | None, others: list[LinkSeen], before: LinkSeen | None
) -> Iterator[_Odd]:
    """What is wrong with a device of a node."""
    if link is None:
        yield _Odd(node, "is not there", "make it again")
        return
    if not link.up:
        yield _Odd(node, "is down", "set it up")
    if not others or not link.kind.startswith(SHARED):
        return
    for what, key in (("UDP port", "port"), ("VNI", "vni")):
        mine = getattr(link, key)
        usual = Counter(getattr(other, key) for other in others).most_common(1)[0][0]
        alone = len(others) > 1 or (before is not None and getattr(before, key) != mine)
        if mine != usual and alone:
            yield _Odd(
                node,
                f"has {what} {mine}, the other nodes have {usual}: neither side takes the other's "
                f"packets",
                f"give it {usual} (Calico: FelixConfiguration node.{node} and default)",
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
        Confidence.FITS,
        hits=lambda wrong: _sized(wrong) and touches(wrong.observation.flow, node),
        about=link.name,
    )


def _sized(wrong: Disagreement) -> bool:
    """Whether sizes matter to it: a path check or a crafted packet, and not just any lost flow."""
    outcome = wrong.observation.outcome
    return outcome is Outcome.TOO_BIG or bool(wrong.observation.flow.question)


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
        f"{said_list(sorted(odd.carries))} {what}",
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
        "A tunnel device of a node is down, gone, or set otherwise than the other nodes'",
        "network devices of each node: VNI, UDP port, state; the ways that lead over them",
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
