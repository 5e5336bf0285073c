"""Learnt path MTUs: pods forget them too soon, or too late, by a setting of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from sixproof.model import Disagreement, Family
from sixproof.probes.nodes import reader
from sixproof.probes.pmtu.signals import EXPIRY, FORGOTTEN, KEPT
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Confidence
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_some

SHOWN = 2
"""Pods that are named."""


def find(situation: Situation) -> Iterator[Cause]:
    """Pods of one node whose setting differs from what the standards ask, by family and value."""
    odd: dict[tuple[str, Family, int], list[str]] = defaultdict(list)
    ends = {reader.name(end): end for end in situation.endpoints if end.pod}
    for reading in situation.examination.inside:
        end = ends.get(reading.node)
        if end is None or reading.seen is None:
            continue
        for family in Family:
            written = reading.seen.sysctls.get(_setting(family), "")
            if written.isdigit() and not KEPT <= int(written) <= FORGOTTEN:
                odd[end.node, family, int(written)].append(end.called)
    for (node, family, value), pods in odd.items():
        setting = _setting(family).replace("/", ".")
        yield Cause(
            "learnt-mtu",
            f"node {node}",
            f"{setting} is {value} s in its pods: they forget a learnt {family} path MTU after "
            f"that time, not after {KEPT:.0f} to {FORGOTTEN:.0f} s",
            "Find who sets it in pods' network namespaces (a CNI plugin, a pod's sysctls), and "
            "recreate the pods",
            (family,),
            Confidence.SHOWN,
            hits=_expiry(node, family),
            evidence=(f"read in {said_some(pods, SHOWN)}; Linux begins with 600 s",),
        )


def _setting(family: Family) -> str:
    return f"net/ipv{family.version}/route/mtu_expires"


def _expiry(node: str, family: Family) -> Callable[[Disagreement], bool]:
    """Results of that question whose source is on the node."""

    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        mine = flow.source.node == node and carried_over(flow) is family
        return mine and flow.question == EXPIRY

    return hits


RULES = (
    CauseRule(
        "learnt-mtu",
        "Pods forget a learnt path MTU too soon, or keep it too long",
        "net.ipv6.route.mtu_expires and net.ipv4.route.mtu_expires inside the pods whose paths are "
        "wrong",
        find,
        ("I2F",),
        "RFC 8201 section 4, RFC 1191 section 6.3",
    ),
)
