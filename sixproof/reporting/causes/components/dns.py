"""DNS: one replica is at fault, or what all of them share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from sixproof.model import Disagreement, Family, MatrixKind, Observation, Outcome
from sixproof.probes.dns.verdict import OTHER_RECORDS
from sixproof.probes.nodes.examination import PodHealth
from sixproof.reporting.causes.components.dns_evidence import (
    LOST,
    PORT,
    DnsService,
    not_ready,
    runs,
    said_health,
)
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Command, Confidence, Trait
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.merged import behind
from sixproof.reporting.diagnosis.pattern import said_families, said_some

KINDS = (MatrixKind.DNS_QUESTIONS, MatrixKind.DNS_ANSWERS)
_MOST = 0.9
"""Of the questions to a silent replica, the share that got no answer."""
_WATCH = "it may have lost its watch of the API server"
_REPLICAS = 3
"""Replicas whose health is said where all are alike."""
_REWRITES = re.compile(r"^\s*((?:rewrite|template)\b[^\n{]*\b(?:AAAA|A)\b[^\n{]*)", re.MULTILINE)
_TO_A = re.compile(r"^rewrite\b.*\bAAAA\s+A\b")
_DNS64 = re.compile(r"^\s*(dns64\b[^\n{]*)", re.MULTILINE)


def find(situation: Situation) -> Iterator[Cause]:
    """Replicas that are wrong or silent beside others that are not, then what all get wrong."""
    seen = [o for o in situation.seen_of(*KINDS) if o.outcome.measured]
    wrong = {id(w.observation) for w in situation.wrong_of(*KINDS)}
    if not wrong:
        return
    asked = _by_replica(seen)
    health = {replica: situation.examination.health_of(*replica) for replica in asked}
    sick = {
        replica: rows
        for replica, all_rows in asked.items()
        if (rows := _bad([o for o in all_rows if id(o) in wrong], all_rows, health[replica]))
    }
    well = [replica for replica in asked if replica not in sick]
    if sick and well:
        for replica, rows in sick.items():
            yield _replica(situation, replica, rows, asked, well)
    elif wrong_answers := [
        o for rows in sick.values() for o in rows if o.outcome is Outcome.DNS_FAILED
    ]:
        yield _all_of_them(situation, wrong_answers, {replica: health[replica] for replica in sick})


def _bad(
    wrong: list[Observation], asked: list[Observation], health: list[PodHealth]
) -> list[Observation]:
    """What makes a replica faulty: more wrong answers than chance, or a silence to all clients over
    a family. What only some clients lose is lost on the path, unless the replica says itself that
    it is not ready."""
    if not_ready(health):
        return wrong
    wrong_answers = [o for o in wrong if o.outcome is Outcome.DNS_FAILED]
    if len(wrong_answers) >= max(2, len(asked) // 20):
        return wrong_answers
    silent: list[Observation] = []
    for family in Family:
        lost = [o for o in wrong if o.outcome in LOST and Family.of(o.flow.address) is family]
        total = [o for o in asked if Family.of(o.flow.address) is family]
        if lost and len(lost) >= _MOST * len(total):
            silent += lost
    return silent


def _by_replica(seen: Iterable[Observation]) -> dict[tuple[str, str], list[Observation]]:
    """What was asked of each replica by itself, by its name and node."""
    found: dict[tuple[str, str], list[Observation]] = {}
    for o in seen:
        if o.flow.destination.node:
            found.setdefault((o.flow.destination.name, o.flow.destination.node), []).append(o)
    return found


def _by_the_api(situation: Situation, name: str, node: str) -> list[str]:
    """What the API server says of a replica's pod, nothing where it has no such pod."""
    return [
        f"the API server calls it {'' if pod.ready else 'not '}Ready, with "
        f"{pod.restarts or 'no'} restart{'' if pod.restarts == 1 else 's'}"
        for pod in situation.examination.of("CoreDNS", node)
        if pod.name == name
    ]


