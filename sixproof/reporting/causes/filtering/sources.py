"""Source addresses: packets are masqueraded where they must not be, or are not where they must."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address

from sixproof.model import Disagreement, Endpoint, EndpointKind, Family, MatrixKind, Observation
from sixproof.reporting.causes.filtering.packet_filter import translating
from sixproof.reporting.causes.filtering.takings import REMEDY, Taking
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence, Trait
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.merged import behind
from sixproof.reporting.diagnosis.pattern import said_some

OWN = "their own"


@dataclasses.dataclass(frozen=True)
class _Translation:
    """Packets that `node` translated alike, or left as they were: those of its own pods or host
    network (`kind`) that arrive from `whose` address, or all that come `inwards` from others."""

    node: str
    family: Family
    kind: EndpointKind = EndpointKind.POD
    whose: str = ""
    inwards: bool = False


def find(situation: Situation) -> Iterator[Cause]:
    """Each node whose packets arrive from another address than they must, with whose that is; and
    each that translates what comes from other nodes."""
    groups: dict[_Translation, list[Disagreement]] = defaultdict(list)
    within: list[tuple[_Translation, Disagreement]] = []
    for wrong in situation.wrong_of(MatrixKind.SOURCES):
        seen, family = wrong.observation, wrong.observation.flow.family
        source = seen.flow.source
        if seen.peer_saw is None:
            continue
        whose = OWN if seen.peer_saw in source.addresses else str(seen.peer_saw)
        outwards = _Translation(source.node, family, source.kind, whose)
        holder = _holder(situation, seen) if whose != OWN else ""
        if holder and holder == _taken_by(situation, seen):
            arriving = _Translation(holder, family, inwards=True)
            if holder != source.node:
                groups[arriving].append(wrong)
                continue
            within.append((arriving, wrong))
        groups[outwards].append(wrong)
    for group, wrong in within:  # on one node both would do it
        if group in groups:
            groups[group].append(wrong)
    for group, cells in groups.items():
        if not group.node:
            continue  # a client outside: who translated its packets is not known
        yield (_arriving if group.inwards else _leaving)(situation, group, cells)


def _holder(situation: Situation, seen: Observation) -> str:
    """The node that holds the address that a server saw, "" where that is not known."""
    by_api = (n for n, held in situation.node_addresses.items() if seen.peer_saw in held)
    return (seen.peer_saw and situation.holders.get(seen.peer_saw)) or next(by_api, "")


def _taken_by(situation: Situation, seen: Observation) -> str:
    """The node of the pod that answered; a service's endpoint does not say which."""
    if not behind(seen.flow.destination):
        return seen.flow.destination.node
    return next((e.node for e in situation.endpoints if e.pod and e.pod == seen.answered_by), "")


def _called(end: Endpoint) -> str:
    """A destination for readers: ``Service web``, ``a@worker``."""
    return f"Service {end.name}" if end.kind is EndpointKind.SERVICE else end.called


def _ends(ends: Iterable[Endpoint], limit: int) -> str:
    return said_some(sorted(set(map(_called, ends))), limit)


def _leaving(situation: Situation, group: _Translation, cells: list[Disagreement]) -> Cause:
    """Packets of a node's own pods, or of its host network."""
    node, family = group.node, group.family
    of = "of its pods" if group.kind is EndpointKind.POD else "of its host network"
    rule = translating(situation, node, family, cells)
    # A rule takes its place in a first line of two lines.
    to = _ends((c.observation.flow.destination for c in cells), 1 if rule else 2)
    by = f"since {_table(rule)} translates them" if rule else ""
    if group.whose == OWN:
        first = f"not masqueraded, {by} first" if by else "they are not masqueraded there"
        lead = f"{family} packets {of} to {to} keep the pod's own address"
        what, briefer = f"{lead}: {first}", f"{lead}: not masqueraded"
        remedy = f"See natOutgoing of their IP pool, and what comes before Calico's nat on {node}"
    else:
        address = ", ".join(filter(None, (group.whose, _device(situation, group.whose))))
        after = f", {by}" if by else ""
        what = f"{family} packets {of} to {to} arrive from {address}{after}"
        briefer = f"{family} packets {of} to {to} arrive from {group.whose}{after}"
        remedy = f"Find the masquerade rule that takes them (nat, POSTROUTING) on {node}"
    sources = {c.observation.flow.source.name for c in cells}

    def hits(wrong: Disagreement) -> bool:
        seen = wrong.observation
        ours = seen.flow.source.name in sources and seen.flow.family is family
        return ours and seen.peer_saw is not None

    cause = _cause(group, cells, rule, (what, briefer), remedy, hits)
    if group.whose == OWN:
        cause = dataclasses.replace(cause, traits=frozenset({Trait.NOT_MASQUERADED}))
    return cause


