"""Neighbours: a node's next hop, or a pod of its own, does not answer for its link address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from sixproof.agent.protocol import NodeSeen
from sixproof.model import Family
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence, since
from sixproof.reporting.conclusion.reach import came_back, carried_over, touches
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_some

DEAD = ("FAILED", "INCOMPLETE")
_PROTOCOL = {Family.IPV4: "ARP", Family.IPV6: "neighbour discovery (RFC 4861)"}
_MESSAGES = {
    Family.IPV4: "ARP",
    Family.IPV6: "Neighbor Solicitations and Neighbor Advertisements",
}


def find(situation: Situation) -> Iterator[Cause]:
    """The node with most dead neighbours of a family; those of others towards it are its too."""
    for family in Family:
        dead = {node: list(_dead(situation, node, family)) for node in situation.nodes}
        towards = {
            node: [
                f"{other} has no answer from {node} ({address} dev {device})"
                for other, entries in dead.items()
                if other != node
                for address, device in entries
                if situation.holders.get(ip_address(address)) == node
            ]
            for node in dead
        }
        for node, entries in dead.items():
            known = [(a, d) for a, d in entries if ip_address(a) in _measured(situation, family)]
            if not known:
                continue
            if len(known) < max(len(row) for row in towards.values()):
                continue  # they are the signs of another node's
            names = [f"{a} on {d} ({_state(situation, node, a)})" for a, d in known]
            yield Cause(
                "neighbour",
                f"node {node}",
                f"{_PROTOCOL[family]} fails for {said_some(names, 1)}",
                f"See whether something drops {_MESSAGES[family]} on {node}",
                (family,),
                Confidence.SIGN,
                hits=lambda wrong, node=node, family=family: (  # type: ignore[misc]
                    carried_over(wrong.observation.flow) is family
                    and not came_back(wrong)
                    and touches(wrong.observation.flow, node)
                ),
                evidence=tuple(towards[node]),
                see=(Command.ip(family, "neigh", "show", on=node),),
                do=(Command.of("nft", "list", "ruleset", on=node),),
                since=_since(situation, node, known),
            )


def _measured(situation: Situation, family: Family) -> set[object]:
    """Addresses whose silence matters: of nodes and of pods that were measured."""
    ends = {e.address(family) for e in situation.endpoints}
    nodes = {a for addresses in situation.node_addresses.values() for a in addresses}
    return ends | nodes | set(situation.holders)


def _dead(situation: Situation, node: str, family: Family) -> Iterator[tuple[str, str]]:
    for address, device in _failed(situation.nodes[node]):
        if Family.of(ip_address(address)) is family:
            yield address, device


def _failed(seen: NodeSeen) -> Iterator[tuple[str, str]]:
    for entry in seen.neighbours:
        if entry.state in DEAD:
            yield entry.address, entry.device


def _since(situation: Situation, node: str, known: Iterable[tuple[str, str]]) -> str:
    """Whether one of them did not answer when the run began: unused entries expire."""
    earlier = situation.earlier.get(node)
    return since(not set(known).isdisjoint(_failed(earlier))) if earlier else ""


def _state(situation: Situation, node: str, address: str) -> str:
    return next(n.state for n in situation.nodes[node].neighbours if n.address == address)


RULES = (
    CauseRule(
        "neighbour",
        "A neighbour that a node sends to does not answer",
        "the neighbour tables of nodes",
        find,
        ("I9",),
        "RFC 4861 section 7.3, RFC 826",
    ),
)
