"""Hop limit: packets exceed it on the path, and a router reports it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from sixproof.model import Disagreement, Family, MatrixKind
from sixproof.reporting.causes.filtering.takings import REMEDY, lowering
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence
from sixproof.reporting.conclusion.reach import touches
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.pattern import said_count, said_some

TIME_EXCEEDED = {Family.IPV6: (3, 0), Family.IPV4: (11, 0)}
"""Type and code of "exceeded in transit"."""
SENDERS = 8
"""Senders of the error that the evidence names."""
DEFAULT = {Family.IPV6: "net.ipv6.conf.*.hop_limit", Family.IPV4: "net.ipv4.ip_default_ttl"}
"""The setting that hosts take it from."""


REFUSED = {Family.IPV6: "Ip6InHdrErrors", Family.IPV4: "IpInHdrErrors"}
"""The counter of packets that a kernel does not forward for their header; one whose hop limit is
exceeded is counted there whether or not the kernel says so (RFC 4293, ipIfStatsInHdrErrors)."""


def find(situation: Situation) -> Iterator[Cause]:
    """Each family in which clients received Time Exceeded, with its senders; where none did, nodes
    with a rule that lowers it, whose kernels refused packets meanwhile: kernels send the error
    sparingly, and a server's answers that die use up what a client would get."""
    for family in Family:
        wrong = list(situation.wrong_of(MatrixKind.FLOWS))
        met = [w for w in wrong if _exceeded(w, family)]
        if met:
            yield _cause(situation, family, met)
        elif any(w.observation.flow.family is family for w in wrong):
            yield from _unsaid(situation, family)


def _unsaid(situation: Situation, family: Family) -> Iterator[Cause]:
    counter = REFUSED[family]
    for node, now in situation.nodes.items():
        reading, before = situation.filter_of(node), situation.earlier.get(node)
        rule = lowering(reading, family) if reading else None
        if rule is None or rule.rose <= 0 or before is None:
            continue
        refused = now.counters.get(counter, 0) - before.counters.get(counter, 0)
        if refused > 0:
            yield Cause(
                "hop-limit",
                f"node {node}",
                f"{family} packets exceed their hop limit on the way: a packet filter rule "
                f"{rule.said}",
                REMEDY.format("the rule", them="it"),
                (family,),
                Confidence.SHOWN,
                hits=_near(family, {node}),
                evidence=(
                    f"{said_count(rule.rose, 'packet')} while failing flows were sent again",
                    f"the kernel refused {said_count(refused, 'packet')} during the run "
                    f"({counter}); that none of the clients was told may be its limit of ICMP "
                    f"errors",
                    f"{rule.place}: {rule.said}",
                ),
                do=rule.deletion(node),
            )


def _cause(situation: Situation, family: Family, met: list[Disagreement]) -> Cause:
    senders = list(dict.fromkeys(w.observation.icmp.sender for w in met if w.observation.icmp))
    nodes = {sender: _node(situation, sender) for sender in senders}
    named = [f"{s} ({nodes[s]})" if nodes[s] else s for s in senders]
    homes = {w.observation.flow.destination.node for w in met}
    places = set(nodes.values()) - {""} or homes
    place = min(places) if len(places) == 1 else ""
    do: tuple[Command, ...] = ()
    reading = situation.filter_of(place)
    rule = lowering(reading, family) if reading else None
    if rule:
        why = f"a packet filter rule {rule.said}"
        remedy = REMEDY.format("the rule", them="it")
        do = rule.deletion(place)
    else:
        why = f"{said_some(named, 2)} sent Time Exceeded"
        remedy = (
            f"Look for what lowers it there (packet filter rules that set it, {DEFAULT[family]}), "
            f"or for a routing loop"
        )
    return Cause(
        "hop-limit",
        f"node {place}" if place else f"{len(senders)} routers",
        f"{family} packets exceed their hop limit on the way: {why}",
        remedy,
        (family,),
        Confidence.SHOWN,
        hits=_near(family, homes),
        evidence=(
            f"{len(met)} flows met it",
            f"hop limit exceeded in transit, said by {said_some(named, SENDERS)}",
            *([f"{rule.place}: {rule.said}"] if rule else []),
        ),
        do=do,
    )


def _near(family: Family, nodes: set[str]) -> Callable[[Disagreement], bool]:
    """Flows that received it, and others of its family that start or end on the same nodes."""

    def hits(wrong: Disagreement) -> bool:
        flow = wrong.observation.flow
        beside = flow.family is family and any(touches(flow, node) for node in nodes)
        return beside or _exceeded(wrong, family)

    return hits


def _exceeded(wrong: Disagreement, family: Family) -> bool:
    icmp = wrong.observation.icmp
    if icmp is None or icmp.family is not family:
        return False
    return (icmp.kind, icmp.code) == TIME_EXCEEDED[family]


def _node(situation: Situation, sender: str) -> str:
    """The node that has the sender's address, "" where none is known to."""
    try:
        return situation.holders.get(ip_address(sender), "")
    except ValueError:
        return ""


RULES = (
    CauseRule(
        "hop-limit",
        "Packets exceed their hop limit on the way",
        "ICMP Time Exceeded that clients met, which node has the sender's address, and rules of "
        "its packet filter that set the hop limit; its counters of packets that it refused",
        find,
        ("H1",),
        "RFC 4443 section 3.3, RFC 792",
    ),
)
