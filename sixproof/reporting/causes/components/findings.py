"""Findings: what the audit of Calico found wrong, where just such traffic fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from sixproof.model import (
    ClusterFacts,
    Disagreement,
    EndpointKind,
    Finding,
    Flow,
    IPAddress,
    MatrixKind,
    Severity,
)
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence, remedy_of, since
from sixproof.reporting.conclusion.reach import (
    between_pods_across,
    came_back,
    carried_over,
    touches,
)
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.merged import behind
from sixproof.reporting.matrix.grid import CellState, state_of

Reach = Callable[[Situation, Finding], Callable[[Disagreement], bool]]
"""Which wrong cells such a finding explains, its families and node apart."""


def find(situation: Situation) -> Iterator[Cause]:
    """Findings that say that something cannot work, where it does not; of those that arose during
    the run also such that are no errors by themselves."""
    for finding in situation.results.findings:
        reach = REACHES.get(finding.code)
        new = finding in situation.examination.findings
        grave = finding.severity in (Severity.BLOCKER, Severity.ERROR)
        if reach and (grave or new or finding.code in ANNOUNCED):
            yield _cause(finding, new, reach(situation, finding))


def _cause(finding: Finding, new: bool, reached: Callable[[Disagreement], bool]) -> Cause:
    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        here = not finding.node or touches(flow, finding.node)
        return here and carried_over(flow) in finding.families and reached(wrong)

    return Cause(
        "finding",
        finding.subject,
        finding.seen,
        remedy_of(finding),
        finding.families,
        Confidence.SHOWN if finding.code in SHOWN else Confidence.FITS,
        hits=hits,
        since=since(same=False) if new else "",
        evidence=(f"finding {finding.code}: wanted {finding.wanted}",) if finding.wanted else (),
    )


def _across(_: Situation, __: Finding) -> Callable[[Disagreement], bool]:
    """Flows that leave a node, or may."""

    def reached(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        return flow.crosses_nodes or behind(flow.destination)

    return reached


def _between_pods(_: Situation, __: Finding) -> Callable[[Disagreement], bool]:
    return lambda wrong: between_pods_across(wrong.observation.flow)


def _policies(_: Situation, __: Finding) -> Callable[[Disagreement], bool]:
    """What a policy decides, and what it should have closed."""
    return lambda wrong: (
        wrong.expected.by_policy
        or state_of(wrong.observation.outcome, wrong.expected) is CellState.LEAK
    )


def _opened(_: Situation, finding: Finding) -> Callable[[Disagreement], bool]:
    """What the policy of the finding should have closed: the oracle names it."""
    about = finding.object
    name = about.name.rpartition("/")[2] if about else finding.subject
    named = re.compile(rf"/{re.escape(name)}(?![\w.-])")

    def reached(wrong: Disagreement) -> bool:
        leak = state_of(wrong.observation.outcome, wrong.expected) is CellState.LEAK
        return leak and named.search(wrong.expected.because) is not None

    return reached


def _sizes(situation: Situation, __: Finding) -> Callable[[Disagreement], bool]:
    """Checks of paths, and packets as large as their link."""
    kinds = (MatrixKind.PATHS, MatrixKind.PACKETS)
    asked = {w.observation.flow for w in situation.wrong_of(*kinds)}
    return lambda wrong: wrong.observation.flow in asked


def _pods(_: Situation, __: Finding) -> Callable[[Disagreement], bool]:
    """Flows from or to pods."""
    return lambda wrong: (
        EndpointKind.POD
        in (
            wrong.observation.flow.source.kind,
            wrong.observation.flow.destination.kind,
        )
    )


def _lost_at_pods(situation: Situation, finding: Finding) -> Callable[[Disagreement], bool]:
    """Flows from or to pods of which nothing came back."""
    pods = _pods(situation, finding)
    return lambda wrong: pods(wrong) and not came_back(wrong)


def _claimed_twice(situation: Situation, __: Finding) -> Callable[[Disagreement], bool]:
    """Flows from or to an address that two of pods, services and nodes lay claim to."""
    facts = situation.results.facts or ClusterFacts("", "", ())

    def claims(address: IPAddress) -> int:
        ranges = (facts.pod_cidrs, facts.service_cidrs)
        held = any(address in node.addresses for node in facts.nodes)
        return held + sum(any(address in cidr for cidr in cidrs) for cidrs in ranges)

    def reached(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        ends = (flow.address, flow.source.address(carried_over(flow)))
        return any(address is not None and claims(address) > 1 for address in ends)

    return reached


def _from_outside(flow: Flow) -> bool:
    """Whether a client outside the cluster dials a service."""
    return (
        flow.source.kind is EndpointKind.OUTSIDE and flow.destination.kind is EndpointKind.SERVICE
    )


def _is_cluster_ip(situation: Situation, address: IPAddress) -> bool:
    facts = situation.results.facts
    return facts is not None and any(address in cidr for cidr in facts.service_cidrs)


def _cluster_ips(situation: Situation, __: Finding) -> Callable[[Disagreement], bool]:
    """Flows from outside the cluster to ClusterIPs."""

    def reached(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        return _from_outside(flow) and _is_cluster_ip(situation, flow.address)

    return reached


def _outside_addresses(situation: Situation, __: Finding) -> Callable[[Disagreement], bool]:
    """Flows from outside the cluster to addresses of services that are no ClusterIPs: those of
    load balancers, and external IPs."""

    def reached(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        return _from_outside(flow) and not _is_cluster_ip(situation, flow.address)

    return reached


def _outside(_: Situation, __: Finding) -> Callable[[Disagreement], bool]:
    """Flows from outside the cluster or to there, and routes of a router outside."""
    return lambda wrong: (
        EndpointKind.OUTSIDE
        in (wrong.observation.flow.source.kind, wrong.observation.flow.destination.kind)
    )


REACHES: Mapping[str, Reach] = {
    "calico-bgp-filter": _outside,
    "calico-cluster-ips-announced": _cluster_ips,
    "calico-external-ips-announced": _outside_addresses,
    "calico-felix-ipv6": _policies,
    "calico-ipam-family": _pods,
    "calico-mtu": _sizes,
    "calico-node-address": _across,
    "calico-node-tunnel": _across,
    "calico-operator": _lost_at_pods,
    "calico-pool-announced": _outside_addresses,
    "calico-pool-encapsulation": _between_pods,
    "calico-pool-family": _pods,
    "calico-pool-overlap": _pods,
    "cidr-leading-zeros": _opened,
    "range-overlap": _claimed_twice,
}
"""By the finding's code."""

ANNOUNCED = (
    "calico-bgp-filter",
    "calico-cluster-ips-announced",
    "calico-external-ips-announced",
)
"""What says that routes are missing outside: no error, for it may be meant so, but a cause where
just that traffic fails."""

SHOWN = ("cidr-leading-zeros",)
"""What is shown by the wrong cells that it reaches: flows that just this policy denies pass."""

RULES = (
    CauseRule(
        "finding",
        "A setting that was found wrong explains what fails",
        "findings of severity error, and warnings that arose during the run: Calico's settings, "
        "pools, operator, node addresses and MTUs, ranges of services that are announced; ranges "
        "that overlap",
        find,
        ("B1L", "B3"),
        "Calico API reference",
    ),
)
