"""Missing jumps: kube-proxy's or Calico's chains are there, and one family's packets skip them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sixproof.agent.protocol import FilterSeen
from sixproof.model import Disagreement, Family
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.reach import carried_over, to_services_at, touches
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.matrix.grid import CellState, state_of

TABLES = {Family.IPV4: "ip", Family.IPV6: "ip6"}


def find(situation: Situation) -> Iterator[Cause]:
    """Jumps that most nodes have in both families, and one node lacks in one."""
    filters = {n: f.after for n in situation.nodes if (f := situation.filter_of(n))}
    for owner, table, chain, jump, what, hits in (
        ("kube-proxy", "nat", "PREROUTING", "KUBE-SERVICES", "services do not work", _to_services),
        ("kube-proxy", "nat", "OUTPUT", "KUBE-SERVICES", "services do not work", _to_services),
        ("Calico", "filter", "FORWARD", "cali-FORWARD", "policies are not enforced", _leaks),
        ("Calico", "filter", "INPUT", "cali-INPUT", "policies are not enforced", _leaks),
    ):
        has = {
            (node, family): _jumps(seen, TABLES[family], table, chain, jump)
            for node, seen in filters.items()
            for family in Family
        }
        if sum(has.values()) <= len(has) / 2:
            continue  # another mode, another dataplane, another CNI
        for (node, family), there in has.items():
            if not there:
                pods = situation.examination.of(
                    "kube-proxy" if owner == "kube-proxy" else "calico-node", node
                )
                restart = f" (restart {pods[0].name})" if pods else ""
                yield Cause(
                    "missing-jump",
                    f"node {node}",
                    f"{family} packets skip {owner}'s rules: chain {chain} of table "
                    f"{TABLES[family]} {table} has no jump to {jump}, so {what} there over "
                    f"{family}",
                    f"Find what removes the jump, and have {owner} write it again{restart}",
                    (family,),
                    Confidence.SHOWN,
                    hits=hits(node, family),
                    evidence=_evidence(has, node, family),
                )


def _jumps(seen: FilterSeen, family: str, table: str, chain: str, jump: str) -> bool:
    return any(
        (r.family, r.table, r.chain, r.jump) == (family, table, chain, jump) for r in seen.rules
    )


def _evidence(has: dict[tuple[str, Family], bool], node: str, family: Family) -> tuple[str, ...]:
    others = [n for (n, f), there in has.items() if there and f is family and n != node]
    twin = has.get((node, family.other), False)
    return (
        *([f"over {family.other} {node} has the jump"] if twin else []),
        *([f"over {family} it is there on {', '.join(others)}"] if others else []),
    )


def _to_services(node: str, family: Family) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        return to_services_at(flow, node) and carried_over(flow) is family

    return hits


def _leaks(node: str, family: Family) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        leak = state_of(wrong.observation.outcome, wrong.expected) is CellState.LEAK
        return leak and carried_over(flow) is family and touches(flow, node)

    return hits


RULES = (
    CauseRule(
        "missing-jump",
        "Packets of one family skip kube-proxy's or Calico's rules on a node",
        "base chains of nftables on each node; needs pods with NET_ADMIN (--six-raw)",
        find,
        ("S1", "I8"),
    ),
)
