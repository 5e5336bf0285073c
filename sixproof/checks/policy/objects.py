"""Objects of policy tests: applied, deleted, and skipped where a cluster cannot have them."""

from __future__ import annotations

from collections.abc import Sequence

from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api import json_fields, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.runs import ownership
from sixproof.workloads.policy.cases import Manifest

_SINGLE = "BaselineAdminNetworkPolicy"  # a cluster has one; processes take turns
TURNS = 4
"""Settle time-outs that a process waits for its turn."""


class Objects:
    """Applies and deletes policies. `settle` is --six-settle-timeout."""

    def __init__(self, cluster: Cluster, settle: float) -> None:
        self._cluster = cluster
        self._settle = settle

    def apply(self, policies: Sequence[Manifest]) -> None:
        """Apply policies in their order.

        Raises:
            ApiError: one was refused.
        """
        for manifest in policies:
            if manifest["kind"] == _SINGLE:
                self._create_in_turn(manifest)
            else:
                self._cluster.apply(manifest)

    def delete(self, policies: Sequence[Manifest]) -> None:
        """Ask for their deletion, the last one first: tiers refuse to go before their policies."""
        for manifest in reversed(policies):
            kind, name, namespace = self._cluster.catalog.place(manifest)
            if kind.kind != _SINGLE or self._holder(manifest) == json_fields.labels(manifest):
                self._cluster.delete(kind, name, namespace)

    def need(self, api_version: str, kind: str) -> None:
        """Skip the test where this cluster does not serve a kind."""
        try:
            self._cluster.catalog.kind(api_version, kind)
        except ApiError as error:
            if error.status != 404:
                raise
            raise NotAsked(f"this cluster does not serve {kind} of {api_version}") from error

    def _create_in_turn(self, manifest: Manifest) -> None:
        """Create an object of which there can be only one, once no other process of the harness
        holds it; the process that creates it has the turn."""
        patience = self._settle * TURNS
        if not wait.until(lambda: self._created(manifest), bool, timeout=patience).accepted:
            what = f"{manifest['kind']} {json_fields.name(manifest)}"
            raise ApiError(f"another process keeps {what} for more than {patience:.0f} s")

    def _created(self, manifest: Manifest) -> bool:
        try:
            self._cluster.create(manifest)
        except ApiError as error:
            if error.status != 409:
                raise
        else:
            return True
        holder = self._holder(manifest)
        if holder is not None and holder.get(ownership.MANAGED_BY) != ownership.MANAGER:
            raise NotAsked(f"the cluster has a {manifest['kind']} of its owner's")
        if holder == json_fields.labels(manifest):
            self._cluster.apply(manifest)
            return True
        return False

    def _holder(self, manifest: Manifest) -> dict[str, str] | None:
        """The labels of the existing object of a manifest's name, None without one."""
        kind, name, _ = self._cluster.catalog.place(manifest)
        found = self._cluster.find(kind, name)
        return None if found is None else json_fields.labels(found)