def _arriving(situation: Situation, group: _Translation, cells: list[Disagreement]) -> Cause:
    """Packets from other nodes that arrive from an address of the node that takes them."""
    node, family = group.node, group.family
    rule = translating(situation, node, family, cells)
    saw = sorted(_seen(cells))
    device = _device(situation, saw[0], node) if len(saw) == 1 else ""
    nodes = sorted({c.observation.flow.source.node for c in cells} - {node, ""})
    by = f"since {_table(rule)} translates them" if rule else "they are masqueraded there"
    host = all(c.observation.flow.destination.kind is EndpointKind.HOST for c in cells)
    to = "its host network" if host else "its pods"
    # A rule takes the place of the address in a first line of two lines: it is in the evidence.
    named = "" if rule and device else said_some(saw, 1)
    address = ", ".join(filter(None, (named, device)))
    what, briefer = (
        f"{family} packets from {where} to {to} arrive from {address}{', ' if rule else ': '}{by}"
        for where in (said_some(nodes, 2) or "elsewhere", "other nodes")
    )
    remedy = f"Find the masquerade rule that takes them (nat, POSTROUTING) on {node}"
    destinations = {c.observation.flow.destination.name for c in cells}

    def hits(wrong: Disagreement) -> bool:
        seen = wrong.observation
        ours = seen.flow.destination.name in destinations and seen.flow.family is family
        return ours and _holder(situation, seen) == node

    return _cause(group, cells, rule, (what, briefer), remedy, hits)


def _seen(cells: Iterable[Disagreement]) -> set[str]:
    """The addresses that servers saw."""
    return {str(cell.observation.peer_saw) for cell in cells}


def _cause(
    group: _Translation,
    cells: list[Disagreement],
    rule: Taking | None,
    said: tuple[str, str],
    remedy: str,
    hits: Callable[[Disagreement], bool],
) -> Cause:
    """The cause of these cells, `said` in full and in brief; `rule` is what translates them, where
    that was found."""
    what, briefer = said
    do: tuple[Command, ...] = ()
    if rule:
        remedy = REMEDY.format("the rule", them="it")
        do = rule.deletion(group.node)
    return Cause(
        "source-address",
        f"node {group.node}",
        what,
        remedy,
        (group.family,),
        Confidence.SHOWN,
        hits,
        evidence=(
            f"seen by the servers of {len(cells)} flows: {said_some(sorted(_seen(cells)), 2)}",
            *([f"{rule.place}: {rule.said}"] if rule else []),
        ),
        do=do,
        names=("packet-filter",) if rule else (),
        briefer=(briefer,),
        details=(what,),
    )


def _table(rule: Taking) -> str:
    return f"table {rule.rule.family} {rule.rule.table}"


def _device(situation: Situation, address: str, at: str = "") -> str:
    """``the address of vxlan-v6.calico on six-worker``, where a node says so; of the node that the
    sentence is about ``the address of its vxlan-v6.calico``."""
    for node, seen in situation.nodes.items():
        for held in seen.addresses:
            if ip_address(held.address) == ip_address(address):
                of = f"its {held.device}" if node == at else f"{held.device} on {node}"
                return f"the address of {of}"
    return ""


RULES = (
    CauseRule(
        "source-address",
        "Packets from a node, or to its pods, arrive with a wrong source address",
        "the addresses that servers saw, and which device of which node has them",
        find,
        ("I18", "I19"),
        "Calico documentation, IPPool natOutgoing",
    ),
)
