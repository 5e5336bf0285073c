"""A cluster in memory: objects as they were applied, services with addresses, pods that run."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields
from sixproof.kube.api.resources import Kind

Manifest = dict[str, Any]


class MemoryCluster:
    """What the services' workloads ask of a cluster. Dual stack, IPv4 first."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Manifest] = {}
        self.log: list[str] = []
        self.catalog = SimpleNamespace(kinds=lambda _: ())
        self._numbers = itertools.count(5)

    def gather(self, calls: Iterable[Callable[[], Any]]) -> list[Any]:
        """One after the other."""
        return [call() for call in calls]

    def apply(self, manifest: Manifest) -> Manifest:
        """Create, or leave as it is; a service that may not be is refused."""
        key = self._key(manifest)
        if key not in self.objects:
            self.objects[key] = self._completed(copy.deepcopy(manifest))
            self.log.append(f"apply {key[0]} {key[2]}")
        return self.objects[key]

    def create(self, manifest: Manifest) -> Manifest:
        """Create what is not there."""
        if self._key(manifest) in self.objects:
            raise ApiError("it exists", status=409)
        return self.apply(manifest)

    def find(self, kind: Kind, name: str, namespace: str = "", **_: object) -> Manifest | None:
        """One object."""
        return self.objects.get((kind.kind, namespace, name))

    def list(
        self, kind: Kind, namespace: str = "", *, labels: str = "", **_: object
    ) -> tuple[Manifest, ...]:
        """Objects by kind, namespace and labels."""
        wanted = dict(pair.split("=") for pair in labels.split(",") if pair)
        return tuple(
            found
            for (found_kind, home, _), found in self.objects.items()
            if found_kind == kind.kind
            and namespace in ("", home)
            and wanted.items() <= json_fields.labels(found).items()
        )

    def patch(
        self, kind: Kind, name: str, change: Manifest, namespace: str = "", **_: object
    ) -> Manifest:
        """Labels, conditions, and a service's policy."""
        found = self.objects[kind.kind, namespace, name]
        for key, value in json_fields.mapping(change, "metadata", "labels").items():
            found["metadata"]["labels"].pop(key, None)
            if value is not None:
                found["metadata"]["labels"][key] = value
        for condition in json_fields.entries(change, "status", "conditions"):
            found["gate"] = condition["status"]
        if policy := json_fields.text(change, "spec", "ipFamilyPolicy"):
            found["spec"]["ipFamilyPolicy"] = policy
            self._grant(found["spec"])
        self.log.append(f"patch {kind.kind} {name}")
        return found

    def delete(self, kind: Kind, name: str, namespace: str = "", **_: object) -> bool:
        """Gone at once."""
        self.log.append(f"delete {kind.kind} {name}")
        return self.objects.pop((kind.kind, namespace, name), None) is not None

    def _key(self, manifest: Manifest) -> tuple[str, str, str]:
        return manifest["kind"], json_fields.namespace(manifest), json_fields.name(manifest)

    def _completed(self, manifest: Manifest) -> Manifest:
        if manifest["kind"] == "Service":
            self._grant(manifest["spec"])
        if manifest["kind"] == "Pod":
            n = next(self._numbers)
            manifest["status"] = {
                "podIPs": [{"ip": f"10.244.1.{n}"}, {"ip": f"fd00:10:244:1::{n:x}"}],
                "conditions": [
                    {"type": "ContainersReady", "status": "True"},
                    {"type": "Ready", "status": "True"},
                ],
            }
        return manifest

    def _grant(self, spec: Manifest) -> None:
        if spec.get("type") == "ExternalName":
            return
        asked, policy = spec.get("ipFamilies", []), spec.get("ipFamilyPolicy", "SingleStack")
        if len(asked) == 2 and policy == "SingleStack":
            raise ApiError("spec.ipFamilies: may hold one", status=422)
        granted = asked or ["IPv4"]
        if policy != "SingleStack" and len(granted) == 1:
            granted = [*granted, "IPv6" if granted == ["IPv4"] else "IPv4"]
        spec["ipFamilies"] = granted
        if spec.get("clusterIP") != "None" and len(spec.get("clusterIPs", [])) < len(granted):
            n = next(self._numbers)
            texts = {"IPv4": f"10.96.0.{n}", "IPv6": f"fd00:10:96::{n:x}"}
            spec["clusterIPs"] = [texts[f] for f in granted]
        elif spec.get("clusterIP") == "None":
            spec["clusterIPs"] = ["None"]
