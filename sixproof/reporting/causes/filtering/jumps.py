"""Missing jumps: kube-proxy's or Calico's chains are there, and one family's packets skip them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from sixproof.agent.protocol import FilterSeen
from sixproof.model import Disagreement, Family
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence, restart
from sixproof.reporting.conclusion.reach import carried_over, to_services_at, touches
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_list
from sixproof.reporting.matrix.grid import CellState, state_of

_Lacks = Mapping[tuple[str, Family], tuple[str, ...]]
"""The chains of a node that lack a jump in a family."""
TABLES = {Family.IPV4: "ip", Family.IPV6: "ip6"}


@dataclasses.dataclass(frozen=True, slots=True)
class _Jump:
    """A jump in `chains` by which packets come to the rules of an owner, and what fails `without`
    it."""

    owner: str
    table: str
    chains: tuple[str, ...]
    target: str
    without: str


NO_SERVICES, NO_POLICIES = "services do not work", "policies are not enforced"
JUMPS = (
    (
        _Jump("kube-proxy", "nat", ("PREROUTING", "OUTPUT"), "KUBE-SERVICES", NO_SERVICES),
        _Jump(
            "kube-proxy", "kube-proxy", ("nat-prerouting", "nat-output"), "services", NO_SERVICES
        ),
    ),
    (
        _Jump("Calico", "filter", ("FORWARD",), "cali-FORWARD", NO_POLICIES),
        _Jump("Calico", "calico", ("filter-FORWARD",), "filter-cali-FORWARD", NO_POLICIES),
    ),
    (
        _Jump("Calico", "filter", ("INPUT",), "cali-INPUT", NO_POLICIES),
        _Jump("Calico", "calico", ("filter-INPUT",), "filter-cali-INPUT", NO_POLICIES),
    ),
)
"""Each as iptables has it (by nft), and as kube-proxy and Felix write it in nftables mode: base
chains in a table of their own in each family."""


def find(situation: Situation) -> Iterator[Cause]:
    """Jumps that a node has in one family and lacks in the other, or that other nodes have; where
    no node has any, rules are kept otherwise (another data plane or CNI)."""
    read = {n: f.after for n in situation.nodes if (f := situation.filter_of(n))}
    filters = {node: seen for node, seen in read.items() if not seen.cut}
    for forms in JUMPS:
        written = _written(filters, forms)
        lacks = {
            (node, family): _lacking(filters[node], jump, family)
            for node, jump in written.items()
            for family in Family
        }
        for family in Family:
            nodes = [n for n in written if lacks[n, family]]
            alike = len({lacks[n, family] for n in nodes}) == 1
            everywhere = alike and 1 < len(nodes) == len(filters)
            for place in [tuple(nodes)] if everywhere else [(n,) for n in nodes]:
                yield _cause(situation, written[place[0]], family, place, lacks)


def _written(filters: Mapping[str, FilterSeen], forms: Sequence[_Jump]) -> Mapping[str, _Jump]:
    """The form in which each node has a jump in any family, of a node that has none the form that
    most others have; none at all where no node has one."""
    own: dict[str, _Jump | None] = {}
    for node, seen in filters.items():
        held = (j for j in forms if any(_lacking(seen, j, f) != j.chains for f in Family))
        own[node] = next(held, None)
    known = Counter(jump for jump in own.values() if jump is not None)
    if not known:
        return {}
    ((usual, _),) = known.most_common(1)
    return {node: jump or usual for node, jump in own.items()}


def _cause(
    situation: Situation, jump: _Jump, family: Family, nodes: tuple[str, ...], lacks: _Lacks
) -> Cause:
    """The cause at one node, or at all of them, which is then a setting of the owner's."""
    alone = len(nodes) == 1
    proxy = jump.owner == "kube-proxy"
    component = "kube-proxy" if proxy else "calico-node"
    pods = situation.examination.of(component, nodes[0]) if alone else []
    who = f" (restart {pods[0].name})" if pods else ""
    remedy = f"Have {jump.owner} write it again{who}, and see whether it stays"
    if not alone:
        setting = "its mode and ranges" if proxy else "ipv6Support of FelixConfiguration"
        remedy = f"See whether {jump.owner} is set to serve {family} at all ({setting})"
    reached = _to_services if proxy else _leaks
    chains = lacks[nodes[0], family]
    lost = _lost(situation, nodes[0], jump, family, chains)
    return Cause(
        "missing-jump",
        f"node {nodes[0]}" if alone else "every node",
        f"{family} packets skip {jump.owner}'s rules: {lost}, so {jump.without} there over "
        f"{family}",
        remedy,
        (family,),
        Confidence.SHOWN,
        hits=reached(nodes, family),
        evidence=_evidence(lacks, nodes, family),
        do=tuple(map(restart, pods[:1])),
    )


def _lost(
    situation: Situation, node: str, jump: _Jump, family: Family, chains: Sequence[str]
) -> str:
    """What is missing on a node: jumps from these chains, or the chains themselves."""
    reading = situation.filter_of(node)
    there = {(c.family, c.table, c.name) for c in reading.after.chains} if reading else set()
    family_of_table, many = TABLES[family], len(chains) > 1
    named = f"chain{'s' * many} {said_list(chains)} of table {family_of_table} {jump.table}"
    if all((family_of_table, jump.table, chain) not in there for chain in chains):
        return f"{named} {'are' if many else 'is'} not there"
    return f"{named} {'have' if many else 'has'} no jump to {jump.target}"


def _lacking(seen: FilterSeen, jump: _Jump, family: Family) -> tuple[str, ...]:
    """The chains from which the jump is missing."""
    there = {
        r.chain
        for r in seen.rules
        if (r.family, r.table, r.jump) == (TABLES[family], jump.table, jump.target)
    }
    return tuple(chain for chain in jump.chains if chain not in there)


def _evidence(lacks: _Lacks, nodes: tuple[str, ...], family: Family) -> tuple[str, ...]:
    others = [n for (n, f), chains in lacks.items() if not chains and f is family]
    twins = [n for n in nodes if not lacks[n, family.other]]
    return (
        *([f"over {family.other} it is there on {', '.join(twins)}"] if twins else []),
        *([f"over {family} it is there on {', '.join(others)}"] if others else []),
    )


def _to_services(nodes: tuple[str, ...], family: Family) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        there = any(to_services_at(flow, node) for node in nodes)
        return there and carried_over(flow) is family

    return hits


def _leaks(nodes: tuple[str, ...], family: Family) -> Callable[[Disagreement], bool]:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        leak = state_of(wrong.observation.outcome, wrong.expected) is CellState.LEAK
        there = any(touches(flow, node) for node in nodes)
        return leak and carried_over(flow) is family and there

    return hits


RULES = (
    CauseRule(
        "missing-jump",
        "Packets of one family skip kube-proxy's or Calico's rules on a node",
        "base chains of nftables on each node; needs pods with NET_ADMIN (--six-raw)",
        find,
        ("S1", "I8"),
        "Kubernetes pkg/proxy/nftables, Calico felix/nftables",
    ),
)
