"""BGP sessions: a node, or a peer of several nodes, has sessions that are not Established."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set

from sixproof.model import Disagreement, Endpoint, EndpointKind, Family, Flow, MatrixKind
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.reach import came_back, carried_over
from sixproof.reporting.conclusion.situation import Situation

REFUSED = ("TcpExtTCPMD5NotFound", "TcpExtTCPMD5Unexpected", "TcpExtTCPMD5Failure")
"""Counters of /proc/net/netstat: segments that the kernel refuses for their signature."""


def find(situation: Situation) -> Iterator[Cause]:
    """Of each family the end that most of such sessions have in common, then that of the others: a
    peer of several nodes rather than each of these."""
    left: dict[Family, list[Disagreement]] = defaultdict(list)
    behind = _behind(situation)
    for wrong in situation.wrong_of(MatrixKind.SESSIONS):
        if wrong.observation.flow.source.node not in behind:
            left[carried_over(wrong.observation.flow)].append(wrong)
    for family, cells in left.items():
        while cells:
            place = _commonest(cells)
            mine = [cell for cell in cells if place in _ends(cell)]
            cells = [cell for cell in cells if place not in _ends(cell)]
            yield _cause(situation, family, place, mine)


def find_behind(situation: Situation) -> Iterator[Cause]:
    """Nodes that do not do what a new BGPPeer says, though their other sessions are Established."""
    for node, cells in _behind(situation).items():
        families = tuple(f for f in Family if any(f is c.observation.flow.family for c in cells))
        peers = {peer for cell in cells for peer in [_ends(cell)[1]]}
        yield Cause(
            "bgp-not-followed",
            f"node {node}",
            f"its BGP does not follow: {cells[0].observation.reason}, while its other sessions are "
            "Established",
            f"See calico-node's log on {node} for confd, then restart that pod",
            families,
            Confidence.SHOWN,
            hits=lambda wrong, node=node, peers=peers: (  # type: ignore[misc]
                wrong.observation.flow.source.node == node
                and wrong.observation.flow.destination in peers
            ),
            evidence=tuple(
                f"over {cell.observation.flow.family}: {cell.observation.reason}" for cell in cells
            ),
        )


def _behind(situation: Situation) -> dict[str, list[Disagreement]]:
    """Of each node whose sessions with others are all well, its wrong ones with a peer of the
    run."""
    mine: dict[str, list[Disagreement]] = defaultdict(list)
    others: set[str] = set()
    for wrong in situation.wrong_of(MatrixKind.SESSIONS):
        source, peer = _ends(wrong)
        if peer.kind is EndpointKind.POD:
            mine[source.node].append(wrong)
        else:
            others |= {source.node, peer.node}
    well = {
        o.flow.source.node
        for o in situation.seen_of(MatrixKind.SESSIONS)
        if o.outcome.works and o.flow.destination.kind is not EndpointKind.POD
    }
    return {node: cells for node, cells in mine.items() if node in well - others}


def _ends(cell: Disagreement) -> tuple[Endpoint, Endpoint]:
    return cell.observation.flow.source, cell.observation.flow.destination


def _commonest(cells: Sequence[Disagreement]) -> Endpoint:
    """The end of most of them; of two that have as many the one that was asked."""
    counts: dict[Endpoint, int] = defaultdict(int)
    for cell in cells:
        for end in _ends(cell):
            counts[end] += 1
    return max(counts, key=lambda end: (counts[end], end in {_ends(c)[0] for c in cells}))


def _cause(
    situation: Situation, family: Family, place: Endpoint, cells: Sequence[Disagreement]
) -> Cause:
    first = cells[0]
    source, peer = _ends(first)
    other = peer if place == source else source
    asked = {o.flow for o in situation.seen_of(MatrixKind.SESSIONS)}
    every = [f for f in asked if carried_over(f) is family and place in (f.source, f.destination)]
    count = f"{len(cells)} of its {len(every)} BGP sessions over {family}"
    verb = "is" if len(cells) == 1 else "are"
    node = source.node
    what = f"{count} {verb} not Established, with {_called(other)} for one"
    routes = {wrong.observation.flow for wrong in situation.wrong_of(MatrixKind.ROUTES)}
    refused = _unsigned(situation, {_ends(cell)[0].node for cell in cells})
    if refused:
        reason = "the two sides' passwords differ (TCP MD5 signatures)"
        remedy = "Give both the same password (BGPPeer, password.secretKeyRef), or neither"
    elif peer.kind is EndpointKind.POD and place == source:
        reason = first.observation.reason
        remedy = f"See whether confd and BIRD of {family} follow: calico-node's log on {node}"
    else:
        reason = first.observation.reason
        remedy = (
            f"See tcp/179, passwords and AS numbers of both sides, and calico-node's log on {node}"
        )
    return Cause(
        "bgp-session",
        _called(place),
        f"{what}: {reason}",
        remedy,
        (family,),
        Confidence.SHOWN,
        hits=lambda wrong: _reached(wrong, family, place, routes),
        evidence=(
            *(
                f"the kernel of {where} refused {number} TCP segments whose MD5 signature (RFC "
                f"2385) was missing, unexpected or wrong"
                for where, number in refused.items()
            ),
            *(
                f"{_called(a)} to {_called(b)}: {cell.observation.reason}"
                for cell in cells[:4]
                for a, b in [_ends(cell)]
            ),
        ),
    )


def find_unannounced(situation: Situation) -> Iterator[Cause]:
    """Of each node and family what is wrong with its routes, as the run's own BGP peer heard."""
    wrong: dict[tuple[Endpoint, Family], list[Disagreement]] = defaultdict(list)
    for cell in situation.wrong_of(MatrixKind.ANNOUNCEMENTS):
        if cell.observation.outcome.measured:
            wrong[cell.observation.flow.source, cell.observation.flow.family].append(cell)
    for (host, family), cells in wrong.items():
        node = host.node
        said = tuple(dict.fromkeys(cell.observation.reason for cell in cells))
        more = f" ({len(said)} such routes)" if len(said) > 1 else ""
        yield Cause(
            "bgp-announcement",
            f"node {node}",
            f"{said[0]}{more}: what it tells a BGP peer over {family} is wrong",
            f"See calico-node's log on {node}, then restart that pod",
            (family,),
            Confidence.SHOWN,
            hits=lambda wrong, node=node, family=family: (  # type: ignore[misc]
                _unannounced(wrong, node, family)
            ),
            evidence=said[:4],
        )


