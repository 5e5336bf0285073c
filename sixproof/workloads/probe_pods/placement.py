"""Placement: which nodes get probe pods."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from sixproof.errors import UsageError
from sixproof.model import LINUX, ClusterFacts, NodeFacts

DEFAULT_LIMIT = 6
"""Nodes covered unless the user says otherwise; the matrix grows with their square."""
NAMED = 6
"""Nodes that one line names."""


@dataclasses.dataclass(frozen=True, slots=True)
class Placement:
    """The nodes chosen, in the API's order, and those left out with the reason; `further` are
    nodes beyond those chosen that get one pod and one agent in the host network; `zones` are those
    of nodes that have one."""

    nodes: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    further: tuple[str, ...] = ()
    zones: tuple[tuple[str, str], ...] = ()


def choose(
    facts: ClusterFacts,
    *,
    names: tuple[str, ...] = (),
    limit: int = DEFAULT_LIMIT,
    further: int = 0,
    labelled: Mapping[str, bool] | None = None,
) -> Placement:
    """Choose ready, schedulable nodes that run Linux.

    `names` picks nodes by name, each once, and overrides everything but the operating system: what
    cannot run a probe is never used. `labelled` states which nodes a node selector accepts (None:
    all); `limit` bounds their number, `further` that of the nodes that come after them.

    Raises:
        UsageError: a named node does not exist or cannot run a probe, or nothing is left.
    """
    if not facts.nodes:
        unread = dict(facts.extra).get("unknown", "")[:200]
        seen = f"no node can be seen: {unread}" if unread else "the cluster has no node"
        raise UsageError(f"no node can take probe pods: {seen}")
    known = {node.name: node for node in facts.nodes}
    zones = tuple((node.name, node.zone) for node in facts.nodes if node.zone)
    if unknown := [name for name in names if name not in known]:
        have = ", ".join(known)
        raise UsageError(f"--six-nodes: no node {', '.join(unknown)}; the cluster has {have}")
    if names:
        if foreign := [f"{name} {why}" for name in names if (why := _foreign(known[name]))]:
            raise UsageError(f"--six-nodes: {'; '.join(foreign)}")
        return Placement(
            tuple(dict.fromkeys(names)),
            tuple((n, "not named in --six-nodes") for n in known if n not in names),
            zones=zones,
        )
    chosen: list[str] = []
    beyond: list[str] = []
    left_out: list[tuple[str, str]] = []
    for node in facts.nodes:
        reason = _unfit(node)
        if not reason and labelled is not None and not labelled.get(node.name, False):
            reason = "not matched by --six-node-selector"
        if reason:
            left_out.append((node.name, reason))
        elif len(chosen) < limit:
            chosen.append(node.name)
        elif len(beyond) < further:
            beyond.append(node.name)
        else:
            left_out.append((node.name, _too_many(limit, further)))
    if not chosen:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out)
        raise UsageError(f"no node can take probe pods: {reasons}")
    return Placement(tuple(chosen), tuple(left_out), tuple(beyond), zones)


def _too_many(limit: int, further: int) -> str:
    if not further:
        return f"beyond the first {limit} nodes; raise --six-nodes to cover it"
    raises = "raise --six-nodes to cover it, or --six-further-nodes to try how it is reached"
    return f"beyond the first {limit} nodes and {further} further ones; {raises}"


def _unfit(node: NodeFacts) -> str:
    if foreign := _foreign(node):
        return foreign
    if not node.ready:
        return "not ready"
    if not node.schedulable:
        return "cordoned"
    return ""


def _foreign(node: NodeFacts) -> str:
    """Why no probe pod can run on a node whatever its state, "" where one can."""
    if node.virtual:
        return f"{node.virtual}: no machine that pods share, and no host network"
    return f"runs {node.os}; probe pods need {LINUX}" if node.os not in ("", LINUX) else ""


def grouped(left_out: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The nodes that were left out for each reason (``nodes a, b and 3 more``), and the reason."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for node, reason in left_out:
        groups[reason].append(node)
    for reason, group in groups.items():
        more = f" and {len(group) - NAMED} more" if len(group) > NAMED else ""
        yield f"node{'s' * (len(group) > 1)} {', '.join(group[:NAMED])}{more}", reason
