"""``python -m sixproof audit``: what is wrong, or will surprise, in files, without a cluster."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import ipaddress
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.calico import pool_audit
from sixproof.calico.felix import audit as felix_audit
from sixproof.calico.felix.settings import felix
from sixproof.calico.operator import installed_pools
from sixproof.calico.pools import pools
from sixproof.calico.state import CalicoState
from sixproof.errors import Subject, UsageError
from sixproof.explain.command import Output, few
from sixproof.explain.files import Files
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts import preflight
from sixproof.model import ClusterFacts, Finding, IPNetwork, Severity
from sixproof.policy import PROFILES
from sixproof.policy.manifests.audit import audit as audit_manifests
from sixproof.policy.manifests.manifest_compiler import objects, subject_of
from sixproof.policy.manifests.placed import Placed, Refusals
from sixproof.policy.manifests.tree import leaves

NEVER = "never"
_RANK = (Severity.NOTE, Severity.WARNING, Severity.ERROR, Severity.BLOCKER)
_REPORTED_ELSEWHERE = frozenset({"calico-mtu", "calico-felix-failsafe"})
"""Codes of Calico's audit whose objects the manifest audit judges itself."""

_EPILOG = """
files:
  YAML or JSON: manifests, what `helm template`, `kubectl get -o yaml` or `calicoctl get -o yaml`
  print, several documents, lists. A directory means its files in .yaml, .yml and .json.

what is judged:
  policies of Kubernetes, Calico and the admin policy API; IPPools and the pools of an Installation
  (overlaps, blockSize, encapsulation, natOutgoing, scope); FelixConfigurations (ipv6Support, MTUs,
  fail-safe ports); ranges of kubeadm and kind (podSubnet, serviceSubnet) against each other and
  against pools; networks in any object; sysctls and feature gates. `python -m sixproof findings`
  lists every finding.

examples:
  python -m sixproof audit calico/ policies/
  kubectl get ippools,felixconfigurations,networkpolicies -A -o yaml | python -m sixproof audit -

exit status: 0 nothing as bad as --fail-on; 1 something is; 2 a file cannot be read, bad usage, or
an answer that could not be written
"""


@dataclasses.dataclass(frozen=True, slots=True)
class PlacedFinding:
    """A finding, and the location of its object: ``pools.yaml: document 2, line 14``."""

    finding: Finding
    place: str

    def to_json(self) -> dict[str, str]:
        """One object of ``--json``."""
        one = self.finding
        return {
            "place": self.place,
            "code": one.code,
            "severity": one.severity.value,
            "subject": one.subject,
            "seen": one.seen,
            "wanted": one.wanted,
            "remedy": one.remedy,
            "title": one.title,
            "source": one.source,
        }

    def __str__(self) -> str:
        one = self.finding
        lines = [f"{one.severity.value} [{one.code}] {one.subject}: {one.seen}"]
        lines += [f"  {name}: {text}" for name, text in self._more() if text]
        return "\n".join(lines)

    def _more(self) -> Iterator[tuple[str, str]]:
        yield "where", self.place
        yield "wanted", self.finding.wanted
        yield "do", self.finding.remedy
        yield "source", self.finding.source


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a command line."""
    found = commands.add_parser(
        "audit",
        help="say what is wrong in manifests: policies, pools, Felix, ranges",
        description="Say what is wrong, or will surprise over IPv6, in manifests. Asks no cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = found.add_argument
    add("files", nargs="+", metavar="FILE", help="manifests, directories of them, or - for stdin")
    add("-R", "--recursive", action="store_true", help="look into directories below, too")
    add("--json", action="store_true", help="print one JSON object for each finding")
    whose = "whose policy engine the policies are for (default: %(default)s)"
    add("--provider", choices=list(PROFILES), default="calico", help=whose)
    levels = [*(s.value for s in _RANK[:3]), NEVER]
    fails = "exit with 1 if something is as bad as this (default: %(default)s)"
    add("--fail-on", choices=levels, default=Severity.ERROR.value, help=fails)


def audit(arguments: argparse.Namespace) -> Output:
    """Judge files.

    Raises:
        UsageError: one cannot be read, or none holds an object.
    """
    files = Files.of(arguments.files, deep=arguments.recursive)
    if files.unread:
        raise Refusals(files.unread)
    every = list(_apart(files.documents))
    if not every:
        raise UsageError("there is no object in what was given")
    for one in every:
        if _is_kubeconfig(one.value):
            raise UsageError(
                f"{one.place}: is a kubeconfig, and audit asks no cluster; name manifests, or "
                "measure its cluster: sixproof run --six-kubeconfig FILE"
            )
    found = list(_found(every, arguments.provider))
    bad = arguments.fail_on != NEVER and any(
        _RANK.index(one.finding.severity) >= _RANK.index(Severity(arguments.fail_on))
        for one in found
    )
    text = _json(found) if arguments.json else _words(found, [one.value for one in every])
    return Output(1 if bad else 0, text, few(files.notes))


def _is_kubeconfig(value: object) -> bool:
    """Whether an object is a file with which clients reach a cluster."""
    return isinstance(value, dict) and value.get("kind") == "Config" and "clusters" in value


def _apart(documents: Iterable[Placed]) -> Iterator[Placed]:
    """Every object with the location of its document: lists are split up."""
    for document in documents:
        for value in objects([document.value]):
            if isinstance(value, dict):
                yield Placed(value, document.place)


def _found(every: Sequence[Placed], provider: str) -> Iterator[PlacedFinding]:
    values = [one.value for one in every]
    found = dict.fromkeys((*audit_manifests(values, PROFILES[provider]), *_of_the_cluster(values)))
    places = _Places(every)
    for finding in sorted(found, key=lambda f: -_RANK.index(f.severity)):
        yield PlacedFinding(finding, places.of(finding))


class _Places:
    """The locations of objects, pools of an Installation and ranges among them."""

    def __init__(self, every: Sequence[Placed]) -> None:
        self._every = every
        self._known: dict[tuple[str, str], str] = {}
        for one in every:
            about = subject_of(one.value)
            self._known.setdefault((about.kind, about.name), one.place)
            if isinstance(one.value, dict) and about.kind == "Installation":
                for pool in installed_pools(one.value):
                    self._known.setdefault(("IPPool", pool.name), one.place)

    def of(self, finding: Finding) -> str:
        """Where a finding's objects are, each location once; "" where that is not known."""
        about = [one for one in (finding.object, *finding.others) if one]
        return "; ".join(dict.fromkeys(filter(None, map(self._of_one, about))))

    def _of_one(self, about: Subject) -> str:
        if about.kind in (preflight.POD_RANGE, preflight.SERVICE_RANGE):
            return self._ranges.get(ipaddress.ip_network(about.name), "")
        return self._known.get((about.kind, about.name), "")

    @functools.cached_property
    def _ranges(self) -> Mapping[IPNetwork, str]:
        """The location of the first object that has a range, for each range."""
        homes: dict[IPNetwork, str] = {}
        for one in self._every:
            texts = (leaf.field.value for leaf in leaves(one.value))
            words = (word.strip() for t in texts if isinstance(t, str) for word in t.split(","))
            for network in json_fields.networks(word for word in words if "/" in word):
                homes.setdefault(network, one.place)
        return homes


