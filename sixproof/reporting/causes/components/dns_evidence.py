"""What shows that a DNS replica is at fault, beside its answers: what it says of itself."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence

from sixproof.errors import brief
from sixproof.model import Family
from sixproof.probes.nodes.examination import PodHealth
from sixproof.reporting.diagnosis.pattern import said_families, said_list

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
