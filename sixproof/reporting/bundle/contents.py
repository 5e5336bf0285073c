"""The files of a bundle except its index: which there are, and what they contain."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sixproof import records
from sixproof.kube.facts.diagnostics import Part
from sixproof.probes.nodes.examination import NodeReading
from sixproof.reporting.bundle.evidence import RunEvidence
from sixproof.reporting.bundle.judged import Judged
from sixproof.reporting.bundle.node_items import FILTERS, NODE_FACTS
from sixproof.reporting.bundle.scrubbed import scrubbed
from sixproof.reporting.bundle.trimmed import trimmed

_MARGIN = 8
"""Bytes around an entry: indentation, a comma, quotes."""
MOST_NODES = 64
"""Nodes whose own facts get a file."""


@dataclasses.dataclass(frozen=True)
class Content:
    """What goes into one file: `value`, a list or an object, whose entries may be left off from the
    end where the file grows too long. `command` shows the same by hand; `notes` say what is
    missing, `cut` that there is more than was read. `rows` are facts with a line an entry, which
    are many: they are looked through for secrets once it is known which of them fit."""

    path: str
    what: str
    value: Any
    command: str = ""
    notes: tuple[str, ...] = ()
    cut: bool = False
    rows: bool = False

    @functools.cached_property
    def size(self) -> int:
        """Bytes of the whole, or somewhat less."""
        return _size(self.value)


@dataclasses.dataclass(frozen=True)
class Written:
    """A file as it goes into the archive, with `entries` out of `of`."""

    content: Content
    body: bytes
    entries: int
    of: int

    @property
    def whole(self) -> bool:
        """Whether nothing of it was left off."""
        return self.entries == self.of and not self.content.cut


def contents(evidence: RunEvidence, judged: Sequence[Judged]) -> tuple[Content, ...]:
    """The files, by path."""
    found = [
        *_of_run(evidence, judged),
        *(_of_part(part) for part in evidence.parts),
        *_of_nodes(evidence),
    ]
    return tuple(sorted(found, key=lambda content: content.path))


def written(content: Content, limit: int) -> Written:
    """The file in about `limit` bytes: as many entries as fit, in their order; of an object, each
    member as far as it fits, small ones first."""
    shown = content.value if content.size <= limit else _fitting(content.value, limit)
    text = "".join(_rows(scrubbed(shown))) if content.rows else _pretty(shown)
    body = f"{text}\n".encode(errors="backslashreplace")
    return Written(content, body, _entries(shown), _entries(content.value))


def _fitting(value: Any, room: int) -> Any:
    if isinstance(value, Mapping):
        sizes = {key: _size(one) + len(key) + _MARGIN for key, one in value.items()}
        shown = {}
        for key in sorted(sizes, key=lambda key: (sizes[key], key)):
            if sizes[key] <= room or isinstance(value[key], list):
                shown[key] = _fitting(value[key], room) if sizes[key] > room else value[key]
                room -= min(sizes[key], room)
        return shown
    kept = []
    for one in value:
        room -= _size(one) + _MARGIN
        if room < 0:
            break
        kept.append(one)
    return kept


def _entries(value: Any) -> int:
    """What a reader counts: the elements of a list, or of all lists of an object."""
    if isinstance(value, Mapping):
        return sum(len(one) if isinstance(one, list | dict) else 1 for one in value.values())
    return len(value)


def _of_run(evidence: RunEvidence, judged: Sequence[Judged]) -> Iterator[Content]:
    facts = scrubbed(records.to_json(evidence.facts))
    yield Content("cluster.json", "the cluster as discovery saw it", facts, "kubectl version")
    findings = scrubbed([records.to_json(finding) for finding in evidence.findings])
    yield Content("findings.json", "what preflight and audits found", findings)
    items = scrubbed([records.to_json(one) for one in judged])
    yield Content("check-list.json", "the check-list, judged", items)
    if evidence.calico is not None:
        settings = scrubbed(records.to_json(evidence.calico))
        what = "Calico's settings as they took effect when the run began"
        yield Content("calico/settings.json", what, settings, "calicoctl get felixconfig,node")
    if evidence.examination is not None:
        yield _examination(evidence)


def _examination(evidence: RunEvidence) -> Content:
    """What was seen when something failed, but for nodes and filters, which have their files, and
    the settings, which are shown as ConfigMaps."""
    value = records.to_json(evidence.examination)
    for elsewhere in ("before", "after", "filters", "settings", "pods"):
        value.pop(elsewhere, None)
    what = "what the run looked at because a test failed: pods inside, endpoints, ends of pods"
    return Content("run/examination.json", what, value, rows=True)


def _of_part(part: Part) -> Content:
    what = _WHAT.get(part.name, part.name.rpartition("/")[2])
    shown = trimmed(part)
    notes = list(part.problems)
    return Content(f"{part.name}.json", what, shown, part.command, tuple(notes), part.cut)


def _of_nodes(evidence: RunEvidence) -> Iterator[Content]:
    when = "after the last test" if evidence.examination else "when the run began"
    readings = sorted(evidence.node_readings, key=lambda reading: reading.node)
    for reading in readings[:MOST_NODES]:
        yield _facts_of(reading, when)
    for node, seen in sorted(evidence.filters.items())[:MOST_NODES]:
        what = f"packet filter of {node}: base chains, and rules that drop"
        value = records.to_json(seen)
        yield Content(f"{FILTERS}{_file(node)}.json", what, value, "nft list ruleset", rows=True)


def _facts_of(reading: NodeReading, when: str) -> Content:
    what = f"links, addresses, rules, routes, neighbours, settings of {reading.node}, {when}"
    value = records.to_json(reading.seen) if reading.seen else {}
    notes = (f"{reading.node}: {reading.missing or 'gave no answer'}",) if not reading.seen else ()
    command = "ip -6 route; ip -6 rule; ip -6 neigh; sysctl -a"
    return Content(
        f"{NODE_FACTS}{_file(reading.node)}.json", what, value, command, notes, rows=True
    )


def _file(name: str) -> str:
    """A name of the cluster's as a file's: no way out of its folder."""
    return re.sub(r"[^\w.-]", "_", name).lstrip(".")[:120] or "_"


def _size(value: object) -> int:
    return len(json.dumps(value, default=str))


def _pretty(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def _rows(value: Mapping[str, Any]) -> Iterator[str]:
    """An object whose members are lists of small objects (routes, rules): a line each."""
    for number, (key, member) in enumerate(sorted(value.items())):
        yield f"{',' if number else '{'}\n {json.dumps(key)}: "
        if isinstance(member, list) and member:
            lines = (json.dumps(one, sort_keys=True, ensure_ascii=False) for one in member)
            yield f"[\n  {f',{chr(10)}  '.join(lines)}\n ]"
        else:
            yield json.dumps(member, indent=1, sort_keys=True, ensure_ascii=False)
    yield "\n}" if value else "{}"


_WHAT = {
    "nodes": "nodes: addresses, conditions, podCIDRs, versions, what Calico notes of them",
    "components/pods": "pods of calico-node, kube-proxy and CoreDNS: state, restarts, image",
    "components/daemonsets": "DaemonSets calico-node and kube-proxy with their environment",
    "components/configmaps": "settings of kube-proxy, CoreDNS and Calico",
    "dns/services": "services of the DNS and of the API server",
    "dns/endpointslices": "their EndpointSlices",
    "run/pods": "the run's own pods with their addresses",
    "events": "warnings of the components' namespaces and of the run's, the newest first",
    "calico/ippools": "IP pools",
    "calico/felixconfigurations": "Felix's configuration, of the cluster and of nodes",
    "calico/bgpconfigurations": "BGP configuration",
    "calico/bgppeers": "BGP peers; of a password the Secret's name alone",
    "calico/caliconodestatuses": "the sessions of BIRD, where a CalicoNodeStatus asks for them",
    "calico/ipamblocks": "IPAM blocks, and who has which of their addresses",
    "calico/blockaffinities": "which block is which node's",
    "calico/installations": "the operator's settings",
    "calico/tigerastatuses": "how the operator's components are",
}
