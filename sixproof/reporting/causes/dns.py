"""DNS: one replica is at fault, or what all of them share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from sixproof.model import Disagreement, Family, MatrixKind, Observation, Outcome
from sixproof.reporting.conclusion.cause import Cause, Confidence, Rule
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.merged import behind
from sixproof.reporting.diagnosis.pattern import said_families

KINDS = (MatrixKind.DNS_QUESTIONS, MatrixKind.DNS_ANSWERS)
_MOST = 0.9
"""Of the questions to a silent replica that nobody got an answer to."""
_REWRITES = re.compile(
    r"^\s*((?:rewrite|template)\b[^\n{]*\b(?:AAAA|A|ANY)\b[^\n{]*)", re.MULTILINE
)
_DNS64 = re.compile(r"^\s*(dns64\b[^\n{]*)", re.MULTILINE)


def find(situation: Situation) -> Iterator[Cause]:
    """Replicas that are wrong or silent beside others that are not, then what all get wrong."""
    wrong = list(situation.wrong_of(*KINDS))
    if not wrong:
        return
    asked = [o for o in situation.seen_of(*KINDS) if o.flow.destination.node]
    bad = _by_replica(w.observation for w in wrong if w.observation.outcome.measured)
    total = _by_replica(o for o in asked if o.outcome.measured)
    sick = {
        replica: rows for replica, rows in bad.items() if len(rows) >= _least(len(total[replica]))
    }
    well = [replica for replica in total if replica not in sick]
    if sick and well:
        for replica, rows in sick.items():
            yield _replica(replica, rows, len(total[replica]), well)
    elif sick:
        yield _all_of_them(situation, [o for rows in sick.values() for o in rows], list(sick))


def _least(total: int) -> int:
    """Wrong answers of a replica that are no chance."""
    return max(2, total // 20)


def _by_replica(
    seen: Iterator[Observation] | list[Observation],
) -> dict[tuple[str, str], list[Observation]]:
    found: dict[tuple[str, str], list[Observation]] = {}
    for o in seen:
        if o.flow.destination.node:
            found.setdefault((o.flow.destination.name, o.flow.destination.node), []).append(o)
    return found


def _replica(
    replica: tuple[str, str], rows: list[Observation], total: int, well: list[tuple[str, str]]
) -> Cause:
    name, node = replica
    lost = [o for o in rows if o.outcome in (Outcome.DROPPED, Outcome.UNROUTABLE)]
    ways = [f for f in Family if any(Family.of(o.flow.address) is f for o in rows)]
    over = f"over {said_families(ways)}{' alike' if len(ways) > 1 else ''}"
    good = ", ".join(f"{n} on {where}" for n, where in well)
    if len(lost) >= _MOST * len(rows):
        what = f"it gives no answer on port 53, {over} ({len(lost)} of {total} questions)"
        remedy = (
            f"See whether port 53 reaches it and its process runs; "
            f"kubectl -n kube-system delete pod {name} makes a new one"
        )
    else:
        came = said_reasons(rows)
        what = (
            f"it answers {came} where that is wrong, {over} ({len(rows)} of {total} answers): "
            f"it may have lost its watch of the API server"
        )
        remedy = f"Restart it: kubectl -n kube-system delete pod {name}"
    names = sorted({o.flow.question.partition(" ")[0] for o in rows if o.flow.question})

    def hits(w: Disagreement) -> bool:
        flow = w.observation.flow
        ours = flow.destination.name == name or behind(flow.destination)
        return ours and _of_dns(asked_port(w))

    return Cause(
        "dns-replica",
        f"DNS replica {name} on node {node}",
        what,
        remedy,
        tuple(ways),
        Confidence.SHOWN,
        hits=hits,
        evidence=(
            f"{good} {'is' if len(well) == 1 else 'are'} right when asked the same",
            *(
                [f"asked for {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"]
                if names
                else []
            ),
        ),
    )


def asked_port(wrong: Disagreement) -> str:
    """The port of a wrong cell: a question to a DNS server goes to port 53."""
    return str(wrong.observation.flow.port)


def _of_dns(port: str) -> bool:
    return port == "53"


def said_reasons(rows: list[Observation]) -> str:
    """What came, the most frequent first."""
    counts = Counter(o.reason or str(o.outcome) for o in rows)
    return " or ".join(reason for reason, _ in counts.most_common(2))


def _all_of_them(
    situation: Situation, rows: list[Observation], replicas: list[tuple[str, str]]
) -> Cause:
    """All replicas alike: their configuration, or what they all ask."""
    about = [f for f in Family if any(o.flow.family is f for o in rows)]
    kind = {Family.IPV6: "AAAA", Family.IPV4: "A"}[about[0]] if len(about) == 1 else "AAAA and A"
    corefile = situation.examination.settings.get("Corefile", "")
    lines = [m.strip() for m in (*_REWRITES.findall(corefile), *_DNS64.findall(corefile))]
    came = said_reasons(rows)
    if lines:
        what = f"its Corefile says {lines[0]!r}: {kind} questions are answered {came}"
        remedy = "Take that line out of ConfigMap kube-system/coredns, and restart CoreDNS"
    else:
        what = f"every replica answers {came} to {kind} questions"
        remedy = (
            "See what replicas share: the Corefile (ConfigMap kube-system/coredns), the API server"
        )
    names = ", ".join(f"{n} on {node}" for n, node in replicas)
    return Cause(
        "dns-configuration",
        "CoreDNS",
        what,
        remedy,
        tuple(about),
        Confidence.SHOWN if lines else Confidence.FITS,
        hits=lambda w: _of_dns(asked_port(w)),
        evidence=(f"alike from every replica: {names}", *(f"Corefile: {x}" for x in lines[1:3])),
    )


RULES = (
    Rule(
        "dns-replica",
        "One DNS replica is wrong or silent, the others are right",
        "DNS questions and answers of each replica asked by itself",
        find,
        ("R4", "R10"),
        "coredns/coredns 3587, 3879, 7168",
    ),
    Rule(
        "dns-configuration",
        "All DNS replicas are wrong alike: what their Corefile makes of AAAA or A questions",
        "DNS answers, the Corefile in ConfigMap kube-system/coredns",
        lambda _: (),
        ("R5", "I21"),
        "rancher/rke2 4050; CoreDNS plugins rewrite, template and dns64",
    ),
)