def _of_the_cluster(values: Sequence[object]) -> Iterator[Finding]:
    """What objects mean together: pools, ranges, Felix's settings."""
    written = [v for v in values if isinstance(v, dict)]
    configured = _of_kind(written, "FelixConfiguration")
    given = (
        *pools(_of_kind(written, "IPPool")),
        *(p for one in _of_kind(written, "Installation") for p in installed_pools(one)),
    )
    state = CalicoState("", pools=given, felix=felix(configured, {}))
    facts = ClusterFacts(
        server="",
        version="",
        nodes=(),
        pod_cidrs=tuple(dict.fromkeys((*(p.cidr for p in given), *_subnets(written, "podSubnet")))),
        service_cidrs=_subnets(written, "serviceSubnet"),
    )
    yield from (f for f in pool_audit.audit(state, facts) if not _without_nat(f))
    if configured:
        audited = felix_audit.audit(state, None)
        yield from (f for f in audited if f.code not in _REPORTED_ELSEWHERE)
    yield from preflight.ranges(facts)


def _without_nat(finding: Finding) -> bool:
    """Whether this is the same as `ula-without-nat`."""
    return finding.code == "calico-pool-nat" and finding.severity is Severity.WARNING


def _of_kind(values: Iterable[Manifest], kind: str) -> list[Manifest]:
    return [value for value in values if value.get("kind") == kind]


def _subnets(values: Iterable[object], key: str) -> tuple[IPNetwork, ...]:
    """The networks in kubeadm's and kind's `networking`, separated by commas."""
    texts = (json_fields.text(value, "networking", key) for value in values)
    return json_fields.networks(text for one in texts for text in one.split(","))


def _words(found: Sequence[PlacedFinding], values: Sequence[object]) -> str:
    count = len(values)
    kinds = Counter(subject_of(value).kind for value in values)
    counted = Counter(one.finding.severity.value for one in found)
    summary = ", ".join(
        f"{number} {name}{'' if number == 1 else 's'}" for name, number in counted.items()
    )
    listed = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()) if kind)
    objects_ = f"{count} object{'' if count == 1 else 's'}{listed and f' ({listed})'}"
    parts = [*map(str, found), f"{objects_}: {summary or 'nothing found'}"]
    return "\n\n".join(parts) + "\n"


def _json(found: Iterable[PlacedFinding]) -> str:
    return "".join(f"{json.dumps(one.to_json())}\n" for one in found)
