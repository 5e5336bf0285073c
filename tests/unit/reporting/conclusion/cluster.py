"""A made-up cluster whose nodes report facts: three nodes with VXLAN, as Calico makes them."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from sixproof.agent.protocol import (
    AddressHeld,
    ChainSeen,
    FilterRuleSeen,
    FilterSeen,
    HealthSeen,
    LinkSeen,
    NeighbourSeen,
    NodeSeen,
    RouteHeld,
    RuleSeen,
)
from sixproof.kube.facts.components import ComponentPod
from sixproof.model import ClusterFacts, Endpoint, EndpointKind, Family, Flow, NodeFacts, Outcome
from sixproof.probes.nodes import reader
from sixproof.probes.nodes.examination import Examination, FilterReading, NodeReading
from sixproof.reporting.conclusion import conclude as conclusion
from sixproof.reporting.conclusion.conclusion import Conclusion, Conclusions
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.filter_matches import matching
from tests.unit.reporting.samples import NODES, RUN, Rule, all_open, pods, topology

TUNNELS = {Family.IPV4: "vxlan.calico", Family.IPV6: "vxlan-v6.calico"}
RULES = [
    RuleSeen(family.value, priority, "table", table)
    for family in Family
    for priority, table in ((0, 255), (32766, 254))
]
LINE = 96
"""Characters of a line of a first line: a terminal of 100 columns, and two blanks, a sign and a
blank before the first line."""
LONG_NAMES = {
    "control-plane": "six-twin-control-plane",
    "worker": "six-twin-worker",
    "worker2": "six-twin-worker2",
    "coredns-x": "coredns-66bc5c9577-abcde",
    "coredns-y": "coredns-66bc5c9577-fghij",
}
"""Names as long as those of the test bed's twin."""
_SHORT_NAMES = re.compile(rf"(?<![\w-])(?:{'|'.join(LONG_NAMES)})(?![\w-])")
HEALTHY = [HealthSeen(asked, 200, "ok") for asked in reader.HEALTH]


FACTS = ClusterFacts(
    "https://x",
    "v1.37.0",
    nodes=tuple(
        NodeFacts(n, tuple(map(ipaddress.ip_address, (f"192.0.2.{i}", f"2001:db8::{i}"))))
        for i, n in enumerate(NODES, 1)
    ),
)


def node(name: str, **changes: Any) -> NodeSeen:
    """A healthy node of the cluster; `changes` replace fields."""
    links = [LinkSeen("lo", "", 65536, True, True), LinkSeen("eth0", "veth", 1500, True, True)]
    routes = [RouteHeld("0.0.0.0/0", 254, "unicast", "eth0", "192.0.2.1")]
    routes.append(RouteHeld("::/0", 254, "unicast", "eth0", "2001:db8::1"))
    for device in TUNNELS.values():
        links.append(LinkSeen(device, "vxlan", 1450, True, True, 4096, 4789))
    for pod in pods():
        device = "" if pod.node == name else "tunnel"
        for address in pod.addresses:
            family = Family.of(address)
            via = TUNNELS[family] if device else f"cali{pod.pod}"
            routes.append(RouteHeld(f"{address}/{family.bits}", 254, "unicast", via))
    number = NODES.index(name) + 1
    healthy = NodeSeen(
        links=links,
        addresses=[
            AddressHeld("eth0", f"192.0.2.{number}", 24, ["permanent"]),
            AddressHeld("eth0", f"2001:db8::{number}", 64, ["permanent"]),
        ],
        rules=list(RULES),
        routes=routes,
        neighbours=[],
        forwarding=[],
        sysctls={
            "net/ipv4/ip_forward": "1",
            "net/ipv6/conf/all/forwarding": "1",
            "net/ipv6/conf/all/disable_ipv6": "0",
            "net/ipv6/conf/eth0/disable_ipv6": "0",
            "net/netfilter/nf_conntrack_count": "400",
            "net/netfilter/nf_conntrack_max": "131072",
        },
        counters={},
        health=list(HEALTHY),
        clock=0.0,
        uptime=0.0,
        cut=[],
        unread=[],
    )
    return dataclasses.replace(healthy, **changes)


HOOKS = ("prerouting", "input", "forward", "output", "postrouting")


def packet_filter(*rules: FilterRuleSeen, lacking: str = "") -> FilterSeen:
    """A packet filter with kube-proxy's and Calico's jumps but for `lacking`, and more rules, those
    of a table of somebody's with a chain a hook."""
    chains, jumps = [], []
    for family in ("ip", "ip6"):
        for table, chain, target in (
            ("nat", "PREROUTING", "KUBE-SERVICES"),
            ("nat", "OUTPUT", "KUBE-SERVICES"),
            ("filter", "FORWARD", "cali-FORWARD"),
            ("filter", "INPUT", "cali-INPUT"),
        ):
            chains.append(ChainSeen(family, table, chain, chain.lower(), 0, "accept"))
            if lacking not in (f"{family} {target}", f"{family} {target} in {chain}"):
                jumps.append(FilterRuleSeen(family, table, chain, 1, "", target, 9, []))
    chains += [ChainSeen("inet", "x", hook, hook, 10, "accept") for hook in HOOKS]
    return FilterSeen(chains, [*jumps, *rules])