def _replica(
    situation: Situation,
    replica: tuple[str, str],
    rows: list[Observation],
    asked: Mapping[tuple[str, str], list[Observation]],
    well: list[tuple[str, str]],
) -> Cause:
    """One that is at fault for these `rows` of what all were asked by themselves."""
    name, node = replica
    health = situation.examination.health_of(name, node)
    ways = [f for f in Family if any(Family.of(o.flow.address) is f for o in rows)]
    over = f"over {said_families(ways)}{' alike' if len(ways) > 1 else ''}"
    good = ", ".join(f"{n} on {where}" for n, where in well)
    silent = all(o.outcome in LOST for o in rows)
    # Cells without a name are about whether a question is answered, those with one about answers.
    alike = [o for o in asked[replica] if bool(o.flow.question) is not silent]
    total = sum(carried_over(o.flow) in ways for o in alike)
    if silent:
        what = f"it gives no answer on port 53, {over} ({len(rows)} of {total} questions)"
        see = f"what keeps port 53 from it on {node}: its process runs"
        if not runs(health):
            see = "whether port 53 reaches it and its process runs"
        remedy = f"See {see}, or delete the pod, which makes a new one"
    else:
        came = said_reasons(rows)
        what = f"it answers {came} where that is wrong, {over}: {_WATCH}"
        remedy = "Restart it: delete the pod, which makes a new one"
    wrong = sum(o.outcome is Outcome.DNS_FAILED for o in rows)
    reached = DnsService(situation, len(asked))
    names = sorted({word for o in rows for word in o.flow.question.split() if word[-1] == "."})

    def hits(w: Disagreement) -> bool:
        flow = w.observation.flow
        ours = flow.destination.name == name or behind(flow.destination)
        return ours and _asks_dns(w)

    return Cause(
        "dns-replica",
        f"DNS replica {name} on {node}",
        what,
        remedy,
        tuple(ways),
        Confidence.SHOWN,
        hits=hits,
        evidence=(
            *([] if silent else [f"{wrong} of {total} answers that it gave are wrong"]),
            f"{good} {'is' if len(well) == 1 else 'are'} right when asked the same",
            *(reached.lost(ways) if silent else reached.wrong(names)),
            *(reached.lookups() if silent else ()),
            *said_health(health),
            *_by_the_api(situation, name, node),
            *([f"asked for {said_some(names, 3)}"] if names else []),
        ),
        do=(
            Command.kubectl("kube-system", "logs", name),
            Command.kubectl("kube-system", "delete", "pod", name),
        ),
        briefer=() if silent else (what.removesuffix(f": {_WATCH}"),),
        details=() if silent else (_WATCH,),
        traits=frozenset({Trait.NO_ANSWER if silent else Trait.OLD_ANSWERS}),
    )


def _asks_dns(wrong: Disagreement) -> bool:
    """Whether a wrong cell is a question to a DNS server."""
    return wrong.observation.flow.port == PORT


def said_reasons(rows: list[Observation]) -> str:
    """What came, the most frequent first."""
    counts = Counter(o.reason or str(o.outcome) for o in rows)
    return " or ".join(reason for reason, _ in counts.most_common(2))


def _all_of_them(
    situation: Situation,
    rows: list[Observation],
    replicas: Mapping[tuple[str, str], list[PodHealth]],
) -> Cause:
    """All replicas alike, with their health: their configuration, or what they all ask."""
    about = [f for f in Family if any(o.flow.family is f for o in rows)]
    kind = {Family.IPV6: "AAAA", Family.IPV4: "A"}[about[0]] if len(about) == 1 else "AAAA and A"
    corefile = situation.examination.settings.get("Corefile", "")
    lines = [m.strip() for m in (*_REWRITES.findall(corefile), *_DNS64.findall(corefile))]
    came = said_reasons(rows)
    if lines:
        if lines[0].startswith("dns64") and came == OTHER_RECORDS:
            came = "addresses made of A records where a name has no AAAA"
        what = f"its Corefile says {lines[0]!r}: {kind} questions get {came}"
        remedy = "Take that out of ConfigMap kube-system/coredns (keep a copy), restart CoreDNS"
    else:
        what = f"every replica answers {came} to {kind} questions"
        remedy = (
            "See what replicas share: the Corefile (ConfigMap kube-system/coredns), the API server"
        )
    names = ", ".join(f"{n} on {node}" for n, node in replicas)
    unready = all(map(not_ready, replicas.values()))
    said = [
        line
        for (name, _), health in list(replicas.items())[:_REPLICAS]
        for line in said_health(health, f"{name}'s own")
    ]
    return Cause(
        "dns-configuration",
        "CoreDNS",
        what,
        remedy,
        tuple(about),
        Confidence.SHOWN if lines or unready else Confidence.FITS,
        hits=_asks_dns,
        evidence=(
            f"alike from every replica: {names}",
            *(f"Corefile: {x}" for x in lines[1:3]),
            *(said if unready else ()),
        ),
        traits=frozenset({Trait.AAAA_REWRITTEN} if any(map(_TO_A.search, lines[:3])) else ()),
    )


RULES = (
    CauseRule(
        "dns-replica",
        "One DNS replica is wrong or silent, the others are right",
        "DNS questions and answers of each replica asked by itself and through the service, late "
        "lookups of pods, its own health and readiness as its node hears them, its pod's readiness",
        find,
        ("R4", "R10"),
    ),
    CauseRule(
        "dns-configuration",
        "All DNS replicas give the same wrong answers: their Corefile changes AAAA or A questions",
        "DNS answers, the Corefile (ConfigMap kube-system/coredns), replicas' own readiness",
        find,
        ("R5", "I21", "D64"),
        "CoreDNS plugins rewrite, template and dns64",
    ),
)
