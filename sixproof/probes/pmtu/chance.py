"""Datagrams that were lost by chance: not for their size. Pure."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.model import Family, Flow

CHANCE = 0.25
"""Share of a family's paths on which datagrams may be lost by chance, one path in any case."""


@dataclasses.dataclass(frozen=True, slots=True)
class LostDatagram:
    """One datagram of a flow: at `index` of the `row` in which it was sent."""

    flow: int
    row: list[protocol.Sized]
    index: int
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
    each time. The first one is not among them where a Packet Too Big followed.

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
        mine = [LostDatagram(i, sent, k, fragment=True) for k in range(begun + 1, len(sent))]
        mine += [LostDatagram(i, first[i], 0)] * (first[i][0].size in passed and not signalled)
        mine += [LostDatagram(i, small[i], 0), LostDatagram(i, fragments[i], 0, fragment=True)]
        if those := [one for one in mine if one.sent.event == Event.SILENT]:
            lost[flow.family][i] += those
    few = {f: sum(flow.family is f for flow in flows) * CHANCE for f in lost}
    return [
        one
        for family, paths in lost.items()
        if len(paths) <= max(1, few[family])
        for those in paths.values()
        for one in those
    ]
