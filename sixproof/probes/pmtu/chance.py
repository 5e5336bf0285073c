"""Datagrams that were lost by chance: not for their size. Pure."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.model import Family, Flow

CHANCE = 0.25
"""Share of a family's paths on which datagrams may be lost by chance, one path in any case. What
one node lost at the same time, on however many paths, counts as one."""


@dataclasses.dataclass(frozen=True, slots=True)
class LostDatagram:
    """One datagram of a flow: at `index` of the `row` in which it was sent."""

    flow: int
    row: list[protocol.Sized]
    index: int
    step: str
    fragment: bool = False

    @property
    def sent(self) -> protocol.Sized:
        """What came of it."""
        return self.row[self.index]


def lost_by_chance(
    flows: Sequence[Flow],
    first: Sequence[list[protocol.Sized]],
    pattern: Sequence[list[protocol.Sized]],
    small: Sequence[list[protocol.Sized]],
    fragments: Sequence[list[protocol.Sized]],
) -> list[LostDatagram]:
    """The datagrams that were not lost for their size: the path carried others of it, or larger
    ones, and on most paths of the family nothing was lost. Whatever is too large for a path is lost
    each time. The first one is not among them where a Packet Too Big followed. What one node sent
    in one step is lost together, by what happens on that node.

    Networks may lose a datagram; kube-proxy does, since 1.32: when it programs rules it deletes the
    connection tracking of UDP flows to NodePorts of other nodes, and an answer that is on its way
    is not translated back (kubernetes/kubernetes, pkg/proxy/conntrack, CleanStaleEntries).
    """
    lost: dict[Family, dict[int, list[LostDatagram]]] = defaultdict(lambda: defaultdict(list))
    for i, flow in enumerate(flows):
        sent = pattern[i]
        passed = [one.size for one in sent if one.event == Event.ECHOED]
        if not passed:
            continue
        signalled = any(one.icmp for one in sent)
        begun = [one.event for one in sent].index(Event.ECHOED)
        mine = [
            LostDatagram(i, sent, k, f"pattern {k}", fragment=True)
            for k in range(begun + 1, len(sent))
        ]
        if first[i][0].size in passed and not signalled:
            mine.append(LostDatagram(i, first[i], 0, "first"))
        mine.append(LostDatagram(i, small[i], 0, "small"))
        mine.append(LostDatagram(i, fragments[i], 0, "fragments", fragment=True))
        if those := [one for one in mine if one.sent.event == Event.SILENT]:
            lost[flow.family][i] += those
    return [
        one
        for family, paths in lost.items()
        if _occasions(flows, paths) <= max(1, sum(f.family is family for f in flows) * CHANCE)
        for those in paths.values()
        for one in those
    ]


def _occasions(flows: Sequence[Flow], paths: Mapping[int, Sequence[LostDatagram]]) -> int:
    """On how many occasions datagrams were lost: a path is one, or a step of a node."""
    steps = {(flows[i].source.node, one.step) for i, those in paths.items() for one in those}
    return min(len(paths), len(steps))
