"""Policies of the user's own, from a directory or as they stand in a cluster: read strictly, and
nothing but namespaced ones.

Neither is trusted. Files are read whole before anything is made of them; every error names
the file, the document and the path within it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from sixproof.errors import ManifestError, UsageError
from sixproof.kube import fields
from sixproof.policy import CALICO, Oracle, World, yaml_text
from sixproof.workloads.policy_cases import Manifest

SUFFIXES = (".yaml", ".yml", ".json")
LARGEST = 1 << 20
"""Bytes of a file."""
KINDS = {
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("projectcalico.org/v3", "NetworkPolicy"),
}
_POLICY_GROUPS = ("networking.k8s.io/", "projectcalico.org/", "policy.networking.k8s.io/")
_NO_POLICIES = ("Ingress", "IngressClass", "IPAddress", "ServiceCIDR", "IPPool")


@dataclasses.dataclass(frozen=True)
class Given:
    """The policies, the labels of the namespaces that the files describe, and what else they hold
    and is left alone (``Deployment shop/web``)."""

    policies: tuple[Manifest, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    left: tuple[str, ...] = ()


def read(directory: Path) -> Given:
    """Everything in the files of a directory; those of folders below are not looked at.

    Raises:
        UsageError: a file cannot be read or holds no policies that can be tried; names the place.
    """
    try:
        found = sorted(p for p in directory.iterdir() if p.suffix in SUFFIXES and p.is_file())
    except OSError as error:
        raise UsageError(f"{directory}: cannot be read: {error.strerror}") from error
    policies: list[Manifest] = []
    namespaces: dict[str, Mapping[str, str]] = {}
    left: list[str] = []
    for path in found:
        for number, document in enumerate(_documents(path), 1):
            try:
                _sort(document, policies, namespaces, left)
            except ManifestError as error:
                raise UsageError(f"{path}: document {number}: {error}") from error
    if not policies:
        raise UsageError(f"{directory}: holds no NetworkPolicy in files ending in {SUFFIXES}")
    try:
        Oracle.of(policies, World.of({}), CALICO)
    except ManifestError as error:
        raise UsageError(f"{directory}: {error}") from error
    return Given(tuple(policies), namespaces, tuple(left))


def standing(found: Iterable[Manifest], tiers: Iterable[Manifest] = ()) -> Given:
    """Policies as an API server holds them, which may stand in these tiers.

    Raises:
        UsageError: there are none, or one cannot be judged; names it and the place.
    """
    policies = tuple(found)
    for policy in policies:
        try:
            Oracle.of([*tiers, policy], World.of({}), CALICO)
        except ManifestError as error:
            where = f"{fields.text(policy, 'kind')} {home_of(policy)}/{fields.name(policy)}"
            raise UsageError(f"{where}: {error}") from error
    if not policies:
        raise UsageError("no NetworkPolicy stands there")
    return Given(policies, {})


def home_of(policy: Manifest) -> str:
    """The namespace that a policy stands in, as its author calls it."""
    return fields.namespace(policy) or "default"


def _documents(path: Path) -> Iterator[object]:
    """The documents of a file that are not empty; lists are taken apart."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise UsageError(f"{path}: is larger than {LARGEST} bytes")
        documents = yaml_text.documents(raw.decode("utf-8"), aliases=False)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: no readable YAML: {error}") from error
    for document in documents:
        items = document.get("items") if isinstance(document, dict) else None
        if isinstance(items, list) and str(document.get("kind", "")).endswith("List"):
            yield from items
        else:
            yield document


def _sort(
    document: object,
    policies: list[Manifest],
    namespaces: dict[str, Mapping[str, str]],
    left: list[str],
) -> None:
    """Put one document where it belongs."""
    if not isinstance(document, dict):
        raise ManifestError("", "must be an object")
    api, kind = document.get("apiVersion"), document.get("kind")
    if not isinstance(api, str) or not isinstance(kind, str):
        raise ManifestError("apiVersion" if not isinstance(api, str) else "kind", "must be text")
    if (api, kind) in KINDS:
        Oracle.of([document], World.of({}), CALICO)  # reads it, strictly
        policies.append(document)
        return
    if api.startswith((*_POLICY_GROUPS, "crd.projectcalico.org/")) and kind not in _NO_POLICIES:
        why = "is not tried on a cluster: only NetworkPolicy is (ask python -m sixproof explain)"
        raise ManifestError("kind", f"{api} {kind} {why}")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise ManifestError("metadata.name", "must be text")
    if (api, kind) == ("v1", "Namespace"):
        namespaces[metadata["name"]] = _labels(metadata.get("labels"))
    else:
        left.append(f"{kind} {metadata['name']}")


def _labels(value: object) -> dict[str, str]:
    if value is None:
        return {}
    pairs = value.items() if isinstance(value, dict) else [(None, None)]
    if not all(isinstance(text, str) for pair in pairs for text in pair):
        raise ManifestError("metadata.labels", "must be an object of texts")
    return {str(key): str(text) for key, text in pairs}
