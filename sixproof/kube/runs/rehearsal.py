"""A rehearsal: code that creates objects runs against nothing, and its objects are recorded.

The plan of a run is what the real functions that create objects pass to it. Nothing is sent: a pod
is ready at once, with addresses of the documentation prefixes (RFC 5737, RFC 3849), and a service
has its clusterIPs.
"""

from __future__ import annotations

import copy
import ipaddress
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.model import Family

T = TypeVar("T")
Addresses = list[str]  # in the class `list` is a verb

_PREFIX = {Family.IPV4: "192.0.2.0", Family.IPV6: "2001:db8::"}
_FIRST_NODE_PORT = 30000
_TYPE_OF_PULL_SECRETS = "kubernetes.io/dockerconfigjson"
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")


class Rehearsal(Cluster):
    """A cluster that accepts and keeps every object: `made` holds them as requested, in order; an
    object that is requested again, once. `families` are those that its pods and services get.

    Objects of others cannot be read, except a secret, which is empty.
    """

    def __init__(self, name: str, families: Sequence[Family]) -> None:
        self.name = name
        self.server = ""
        self.version = ""
        self.made: list[Manifest] = []
        self._families = tuple(families)
        self._there: dict[tuple[str, str, str], Manifest] = {}
        self._forms: dict[tuple[str, str, str], list[Manifest]] = {}
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Nothing is open."""

    def gather(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """One after the other."""
        return [call() for call in calls]

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Take the object, or return the existing one of its name.

        Raises:
            ApiError: its name is one that the API server refuses.
        """
        if not _NAME.fullmatch(json_fields.name(manifest)):
            what = f"{manifest['kind']} {json_fields.name(manifest)}"
            raise ApiError(f"apply {what}: this is no DNS subdomain name (RFC 1123)", status=422)
        key = (manifest["kind"], json_fields.namespace(manifest), json_fields.name(manifest))
        if dry_run:
            return manifest
        if manifest not in self._forms.setdefault(key, []):
            self._forms[key].append(manifest)
            self.made.append(copy.deepcopy(manifest))
        if key not in self._there:
            self._there[key] = self._completed(copy.deepcopy(manifest))
        return self._there[key]

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """The same."""
        return self.apply(manifest, dry_run=dry_run)

    def get(
        self, kind: Kind, name: str, namespace: str = "", *, patience: float | None = None
    ) -> Manifest:
        """One object; raises ApiError (404) where there is none."""
        found = self._there.get((kind.kind, namespace, name))
        if found is None and kind.kind == "Secret":
            return {"type": _TYPE_OF_PULL_SECRETS, "data": {}}
        if found is None:
            raise ApiError(f"get {kind} {name}: nothing of others is read", status=404)
        return found

    def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int | None = None,
        patience: float | None = None,
    ) -> tuple[Manifest, ...]:
        """Objects that were taken; `labels` are pairs ``key=value``."""
        wanted = dict(pair.split("=", 1) for pair in labels.split(",") if pair)
        return tuple(
            found
            for (found_kind, home, _), found in self._there.items()
            if found_kind == kind.kind
            and namespace in ("", home)
            and wanted.items() <= _labels(found).items()
        )

    def patch(
        self,
        kind: Kind,
        name: str,
        change: Manifest,
        namespace: str = "",
        *,
        subresource: str = "",
        strategic: bool = False,
    ) -> Manifest:
        """Changes to existing objects create nothing."""
        return self.get(kind, name, namespace)

    def delete(
        self, kind: Kind, name: str, namespace: str = "", *, grace: int | None = None
    ) -> bool:
        """A deleted object may be created again, and is recorded once."""
        return (kind.kind, namespace, name) in self._there

    def delete_all(
        self, kind: Kind, namespace: str, *, labels: str = "", grace: int | None = None
    ) -> None:
        """The same."""

    def _completed(self, manifest: Manifest) -> Manifest:
        if manifest["kind"] == "Pod":
            manifest["spec"]["nodeName"] = _pinned(manifest)
            true = [{"type": t, "status": "True"} for t in ("Ready", "ContainersReady")]
            manifest["status"] = {
                "podIPs": [{"ip": ip} for ip in self._addresses()],
                "conditions": true,
            }
        if manifest["kind"] == "Service":
            self._complete_service(manifest["spec"])
        return manifest

    def _complete_service(self, spec: dict[str, Any]) -> None:
        if spec.get("type") == "ExternalName":
            return
        asked = spec.get("ipFamilies") or list(map(str, self._families[:1]))
        if spec.get("ipFamilyPolicy", "SingleStack") != "SingleStack":
            asked = list(dict.fromkeys([*asked, *map(str, self._families)]))
        spec["ipFamilies"] = asked
        if spec.get("clusterIP") == "None":
            spec["clusterIPs"] = ["None"]
        else:
            spec["clusterIPs"] = self._addresses([Family(f) for f in asked])
            spec["clusterIP"] = spec["clusterIPs"][0]
        if spec.get("type") == "NodePort":
            for port in spec.get("ports", ()):
                port["nodePort"] = _FIRST_NODE_PORT + next(self._numbers)

    def _addresses(self, families: Sequence[Family] = ()) -> Addresses:
        number = next(self._numbers)
        return [
            str(ipaddress.ip_address(_PREFIX[family]) + number % 250)
            for family in (families or self._families)
        ]


def _labels(manifest: Manifest) -> dict[str, str]:
    return json_fields.labels(manifest)


def _pinned(pod: Manifest) -> str:
    """The node of a pod that is pinned by its affinity, "" for any other."""
    affinity = json_fields.mapping(pod, "spec", "affinity", "nodeAffinity")
    for required in affinity.values():
        for term in json_fields.entries(required, "nodeSelectorTerms"):
            for match in json_fields.entries(term, "matchFields"):
                return next(iter(json_fields.strings(match, "values")), "")
    return ""
