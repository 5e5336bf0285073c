"""What the API server serves: groups, versions and kinds, each requested once.

The client library's dynamic client keeps its discovery in a file shared by all processes, named
only by the server's address; a kind cluster recreated on the same port is then taken for the old
one. Here a kind costs one small request, or none where it is built in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sixproof.errors import ApiError, ManifestError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind

if TYPE_CHECKING:
    from sixproof.kube.api.rest import Rest

_AGGREGATED = (
    "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList,application/json"
)


class Catalog:
    """The kinds of one API server."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._served: dict[str, tuple[Kind, ...]] = {}

    def groups(self, *, patience: float | None = None) -> dict[str, tuple[str, ...]]:
        """The API groups served, each with its versions, the preferred one first.

        Raises: ApiError.
        """
        found: dict[str, tuple[str, ...]] = {}
        answer = self._rest.get("/apis", "list API groups", patience=patience)
        for group in json_fields.entries(answer, "groups"):
            versions = [
                json_fields.text(v, "version") for v in json_fields.entries(group, "versions")
            ]
            preferred = json_fields.text(group, "preferredVersion", "version")
            versions.sort(key=lambda version: version != preferred)
            found[json_fields.text(group, "name")] = tuple(versions)
        return found

    def stale(self, *, patience: float | None = None) -> tuple[str, ...] | None:
        """The API versions (``group/version``) whose own server does not answer the API server, by
        its aggregated discovery (KEP-3352); None where it has none.

        Raises: ApiError.
        """
        answer = self._rest.get("/apis", "list API versions", patience=patience, accept=_AGGREGATED)
        if json_fields.text(answer, "kind") != "APIGroupDiscoveryList":
            return None
        return tuple(
            f"{json_fields.name(group)}/{json_fields.text(version, 'version')}"
            for group in json_fields.entries(answer, "items")
            for version in json_fields.entries(group, "versions")
            if json_fields.text(version, "freshness") == "Stale"
        )

    def kinds(self, api_version: str, *, patience: float | None = None) -> tuple[Kind, ...]:
        """The kinds that an API version serves; empty where it is not served.

        `patience` bounds the seconds of retries while the server behind it is not available.

        Raises: ApiError.
        """
        known = self._served.get(api_version)
        if known is None:
            prefix = "/apis/" if "/" in api_version else "/api/"
            try:
                purpose = f"list kinds of {api_version}"
                answer = self._rest.get(prefix + api_version, purpose, patience=patience)
            except ApiError as error:
                if error.status != 404:
                    raise
                return ()  # not cached: its CRDs may still come
            known = self._served[api_version] = resources.from_discovery(api_version, answer)
        return known

    def kind(self, api_version: str, kind: str) -> Kind:
        """The kind of that name.

        Raises:
            ApiError: the API server does not serve it (status 404), or failed.
        """
        built_in = resources.KNOWN.get((api_version, kind))
        if built_in:
            return built_in
        for served in self.kinds(api_version):
            if served.kind == kind:
                return served
        self._served.pop(api_version, None)
        raise ApiError(
            f"{self._rest.access.server} does not serve {kind} of {api_version}",
            status=404,
            reason="NotFound",
        )

    def place(self, manifest: Manifest) -> tuple[Kind, str, str]:
        """The kind, name and namespace of a manifest.

        Raises:
            ManifestError: one of them is missing.
            ApiError: the API server does not serve the kind, or failed.
        """
        for key in ("apiVersion", "kind"):
            if not json_fields.text(manifest, key):
                raise ManifestError(key, "is missing")
        kind = self.kind(
            json_fields.text(manifest, "apiVersion"), json_fields.text(manifest, "kind")
        )
        namespace = json_fields.namespace(manifest)
        if kind.namespaced and not namespace:
            raise ManifestError("metadata.namespace", f"is missing; a {kind.kind} lives in one")
        return kind, json_fields.name(manifest), namespace if kind.namespaced else ""
