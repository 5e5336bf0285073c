"""What shows that a DNS replica is at fault, beside its own answers: what it says of itself, and
what comes of it behind the service."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator, Sequence

from sixproof.errors import brief
from sixproof.model import Family, MatrixKind, Observation, Outcome
from sixproof.probes.nodes.examination import PodHealth
from sixproof.reporting.conclusion.reach import carried_over
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.merged import behind
from sixproof.reporting.diagnosis.pattern import said_count, said_families, said_list

PORT = 53
LOST = (Outcome.DROPPED, Outcome.UNROUTABLE)
OK = 200
READY = "/ready"
_PLUGINS = re.compile(r"\w+(?:, ?\w+)*")
"""What CoreDNS answers while it is not ready: the plugins for which it waits."""
_BODY = 60
"""Characters of an answer that are said."""


def runs(health: Sequence[PodHealth]) -> bool:
    """Whether a pod's process surely runs: it said something of itself."""
    return any(one.status for one in health)


def not_ready(health: Sequence[PodHealth]) -> bool:
    """Whether a pod says itself that it is not ready. Where it says nothing, something on the node
    may keep the question from it."""
    return any(one.check.path == READY and one.status not in (0, OK) for one in health)


def said_health(health: Sequence[PodHealth], whose: str = "its own") -> Iterator[str]:
    """What a pod says of itself: first what is not well, then what is."""
    well: list[str] = []
    for path in dict.fromkeys(one.check.path for one in health):
        asked = [one for one in health if one.check.path == path]
        ways: dict[str, list[Family]] = {}
        for one in filter(_sick, asked):
            ways.setdefault(_says(one), []).append(_family(one))
        for what, families in ways.items():
            some = set(families) != set(map(_family, asked))
            yield f"{whose} {path} {what}{f', over {said_families(families)}' if some else ''}"
        if all(one.status == OK for one in asked):
            well.append(path)
    if well:
        yield f"{whose} {said_list(well)} {'say' if len(well) > 1 else 'says'} {OK}"


def _sick(one: PodHealth) -> bool:
    """Whether it says that the pod is not well. Silence does where a probe of the pod asks; else
    nothing may listen there."""
    return one.status != OK and bool(one.status or one.check.declared)


def _says(one: PodHealth) -> str:
    if not one.status:
        silent = one.error.startswith("no answer")
        return f"gives {one.error}" if silent else f"gives no answer: {one.error}"
    body = brief(one.body, _BODY)
    if one.check.path == READY and _PLUGINS.fullmatch(one.body):
        body = f"plugins not ready: {body}"
    return f"says {one.status}" + (f": {body}" if body else "")


def _family(one: PodHealth) -> Family:
    return Family.of(ipaddress.ip_address(one.address))


class DnsService:
    """What came of what was asked through the DNS service, behind which are so many `replicas`."""

    def __init__(self, situation: Situation, replicas: int) -> None:
        self._situation = situation
        self._one = f"it is one of {replicas} replicas"

    def lost(self, families: Collection[Family]) -> Iterator[str]:
        """How many of the questions over these families were lost."""
        asked = [
            o for o in self._asked(MatrixKind.DNS_QUESTIONS) if carried_over(o.flow) in families
        ]
        if lost := sum(o.outcome in LOST for o in asked):
            yield f"{lost} of {len(asked)} questions through the service were lost: {self._one}"

    def wrong(self, names: Collection[str]) -> Iterator[str]:
        """How many of the answers for these names were wrong."""
        asked = [
            o
            for o in self._asked(MatrixKind.DNS_ANSWERS)
            if any(word in names for word in o.flow.question.split())
        ]
        if wrong := sum(o.outcome is Outcome.DNS_FAILED for o in asked):
            yield (
                f"{wrong} of {len(asked)} answers for the same names through the service are "
                f"wrong: {self._one}"
            )

    def lookups(self) -> Iterator[str]:
        """What became of lookups by pods' own resolvers: late ones, and those without a result."""
        seen = list(self._asked(MatrixKind.LOOKUPS))
        again = [o for o in seen if o.attempts > 1]
        lost = {o.flow.source.name for o in again if o.outcome in LOST}
        late = [o for o in again if o.outcome not in LOST]
        of = f"of {said_count(len({o.flow.source.name for o in seen}), 'pod')}"
        if late:
            pods = len({o.flow.source.name for o in late})
            took = max(o.latency or 0.0 for o in late)
            yield (
                f"lookups of {pods} {of} were late, by up to {took:.1f} s: their resolver asked "
                f"again"
            )
        if lost:
            yield f"lookups of {len(lost)} {of} brought nothing, though their resolver asked again"

    def _asked(self, kind: MatrixKind) -> Iterator[Observation]:
        for o in self._situation.seen_of(kind):
            if o.outcome.measured and o.flow.port == PORT and behind(o.flow.destination):
                yield o