def drop(
    packets: int | None,
    match: str = "",
    verdict: str = "drop",
    changes: str = "",
    *,
    chain: str = "input",
) -> FilterRuleSeen:
    """A rule of somebody's that drops, or that changes a field: ``MSS to 1220``."""
    field, _, value = changes.partition(" to ")
    number = int(value) if value else None
    return FilterRuleSeen(
        "inet", "x", chain, 7, verdict, "", packets, matching(match), field, number
    )


def examined(
    changed: Mapping[str, NodeSeen] | None = None,
    *,
    before: Mapping[str, NodeSeen] | None = None,
    filters: Mapping[str, tuple[FilterSeen, FilterSeen]] | None = None,
    **more: Any,
) -> Examination:
    """An examination of healthy nodes but for those `changed`."""
    seen = {name: node(name) for name in NODES} | dict(changed or {})
    earlier = {name: node(name) for name in NODES} | dict(before or {})
    usual = (packet_filter(), packet_filter())
    read = dict.fromkeys(NODES, usual) | dict(filters or {})
    return Examination(
        before=[NodeReading(name, found) for name, found in earlier.items()],
        after=[NodeReading(name, found) for name, found in seen.items()],
        filters=[FilterReading(name, *pair) for name, pair in read.items()],
        pods=[
            ComponentPod(component, "kube-system", f"{component}-{name}", name, True)
            for component in ("kube-proxy", "calico-node")
            for name in NODES
        ],
        resent=4,
        still=4,
        **more,
    )


def run(
    rule: Rule, examination: Examination | None = None, endpoints: Iterable[Endpoint] | None = None
) -> Results:
    """A run of one test over all pods, as `rule` says, with what the nodes reported."""
    matrix = topology(rule, endpoints=endpoints)
    measured = Measured(matrix, all_open(matrix), "suites/pods/t.py::t")
    bad = bool(measured.disagreements())
    outcome = CaseOutcome.FAILED if bad else CaseOutcome.PASSED
    cases = (Case("suites/pods/t.py::t", outcome),)
    return Results(RUN, cases=cases, matrices=(measured,), examination=examination)


def conclude(results: Results) -> Conclusions:
    """What a run concludes, no first line of which is too long to be read at a glance, even where
    names are as long as those of the test bed's."""
    conclusions = conclusion.conclude(results)
    for one in conclusions.every:
        for said in (one.headline, _with_long_names(one).headline):
            lines = textwrap.wrap(said, LINE, break_on_hyphens=False)
            assert len(lines) <= 2, "\n".join(lines)
    return conclusions


def _with_long_names(one: Conclusion) -> Conclusion:
    """The same of nodes and DNS replicas with long names."""
    long = tuple(
        dataclasses.replace(
            cause,
            place=_longer(cause.place),
            what=_longer(cause.what),
            briefer=tuple(map(_longer, cause.briefer)),
        )
        for cause in one.causes
    )
    return dataclasses.replace(one, causes=long)


def _longer(text: str) -> str:
    return _SHORT_NAMES.sub(lambda found: LONG_NAMES[found[0]], text)


def with_wrong_cells(results: Results, **changes: Any) -> Results:
    """The run whose only matrix has all cells that did not work seen like this."""
    (measured,) = results.matrices
    cells = {
        key: seen if seen.outcome.works else dataclasses.replace(seen, **changes)
        for key, seen in measured.matrix.cells.items()
    }
    matrix = dataclasses.replace(measured.matrix, cells=cells)
    return dataclasses.replace(results, matrices=(dataclasses.replace(measured, matrix=matrix),))


def concluded(
    rule: Rule, examination: Examination | None = None, endpoints: Iterable[Endpoint] | None = None
) -> Conclusions:
    """What such a run concludes."""
    return conclude(run(rule, examination, endpoints))


def first(rule: Rule, examination: Examination) -> str:
    """Its first line, of one conclusion only."""
    (one,) = concluded(rule, examination).every
    assert one.known, one.headline
    return one.first_screen


def across(family: Family, *names: str) -> Rule:
    """All flows of a family between a node and others fail; between two nodes where two are."""

    def rule(flow: Flow) -> Outcome:
        ends = {flow.source.node, flow.destination.node}
        dead = len(ends) == 2 and set(names) <= ends and flow.family is family
        return Outcome.DROPPED if dead else Outcome.ALLOWED

    return rule


def neighbour(address: str, state: str, device: str = "eth0") -> NeighbourSeen:
    """An entry of the neighbour table."""
    return NeighbourSeen(address, device, state)


def hosts() -> tuple[Endpoint, ...]:
    """The host networks of the nodes."""
    return tuple(
        Endpoint(
            f"host@{name}",
            EndpointKind.HOST,
            tuple(_addresses(name)),
            node=name,
            pod=f"host-{name}",
        )
        for name in NODES
    )


def _addresses(name: str) -> Iterable[Any]:
    return (ipaddress.ip_address(a.address) for a in node(name).addresses)
