"""IP sets: Felix's sets on a node lack pods that the selectors of policies mean."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from sixproof.agent.protocol import IpSetSeen
from sixproof.model import Disagreement, Endpoint, Family, IPAddress, Outcome
from sixproof.reporting.causes.filtering.rule_match import span_of, span_of_text
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence, restart
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation

_DENIED = (Outcome.DROPPED, Outcome.REJECTED)
_PREFIX = len("cali60")
"""What a set's name has before the part that both families have in common."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Lack:
    """A set of a node without an address that it must have, as `better`, another set, has its
    pod."""

    family: Family
    name: str
    members: int
    better: str
    peer: str
    address: IPAddress


class _Sets:
    """The IP sets of all nodes that were read, and what they hold."""

    def __init__(self, sets: Mapping[str, Sequence[IpSetSeen]]) -> None:
        self._sets = {
            (node, Family(seen.family), seen.name[_PREFIX:]): seen
            for node, those in sets.items()
            for seen in those
            if not seen.cut
        }
        self._nodes = tuple(sets)
        self._held: dict[tuple[str, Family, str], _Held] = {}

    def lacking(self, node: str, peer: Endpoint, family: Family) -> Iterator[_Lack]:
        """Sets of a node that lack a peer's address, though those of its other family have the pod
        or the same set of another node has the address."""
        mine, other = peer.address(family), peer.address(family.other)
        if mine is None:
            return
        for (place, kind, key), seen in self._sets.items():
            if place != node or kind is not family or self._holds(node, family, key, mine):
                continue
            twin = self._sets.get((node, family.other, key))
            better = ""
            if twin and other is not None and self._holds(node, family.other, key, other):
                better = f"its {family.other} twin has {len(twin.members)}"
            elif where := next(
                (n for n in self._nodes if n != node and self._holds(n, family, key, mine)), ""
            ):
                there = self._sets[where, family, key]
                better = f"on {where} it has {len(there.members)}"
            if better:
                yield _Lack(family, seen.name, len(seen.members), better, peer.called, mine)

    def _holds(self, node: str, family: Family, key: str, address: IPAddress) -> bool:
        seen = self._sets.get((node, family, key))
        if seen is None:
            return False
        held = self._held.get((node, family, key))
        if held is None:
            held = self._held[node, family, key] = _Held(seen.members)
        return address in held


class _Held:
    """The addresses of a set."""

    def __init__(self, members: Sequence[str]) -> None:
        self._spans = [span_of_text(member) for member in members]

    def __contains__(self, address: IPAddress) -> bool:
        number, _ = span_of(address)
        return any(first <= number <= last for first, last in self._spans)


def find(situation: Situation) -> Iterator[Cause]:
    """For each node the peers of flows that it must allow, and that its sets lack."""
    sets = _Sets(situation.ip_sets)
    found: dict[str, dict[_Lack, None]] = defaultdict(dict)
    seen: set[tuple[str, str, Family]] = set()
    for wrong in filter(_is_denied, situation.wrong):
        flow = wrong.observation.flow
        for node, peer in (
            (flow.destination.node, flow.source),
            (flow.source.node, flow.destination),
        ):
            family = carried_over(flow)
            if node in situation.ip_sets and (node, peer.name, family) not in seen:
                seen.add((node, peer.name, family))
                found[node].update(dict.fromkeys(sets.lacking(node, peer, family)))
    for node, lacks in found.items():
        if lacks:
            yield _cause(situation, node, tuple(lacks))


def _cause(situation: Situation, node: str, lacks: Sequence[_Lack]) -> Cause:
    first = lacks[0]
    families = tuple(f for f in Family if any(lack.family is f for lack in lacks))
    names = list(dict.fromkeys(lack.name for lack in lacks))
    peers = list(dict.fromkeys(lack.peer for lack in lacks))
    more = f" (and {len(names) - 1} more such)" if len(names) > 1 else ""
    over = " and ".join(families)
    pods = situation.examination.of("calico-node", node)
    who = f" (restart {pods[0].name})" if pods else ""
    return Cause(
        "ip-set-lacks-peers",
        f"node {node}",
        f"Felix's IP set {first.name} has {_members(first.members)}, {first.better}{more}: "
        f"policies there deny {_some(peers, 1)} over {over}",
        f"See what removes them, and have Felix write them again{who}",
        families,
        Confidence.SHOWN,
        hits=_denies(node, frozenset(lack.address for lack in lacks)),
        evidence=(
            *(
                f"{name} lacks {_some([str(lack.address) for lack in lacks if lack.name == name])}"
                for name in names
            ),
            *map(restart, pods[:1]),
        ),
    )


def _denies(node: str, missing: frozenset[IPAddress]) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        family = carried_over(flow)
        incoming = flow.destination.node == node and flow.source.address(family) in missing
        outgoing = flow.source.node == node and flow.address in missing
        return _is_denied(wrong) and (incoming or outgoing)

    return hits


def _is_denied(wrong: Disagreement) -> bool:
    """Whether a policy allows a flow that was denied."""
    allowed = wrong.expected.by_policy and Outcome.ALLOWED in wrong.expected.outcomes
    return allowed and wrong.observation.outcome in _DENIED


def _members(number: int) -> str:
    return f"{number or 'no'} member{'' if number == 1 else 's'}"


def _some(names: Sequence[str], shown: int = 2) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"


RULES = (
    CauseRule(
        "ip-set-lacks-peers",
        "Felix's IP sets on a node lack pods that its sets of the other family, or other nodes', "
        "have",
        "IP sets of nodes at the moment at which a test failed; needs pods with NET_ADMIN "
        "(--six-raw)",
        find,
        ("C1",),
    ),
)
