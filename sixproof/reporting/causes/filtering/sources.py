"""Source addresses: packets are masqueraded where they must not be, or are not where they must."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address

from sixproof.model import Disagreement, EndpointKind, Family, MatrixKind
from sixproof.reporting.causes.filtering.packet_filter import translating
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_some

OWN = "their own"


def find(situation: Situation) -> Iterator[Cause]:
    """Each node whose packets arrive from another address than they must, with whose that is."""
    groups: dict[tuple[str, Family, EndpointKind, str], list[Disagreement]] = defaultdict(list)
    for wrong in situation.wrong_of(MatrixKind.SOURCES):
        saw, source = wrong.observation.peer_saw, wrong.observation.flow.source
        if saw is not None:
            whose = OWN if saw in source.addresses else str(saw)
            groups[source.node, wrong.observation.flow.family, source.kind, whose].append(wrong)
    for (node, family, kind, whose), cells in groups.items():
        yield _cause(situation, node, family, kind, whose, cells)


def _cause(
    situation: Situation,
    node: str,
    family: Family,
    kind: EndpointKind,
    whose: str,
    cells: list[Disagreement],
) -> Cause:
    of = "of its pods" if kind is EndpointKind.POD else "of its host network"
    rule = translating(situation, node, family, cells)
    # A rule takes its place in a first line of two lines.
    to = said_some(sorted({c.observation.flow.destination.called for c in cells}), 1 if rule else 2)
    by = f"since table {rule.rule.family} {rule.rule.table} translates them" if rule else ""
    if whose == OWN:
        first = f"not masqueraded, {by} first" if by else "they are not masqueraded there"
        what = f"{family} packets {of} to {to} keep the pod's own address: {first}"
        remedy = f"See natOutgoing of their IP pool, and what comes before Calico's nat on {node}"
    else:
        what = f"{family} packets {of} to {to} arrive from {whose}{_device(situation, whose)}"
        what += f", {by}" if by else ""
        remedy = f"Find the masquerade rule that takes them (nat, POSTROUTING) on {node}"
    if rule:
        remedy = f"Find who made it, and remove it ({rule.removal})"
    sources = {c.observation.flow.source.name for c in cells}

    def hits(wrong: Disagreement) -> bool:
        seen = wrong.observation
        ours = seen.flow.source.name in sources and seen.flow.family is family
        return ours and seen.peer_saw is not None

    return Cause(
        "source-address",
        f"node {node}",
        what,
        remedy,
        (family,),
        Confidence.SHOWN,
        hits=hits,
        evidence=(
            f"seen by the servers of {len(cells)} flows",
            *([f"{rule.place}: {rule.said}"] if rule else []),
        ),
    )


def _device(situation: Situation, address: str) -> str:
    """``, the address of vxlan-v6.calico on six-worker``, where a node says so."""
    for node, seen in situation.nodes.items():
        for held in seen.addresses:
            if ip_address(held.address) == ip_address(address):
                return f", the address of {held.device} on {node}"
    return ""


RULES = (
    CauseRule(
        "source-address",
        "A node's packets arrive with a wrong source address",
        "the addresses that servers saw, and which device of which node has them",
        find,
        ("I18",),
        "Calico documentation, IPPool natOutgoing",
    ),
)
