"""How the policies of the cluster's owner restrict a run's flows, found before the first test."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sixproof.errors import ApiError, ManifestError
from sixproof.kube.api import json_fields
from sixproof.kube.runs import ownership
from sixproof.model import Endpoint, EndpointKind, Family, Finding, FindingType, Flow, Severity
from sixproof.policy import Direction, Judgement, PolicyRef, Verdict
from sixproof.workloads.existing.policies import ExistingPolicies, called, listed, subject
from sixproof.workloads.probe_pods.ports import ICMP
from sixproof.workloads.probe_pods.topology import ProbeTopology, flows, itself

EXISTING_POLICIES = FindingType(
    "existing-policies",
    "Existing policies allow probe pods to reach each other",
    "NetworkPolicy v1",
)

FINDINGS = 6
"""Policies that are reported individually; those that close most come first."""
REMEDY = (
    "let the policy leave out namespaces with the label "
    f"{ownership.MANAGED_BY}={ownership.MANAGER}, or allow the flows between them"
)
"""What the owner of a policy can do to have the flows measured."""


@dataclasses.dataclass(frozen=True, slots=True)
class Closed:
    """A flow that policies close, and which of them at which end."""

    flow: Flow
    by: tuple[tuple[PolicyRef, Direction], ...]


def findings(policies: ExistingPolicies, topology: ProbeTopology) -> tuple[Finding, ...]:
    """One finding per policy that closes flows between probe pods, or between them and nodes.

    What cannot be read or judged is a finding too: it is then unknown what is allowed.
    """
    try:
        judged = [policies.judge(flow) for flow in _asked(topology)]
    except (ApiError, ManifestError) as error:
        return (unknown(error),)
    closed = [found for one in judged if (found := _closed(one)) is not None]
    return (*_finding_per_policy(closed, judged, topology), *_doubtful(judged))


def unknown(error: ApiError | ManifestError) -> Finding:
    """The finding that policies could not be read or judged."""
    return EXISTING_POLICIES.found(
        Severity.ERROR,
        "policies of the cluster",
        f"which flows they allow is not known: {json_fields.one_line(error)}",
        "policies that may be read and judged",
    )


def _asked(topology: ProbeTopology) -> tuple[Flow, ...]:
    """Every flow between the run's endpoints on the ports that they serve, and by ICMP echo."""
    ends, families = (*topology.pods, *topology.hosts), topology.families()

    def touches_a_pod(source: Endpoint, destination: Endpoint) -> bool:
        kinds = (source.kind, destination.kind)
        return EndpointKind.POD in kinds and not itself(source, destination)

    return (
        *flows(ends, ends, families, where=touches_a_pod),
        *flows(ends, ends, families, [ICMP], where=touches_a_pod),
    )


def _closed(judgement: Judgement) -> Closed | None:
    if judgement.verdict is not Verdict.DENIED:
        return None
    sides = (judgement.egress, judgement.ingress)
    denied = [(s.policy, s.direction) for s in sides if s.verdict is Verdict.DENIED]
    return Closed(judgement.flow, tuple((p, d) for p, d in denied if p is not None))


def _finding_per_policy(
    closed: Sequence[Closed], judged: Sequence[Judgement], topology: ProbeTopology
) -> Iterator[Finding]:
    """Policies of one kind and name, as admission puts them into each namespace, count as one."""
    groups: defaultdict[tuple[str, str, bool], list[Closed]] = defaultdict(list)
    for one in closed:
        for key in dict.fromkeys((ref.kind, ref.name, ref.calico) for ref, _ in one.by):
            groups[key].append(one)
    asked = Counter(j.flow.family for j in judged if _between_pods(j.flow))
    beside = sum(not _between_pods(j.flow) for j in judged)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    for (kind, name, calico), group in ordered[:FINDINGS]:
        own = [(r, d) for c in group for r, d in c.by if (r.kind, r.name) == (kind, name)]
        counts = Counter(c.flow.family for c in group if _between_pods(c.flow))
        others = sum(not _between_pods(c.flow) for c in group)
        everything = any(counts[f] == asked[f] for f in asked)
        refs = list(dict.fromkeys(r for r, _ in own))
        shared = PolicyRef(kind, "", name, calico)
        denied = listed(d.value for d in sorted({d for _, d in own}, key=list(Direction).index))
        where = _where(group, {(r, d) for r, d in own}, topology)
        yield EXISTING_POLICIES.found(
            Severity.ERROR if everything else Severity.WARNING,
            subject(refs[0] if len(refs) == 1 else shared),
            f"selects the probe pods and denies {denied} of {where}: "
            f"it closes {_share(counts, asked)} between pods and {others} of {beside} between "
            "pods and nodes, which cannot be measured",
            "",
            REMEDY,
        )
    if left := ordered[FINDINGS:]:
        more = listed(called(PolicyRef(k, "", n, c)) for (k, n, c), _ in left)
        yield EXISTING_POLICIES.found(
            Severity.WARNING, more, "close flows of probe pods too", "", REMEDY
        )


def _between_pods(flow: Flow) -> bool:
    return flow.source.kind is flow.destination.kind is EndpointKind.POD


def _where(
    group: Iterable[Closed], own: set[tuple[PolicyRef, Direction]], topology: ProbeTopology
) -> str:
    """The namespaces of the pods that it selects, by the letters that reports call them."""
    spaces = {
        (c.flow.source if d is Direction.EGRESS else c.flow.destination).namespace
        for c in group
        for r, d in c.by
        if (r, d) in own
    }
    prefix = topology.run.namespace("")
    roles = sorted(space.removeprefix(prefix) for space in spaces)
    known = sorted({p.namespace for p in topology.pods})
    if set(known) == spaces:
        return f"every probe namespace ({', '.join(roles)})"
    return f"probe namespace{'s' if len(roles) > 1 else ''} {listed(roles)}"


def _share(counts: Counter[Family], asked: Counter[Family]) -> str:
    """How many flows of which families: one sum where all families have the same share."""
    total = sum(asked.values())
    if len({(counts[f], asked[f]) for f in asked}) == 1:
        number = sum(counts.values())
        part = "all" if number == total else f"{number} of"
        return f"{part} {total} flows ({' and '.join(asked)} alike)"
    parts = [f"{counts[f]} of {asked[f]} {f} flows" for f in asked if counts[f]]
    spared = [f"no {f} one" for f in asked if not counts[f]]
    return ", ".join([*parts, *spared])


def _doubtful(judged: Sequence[Judgement]) -> Iterator[Finding]:
    """Flows of which the oracle cannot say what the policies do with them."""
    reasons: defaultdict[str, int] = defaultdict(int)
    for one in judged:
        if one.verdict is Verdict.UNDEFINED:
            reasons[one.unknown or one.because] += 1
    for why, number in sorted(reasons.items(), key=lambda item: -item[1])[:2]:
        yield EXISTING_POLICIES.found(
            Severity.NOTE,
            "policies of the cluster",
            f"of {number} flows of probe pods it is not known whether they pass: {why}",
        )