def _unannounced(wrong: Disagreement, node: str, family: Family) -> bool:
    """Its own announcements, and packets from elsewhere that need the routes to its pods."""
    flow = wrong.observation.flow
    if carried_over(flow) is not family:
        return False
    if flow.source.node == node and flow.destination.kind is EndpointKind.POD and flow.question:
        return True
    apart = flow.source.node != flow.destination.node
    return apart and node in (flow.source.node, flow.destination.node) and not came_back(wrong)


def _called(end: Endpoint) -> str:
    """One side of a session: a node, a peer outside, or the run's own peer in a pod."""
    at_home = end.kind is not EndpointKind.POD and end.node
    return f"node {end.node}" if at_home else end.called


def _unsigned(situation: Situation, nodes: Iterable[str]) -> dict[str, int]:
    """How many segments the kernels of these nodes refused for their signature during the run."""
    found = {}
    for node in sorted(nodes):
        now, before = situation.nodes.get(node), situation.earlier.get(node)
        if now is not None and before is not None:
            found[node] = sum(now.counters.get(c, 0) - before.counters.get(c, 0) for c in REFUSED)
    return {node: number for node, number in found.items() if number > 0}


def _reached(wrong: Disagreement, family: Family, place: Endpoint, routes: Set[Flow]) -> bool:
    """The sessions themselves, and packets over this family that need the routes they carried: of
    a router outside those to and from whatever is outside, since it may be behind it, and the
    `routes` that it lacks."""
    flow = wrong.observation.flow
    if carried_over(flow) is not family:
        return False
    ends = (flow.source, flow.destination)
    if place in ends:
        return True
    if place.kind is EndpointKind.OUTSIDE:
        beyond = any(end.kind is EndpointKind.OUTSIDE for end in ends)
        return beyond and (flow in routes or not came_back(wrong))
    at_node = bool(place.node) and place.node in (flow.source.node, flow.destination.node)
    return at_node and flow.source.node != flow.destination.node and not came_back(wrong)


RULES = (
    CauseRule(
        "bgp-session",
        "A BGP session that Calico is configured to have is not Established",
        "CalicoNodeStatus of each node, BGPConfiguration, BGPPeers, TCP MD5 counters (suites/bgp)",
        find,
        ("B1", "B2"),
        "RFC 4271 section 8.2.2",
    ),
    CauseRule(
        "bgp-not-followed",
        "A node does not follow a new BGPPeer, though its other BGP sessions are Established",
        "BGP sessions with the run's own peer, CalicoNodeStatus (suites/bgp)",
        find_behind,
        ("B5",),
        "Calico documentation, Component architecture (confd)",
    ),
    CauseRule(
        "bgp-announcement",
        "A node does not announce what it has to, or not as it has to",
        "what nodes announce to the run's own BGP peer, IPAM blocks, BGPConfiguration (suites/bgp)",
        find_unannounced,
        ("B6",),
        "RFC 4271 section 9.2",
    ),
)
