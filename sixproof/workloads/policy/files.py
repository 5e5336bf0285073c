"""The user's own policies, from a directory or from a cluster: read strictly, and namespaced ones
only.

Neither is trusted. Files are read completely before anything is created from them; every error
names the file, the document, the line and the path within it. Anything beside the policies (values
of a chart, a kustomization, bundles of other objects) is ignored.
"""

from __future__ import annotations

import dataclasses
import mmap
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sixproof import yaml_text
from sixproof.errors import ManifestError, TextError, UsageError, brief
from sixproof.kube.api import json_fields
from sixproof.model import Finding
from sixproof.policy import CALICO, ClusterSnapshot, Oracle
from sixproof.policy.manifests.audit import audit
from sixproof.policy.manifests.intake import in_namespace, judged, keyed, nearest
from sixproof.policy.manifests.manifest_compiler import described, objects
from sixproof.policy.manifests.tree import text_at
from sixproof.policy.snapshot.networks import Flaw
from sixproof.workloads.policy.cases import Manifest
from sixproof.yaml_text import Document

SUFFIXES = (".yaml", ".yml", ".json")
LARGE = 1 << 20
"""File size in bytes above which only documents that may hold policies are read."""
LARGEST = 16 << 20
"""Maximum size in bytes of a file that holds policies."""
KINDS = {
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("projectcalico.org/v3", "NetworkPolicy"),
}
_POLICY = re.compile(rb"""kind["']?\s*:\s*["']?\w*polic""", re.IGNORECASE)
_SEPARATOR = re.compile(r"^(?=---(?:\s|$))", re.MULTILINE)
_PLAIN_KIND = re.compile(r"""^kind:[ \t]*["']?(\w+)["']?[ \t]*$""", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Given:
    """The policies, the labels of the namespaces that the files describe, what else they hold
    (``Deployment shop/web``), which is ignored, and what is not taken as it is written; `findings`
    are of networks that strict validation would refuse."""

    policies: tuple[Manifest, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclasses.dataclass
class _Heap:
    """What has been found so far while files are read."""

    policies: list[Manifest] = dataclasses.field(default_factory=list)
    namespaces: dict[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    left: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    findings: list[Finding] = dataclasses.field(default_factory=list)


def read(directory: Path) -> Given:
    """Everything in the files of a directory; subfolders are not read.

    Raises:
        UsageError: a file cannot be read or holds no policies that can be tested; names the place.
    """
    try:
        found = sorted(p for p in directory.iterdir() if p.suffix in SUFFIXES and p.is_file())
    except OSError as error:
        raise UsageError(f"{directory}: cannot be read: {error.strerror}") from error
    heap = _Heap()
    for path in found:
        for document in _documents(path, heap):
            where = f"{path}: document {document.number}, line {document.line}"
            heap.notes += [f"{path}: {repeated}" for repeated in document.repeated]
            try:
                for value in objects([document.value]):
                    _sort(value, heap, where)
            except ManifestError as error:
                raise UsageError(f"{where}: {error}") from error
    if not heap.policies:
        suffixes = ", ".join(SUFFIXES)
        raise UsageError(f"{directory}: holds no NetworkPolicy in files ending in {suffixes}")
    try:
        Oracle.of(heap.policies, ClusterSnapshot.of({}), CALICO)
    except ManifestError as error:
        raise UsageError(f"{directory}: {error}") from error
    return Given(
        tuple(heap.policies),
        heap.namespaces,
        tuple(heap.left),
        tuple(heap.notes),
        tuple(heap.findings),
    )


def existing(found: Iterable[Manifest], tiers: Iterable[Manifest] = ()) -> Given:
    """Policies as an API server holds them, which may belong to these tiers.

    Raises:
        UsageError: there are none, or one cannot be judged; names it and the place.
    """
    policies = tuple(found)
    for policy in policies:
        try:
            Oracle.of([*tiers, policy], ClusterSnapshot.of({}), CALICO)
        except ManifestError as error:
            where = (
                f"{json_fields.text(policy, 'kind')} {home_of(policy)}/{json_fields.name(policy)}"
            )
            raise UsageError(f"{where}: {error}") from error
    if not policies:
        raise UsageError("there is no NetworkPolicy")
    lenient = tuple(found for policy in policies for found in _read_leniently(policy))
    return Given(policies, {}, notes=tuple(map(str, lenient)), findings=lenient)


def home_of(policy: Manifest) -> str:
    """The namespace of a policy, by the name that its author gave it."""
    return json_fields.namespace(policy) or "default"


def _documents(path: Path, heap: _Heap) -> Iterator[Document]:
    """The documents of a file that are not empty; of a large one, those that may hold policies."""
    try:
        size = path.stat().st_size
        if size > LARGE and not _names_a_policy(path):
            heap.left.append(f"file {path.name} ({size >> 20} MiB)")
            return
        if size > LARGEST:
            raise UsageError(f"{path}: is larger than {LARGEST >> 20} MiB: give its policies alone")
        text = yaml_text.decoded(path.read_bytes())
        lighter = _lighter(text) if size > LARGE else text
        if lighter != text:
            heap.left.append(f"documents of other kinds in {path.name}")
        yield from yaml_text.read(lighter)
    except TextError as error:
        raise UsageError(f"{path}: no readable YAML: {error}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {brief(str(error))}") from error


def _names_a_policy(path: Path) -> bool:
    """Whether any kind in a file looks like that of a policy; the file may be of any size."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as seen:
        return _POLICY.search(seen) is not None


def _lighter(text: str) -> str:
    """The text without what is in documents of other kinds; the lines keep their numbers."""
    parts = []
    for part in _SEPARATOR.split(text):
        kinds = _PLAIN_KIND.findall(part)
        other = len(kinds) == 1 and not _may_matter(kinds[0])
        parts.append("---" + "\n" * part.count("\n") if other else part)
    return "".join(parts)


def _may_matter(kind: str) -> bool:
    return kind == "Namespace" or kind.lower().endswith("list") or nearest(kind) is not None


def _sort(value: object, heap: _Heap, where: str) -> None:
    """Put one object where it belongs."""
    if isinstance(value, list) and not any(_means_policy(item) for item in value):
        heap.left.append(described(value))  # a patch of kustomize, say
        return
    found = keyed(value)
    document = dict(found.values)
    if not judged(found):
        if (document.get("apiVersion"), document.get("kind")) == ("v1", "Namespace"):
            metadata = found.need("metadata").mapping()
            labels = _labels(metadata.values.get("labels"))
            heap.namespaces[metadata.need("name").text()] = labels
        else:
            heap.left.append(described(document))
        return
    api, kind = found.need("apiVersion").text(), found.need("kind").text()
    if (api, kind) not in KINDS:
        why = "is not tried on a cluster: only NetworkPolicy is (ask python -m sixproof explain)"
        raise ManifestError("kind", f"{brief(api, 80)} {kind} {why}")
    placed = dict(in_namespace(document, "default"))
    if not json_fields.namespace(document):
        heap.notes.append(f"{where}: {described(placed)} names no namespace: default is meant")
    Oracle.of([placed], ClusterSnapshot.of({}), CALICO)  # reads it, strictly
    lenient = _read_leniently(placed)
    heap.notes += [f"{where}: {found}" for found in lenient]
    heap.findings += lenient
    heap.policies.append(placed)


def _read_leniently(policy: Manifest) -> list[Finding]:
    """The networks of a policy that strict validation would refuse."""
    return [finding for finding in audit([policy]) if finding.code in set(Flaw)]


def _means_policy(value: object) -> bool:
    return nearest(text_at(value, "kind")) is not None


def _labels(value: object) -> dict[str, str]:
    if value is None:
        return {}
    pairs = value.items() if isinstance(value, dict) else [(None, None)]
    if not all(isinstance(text, str) for pair in pairs for text in pair):
        raise ManifestError("metadata.labels", "must be an object of texts")
    return {str(key): str(text) for key, text in pairs}
