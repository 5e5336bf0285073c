"""Counters of drops and errors that moved where a cause lies, more than anywhere else."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from sixproof.agent.protocol import NodeSeen
from sixproof.model import Family
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_list

SHOWN = 3
FACTOR = 2
"""By how much more a counter must have risen than on each other node: some move everywhere."""

_BAD = re.compile(
    r"Discards$|NoRoutes$|HdrErrors$|AddrErrors$|TooBigErrors$|TruncatedPkts$|ReasmFails$"
    r"|FragFails$|InErrors$|CsumErrors$|bufErrors$|RetransSegs$|TimeExcds$|PktTooBigs$|Drops?$"
    r"|_drop$|_insert_failed$"
)
"""Of /proc/net/snmp, snmp6, netstat and connection tracking; what closed ports answer is none."""
_OF_FAMILY = re.compile(r"(?:Ip|Icmp|Udp|UdpLite)(6?)[A-Z]")


def moved(situation: Situation, node: str, families: Collection[Family]) -> str:
    """The counters that rose most on a node during the run, "" where none did: those of these
    families, and those that know no family (TCP, connection tracking)."""
    rose = {
        name: _risen(seen, situation.earlier[name])
        for name, seen in situation.nodes.items()
        if name in situation.earlier
    }
    here = rose.pop(node, {})
    most = {name: max([0, *(other.get(name, 0) for other in rose.values())]) for name in here}
    risen = [
        (by, name)
        for name, by in here.items()
        if by > FACTOR * most[name] and _is_of(name, families)
    ]
    best = [f"{name} by {by}" for by, name in sorted(risen, reverse=True)[:SHOWN]]
    return f"counters that rose there during the run: {said_list(best)}" if best else ""


def _risen(now: NodeSeen, before: NodeSeen) -> Mapping[str, int]:
    return {
        name: value - before.counters.get(name, 0)
        for name, value in now.counters.items()
        if _BAD.search(name)
    }


def _is_of(name: str, families: Collection[Family]) -> bool:
    found = _OF_FAMILY.match(name)
    return found is None or (Family.IPV6 if found[1] else Family.IPV4) in families
