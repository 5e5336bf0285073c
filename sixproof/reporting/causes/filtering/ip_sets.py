"""IP sets: Felix's sets on a node lack pods that the selectors of policies match."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from sixproof.agent.protocol import IpSetSeen
from sixproof.model import Disagreement, Endpoint, EndpointKind, Family, IPAddress, Outcome
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence, restart
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_count

_DENIED = (Outcome.DROPPED, Outcome.REJECTED)
_PREFIX = len("cali60")
"""What a set's name has before the part that both families have in common."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Lack:
    """A set of a node without a pod's address: `better` says which other set has the pod, and
    `twin` whether that is the set of the other family on the same node."""

    family: Family
    name: str
    size: int
    better: str
    twin: bool
    pod: str
    address: IPAddress


class _Sets:
    """The IP sets of all nodes that were read, and which addresses they hold."""

    def __init__(self, sets: Mapping[str, Sequence[IpSetSeen]]) -> None:
        self._sets = {
            (node, Family(seen.family), seen.name[_PREFIX:]): seen
            for node, those in sets.items()
            for seen in those
        }

    def lacking(self, node: str, pod: Endpoint, family: Family) -> Iterator[_Lack]:
        """Sets of a node that lack a pod's address, though its twin of the other family has the
        pod, or every other node that has the set has the address in it."""
        mine, other = pod.address(family), pod.address(family.other)
        if mine is None:
            return
        for (place, kind, key), seen in self._sets.items():
            if place != node or kind is not family or _holds(seen, mine):
                continue
            twin = self._sets.get((node, family.other, key))
            elsewhere = {
                n: s for (n, f, k), s in self._sets.items() if (f, k) == (family, key) and n != node
            }
            in_twin = twin is not None and other is not None and str(other) in twin.exact
            if in_twin:
                better = f"its {family.other} twin has"
            elif elsewhere and all(str(mine) in there.exact for there in elsewhere.values()):
                better = f"{next(iter(elsewhere))} has"
                if len(elsewhere) > 1:
                    better = f"{len(elsewhere)} other nodes have"
            else:
                continue
            yield _Lack(family, seen.name, seen.size, better, in_twin, pod.called, mine)


def _holds(seen: IpSetSeen, address: IPAddress) -> bool:
    return str(address) in (*seen.exact, *seen.within)


def find(situation: Situation) -> Iterator[Cause]:
    """For each node the pods of flows that policies must allow there, and that its sets lack."""
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
            new = (node, peer.name, family) not in seen and peer.kind is EndpointKind.POD
            if node in situation.ip_sets and new:
                seen.add((node, peer.name, family))
                found[node].update(dict.fromkeys(sets.lacking(node, peer, family)))
    for node, lacks in found.items():
        if lacks:
            yield _cause(situation, node, tuple(lacks))


def _cause(situation: Situation, node: str, lacks: Sequence[_Lack]) -> Cause:
    first = lacks[0]
    families = tuple(f for f in Family if any(lack.family is f for lack in lacks))
    names = list(dict.fromkeys(lack.name for lack in lacks))
    pods = list(dict.fromkeys(lack.pod for lack in lacks))
    more = f", and {len(names) - 1} more such" if len(names) > 1 else ""
    size = f"{first.size or 'no'} member{'' if first.size == 1 else 's'}"
    lead = f"Felix's IP set {first.name} ({size})"
    denied = f"policies there deny their {' and '.join(families)} packets"
    calico = situation.examination.of("calico-node", node)
    pod = calico[0].name if calico else f"calico-node on {node}"
    return Cause(
        "ip-set-lacks-pods",
        f"node {node}",
        f"{lead} lacks {_some(pods, 1)}, which {first.better}{more}: {denied}",
        f"Restart {pod}, and see whether it still lacks them",
        families,
        Confidence.SHOWN if any(lack.twin for lack in lacks) else Confidence.FITS,
        hits=_denies(node, frozenset(lack.address for lack in lacks)),
        evidence=(
            *(
                f"{name} lacks {_some([str(lack.address) for lack in lacks if lack.name == name])}"
                for name in names
            ),
        ),
        do=tuple(map(restart, calico[:1])),
        briefer=(f"{lead} lacks {said_count(len(pods), 'pod')}, which {first.better}: {denied}",),
        details=(f"lacking in {first.name}: {_some(pods, 3)}",),
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
    """Whether a flow was denied that a policy allows."""
    allowed = wrong.expected.by_policy and Outcome.ALLOWED in wrong.expected.outcomes
    return allowed and wrong.observation.outcome in _DENIED


def _some(names: Sequence[str], shown: int = 2) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"


RULES = (
    CauseRule(
        "ip-set-lacks-pods",
        "Felix's IP sets on a node lack pods that its sets of the other family, or other nodes', "
        "have",
        "IP sets of nodes at the moment at which a test failed; needs pods with NET_ADMIN "
        "(--six-raw)",
        find,
        ("C1",),
    ),
)
