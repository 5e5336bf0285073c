"""Where a Packet Too Big was made and where it got lost, by the kernels' own counters."""

from __future__ import annotations

import dataclasses

from sixproof.model import Family
from sixproof.probes.pmtu.path_run import PathResult, PathRun

MADE = {Family.IPV6: "Icmp6OutPktTooBigs", Family.IPV4: "IcmpMsgOutType3"}
MET = {Family.IPV6: "Ip6InTooBigErrors", Family.IPV4: "IpFragFails"}
CAME = {Family.IPV6: "Icmp6InPktTooBigs", Family.IPV4: "IcmpMsgInType3"}
"""RFC 4293 and RFC 4292 objects as Linux names them; IPv4 counts all unreachables together."""


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """What kernels counted while a path was measured: by node, and at its source."""

    made: tuple[tuple[str, int], ...]
    met: tuple[tuple[str, int], ...]
    came: int
    family: Family
    source_node: str
    known: bool

    @property
    def place(self) -> str:
        """The node to look at, empty where counters show none."""
        makers = [node for node, _ in self.made or self.met]
        if self.came or not makers:
            return ""
        return self.source_node if self.source_node in makers else makers[0]

    def __str__(self) -> str:
        if not self.known:
            return "no agent on the nodes' networks could be asked for counters"
        name = "Packet Too Big" if self.family is Family.IPV6 else "fragmentation needed"
        counter = MADE[self.family]
        if not self.made and not self.met:
            return f"no node of the path made a {name} ({counter} did not rise)"
        who = ", ".join(f"{node} made {count}" for node, count in self.made)
        who = who or ", ".join(f"{n} met {c} packets too big" for n, c in self.met)
        text = f"{name}: {who} ({counter}), the source received {self.came} ({CAME[self.family]})"
        if not self.came:
            only = self.place == self.source_node
            text += f": lost on {self.place}" if only else f": lost behind {self.place}"
        return text


def trace(path_result: PathResult, seen: PathRun) -> Trace:
    """The counters of a path's nodes and source.

    They count for the whole probe: other pairs of the same nodes are in them.
    """
    flow = path_result.flow
    places = (flow.source.node, *(h.where for h in path_result.path.hops), flow.destination.node)
    nodes = [n for n in dict.fromkeys(places) if n in seen.nodes]

    def moved(counter: str) -> tuple[tuple[str, int], ...]:
        found = ((n, seen.counted.get(seen.nodes[n].name, {}).get(counter, 0)) for n in nodes)
        return tuple((n, count) for n, count in found if count)

    return Trace(
        made=moved(MADE[flow.family]),
        met=moved(MET[flow.family]),
        came=seen.counted.get(flow.source.name, {}).get(CAME[flow.family], 0),
        family=flow.family,
        source_node=flow.source.node,
        known=bool(nodes),
    )
