"""Which DNS replica answers what: the questions that came back wrong, put to each one by itself.

Behind a Service nothing shows which replica answered. Asked at its own address, each one shows
whether it is at fault, whatever the path through the service does. Pure.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sixproof.errors import Subject
from sixproof.model import Endpoint, Family, Finding, FindingType, Severity
from sixproof.probes.dns.judge import Expected, listed
from sixproof.probes.dns.verdict import (
    LOST,
    DnsObservation,
    DnsQuery,
    DnsServer,
    Transport,
)

DNS_ANSWERS = FindingType(
    "dns.answers", "DNS answers match the API", "Kubernetes DNS-based service discovery"
)
DNS_SERVICE = FindingType(
    "dns.service",
    "The DNS service gives the same answers as its replicas",
    "Kubernetes DNS-based service discovery",
)
DNS_REPLICA = FindingType(
    "dns.replica",
    "The answers of each DNS replica match the API",
    "Kubernetes DNS-based service discovery",
)

NAMES = 4
"""Names of wrong answers that are asked of each replica; more of them would show the same."""
ASKERS = 2
"""Pods with wrong answers that ask each replica, and one with right answers beside them."""


def questions(
    seen: Sequence[DnsObservation],
    wrong: Sequence[DnsObservation],
    asked: Expected,
    replicas: Sequence[DnsServer],
) -> tuple[DnsQuery, ...]:
    """What to ask each replica: the names of some wrong answers, every type whose truth is known,
    over each family that both ends have. Nothing where replicas were asked directly already.

    Some pods with wrong answers ask, and one with right answers where there is one: what reaches no
    replica from one node only is not a replica's fault.
    """
    behind = {replica.name for replica in replicas}
    through = [o for o in wrong if o.query.server.name not in behind and o.outcome.measured]
    names = list(dict.fromkeys(o.query.question.name for o in through))[:NAMES]
    transports = {o.query.transport for o in through}
    transport = transports.pop() if len(transports) == 1 else Transport.UDP
    return tuple(
        DnsQuery(source, replica, transport, question)
        for source in _askers(seen, through)
        for replica in replicas
        if source.address(replica.family)
        for question in asked
        if question.name in names
    )


def _askers(
    seen: Iterable[DnsObservation], wrong: Sequence[DnsObservation]
) -> tuple[Endpoint, ...]:
    if not wrong:
        return ()
    hit = {o.query.source.node: o.query.source for o in reversed(wrong)}
    spared = {o.query.source.node: o.query.source for o in seen if o.query.source.node not in hit}
    return (*list(hit.values())[:ASKERS], *list(spared.values())[:1])


@dataclasses.dataclass(frozen=True, slots=True)
class Replica:
    """What one replica said when it was asked by itself.

    `wrong` are answers other than the truth. `silent` says that it answered no question, `lost`
    counts questions without an answer.
    """

    name: str
    node: str
    wrong: tuple[DnsObservation, ...]
    right: int
    lost: int

    @property
    def silent(self) -> bool:
        """Whether it answered no client at all."""
        return not self.wrong and not self.right and self.lost > 0

    @property
    def where(self) -> str:
        """The replica and its node."""
        return f"{self.name} on {self.node}" if self.node else self.name

    @property
    def fault(self) -> str:
        """What it does wrong, in words: ``answers NXDOMAIN to 4 of 8 questions``; "" for nothing.

        A question lost only on the path from some clients is not its fault.
        """
        total = len(self.wrong) + self.right + self.lost
        if self.silent:
            return f"answers none of {total} questions, of any who asked"
        if not self.wrong:
            return ""
        what = " and ".join(sorted({o.came for o in self.wrong}))
        types = ", ".join(sorted({o.query.question.type.value for o in self.wrong}))
        families = [f for f in Family if any(o.query.server.family is f for o in self.wrong)]
        ways = " and ".join(families) + (" alike" if len(families) > 1 else "")
        return f"answers {what} to {len(self.wrong)} of {total} questions ({types}), over {ways}"


def replicas(seen: Iterable[DnsObservation], expected: Expected) -> tuple[Replica, ...]:
    """What each replica said; what could not be measured counts for nothing."""
    rows: dict[tuple[str, str], list[DnsObservation]] = defaultdict(list)
    for o in seen:
        if o.outcome.measured:
            rows[o.query.server.name, o.query.server.node].append(o)
    return tuple(_replica(name, node, row, expected) for (name, node), row in rows.items())


def _replica(name: str, node: str, row: Sequence[DnsObservation], expected: Expected) -> Replica:
    bad = [o for o in row if not expected[o.query.question].accepts(o)]
    wrong = tuple(o for o in bad if o.outcome not in LOST)
    return Replica(name, node, wrong, len(row) - len(bad), len(bad) - len(wrong))


def finding(found: Sequence[Replica], service: str) -> Finding | None:
    """Where the DNS is at fault; None where the replicas' answers do not show it.

    Either some replicas are at fault and others are not, or all are alike (then it is what they
    share), or each is right by itself (then it is the way through the service).
    """
    bad = [replica for replica in found if replica.fault]
    good = [replica for replica in found if replica.right and not replica.fault]
    if bad and good:
        return _of_replicas(bad, good, service.partition("/")[0])
    if any(replica.wrong for replica in bad):
        each = f"each of its {len(found)} replicas" if len(found) > 1 else "its only replica"
        worst = max(bad, key=lambda replica: len(replica.wrong))
        return DNS_ANSWERS.found(
            severity=Severity.ERROR,
            subject=Subject("Service", service),
            seen=f"{each} is wrong: {worst.where} {worst.fault}",
            remedy="look at what replicas share: the Corefile, and the API server they watch",
        )
    if good and not any(replica.lost for replica in found):
        names = listed(replica.where for replica in good)
        return DNS_SERVICE.found(
            severity=Severity.ERROR,
            subject=Subject("Service", service),
            seen=f"answers through it are wrong or missing, and each replica is right when asked "
            f"by itself ({names})",
            remedy="look at the way through the service: kube-proxy's rules, a DNS cache on nodes",
        )
    return None


def _of_replicas(bad: Sequence[Replica], good: Sequence[Replica], namespace: str) -> Finding:
    names = " ".join(replica.name for replica in bad)
    logs = f"kubectl -n {namespace} logs {names}"
    silent = all(replica.silent for replica in bad)
    others = f"{listed(r.where for r in good)} {'is' if len(good) == 1 else 'are'} right"
    return DNS_REPLICA.found(
        severity=Severity.ERROR,
        subject=f"DNS replica {listed(replica.where for replica in bad)}",
        seen="; ".join([*dict.fromkeys(replica.fault for replica in bad), others]),
        remedy=f"see whether port 53 reaches it, and {logs}"
        if silent
        else f"see whether it has lost its watch: {logs}; deleted, it reads the API again",
    )
