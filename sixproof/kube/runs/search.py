"""Finding what runs created: namespaces, and objects outside of them, by label.

Outside of namespaces are Calico's policies, tiers and pools, and policies of the policy API; every
cluster-scoped kind that those groups serve is searched.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.best_effort import PATIENCE
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind

_GROUPS = ("projectcalico.org", "policy.networking.k8s.io")


@dataclasses.dataclass(frozen=True, slots=True)
class FoundObject:
    """One object, with the kind to delete it by."""

    kind: Kind
    manifest: Manifest

    @property
    def name(self) -> str:
        """Its name within its kind."""
        return json_fields.name(self.manifest)

    @property
    def going(self) -> bool:
        """Whether it is being deleted."""
        return bool(json_fields.text(self.manifest, "metadata", "deletionTimestamp"))

    def __str__(self) -> str:
        return f"{self.kind.kind} {self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class FoundObjects:
    """What a search found.

    `skipped` are kinds that this user may not list, and hence never created; `blind` are failures
    that leave it open whether something is there.
    """

    items: tuple[FoundObject, ...] = ()
    skipped: tuple[str, ...] = ()
    blind: tuple[ApiError, ...] = ()

    @property
    def over(self) -> bool:
        """Whether searching again can find nothing else: all was seen, or never will be."""
        passing = any(error.status in (0, 429) or error.status >= 500 for error in self.blind)
        return not self.items and not passing


class Search:
    """Searches objects by label; the kinds to search are requested once."""

    def __init__(self, cluster: Cluster) -> None:
        """Raises: ApiError if not even the API groups can be listed."""
        self._cluster = cluster
        groups = cluster.catalog.groups()
        self._kinds = [resources.NAMESPACE]
        self._blind: list[ApiError] = []
        for api_version in (f"{g}/{groups[g][0]}" for g in _GROUPS if groups.get(g)):
            try:
                served = cluster.catalog.kinds(api_version, patience=PATIENCE)
            except ApiError as error:
                self._blind.append(error)
                continue
            self._kinds += [k for k in served if _is_searched(k)]

    def find(self, selector: str) -> FoundObjects:
        """The objects that a label selector matches. Never raises for refusals."""
        answers = self._cluster.gather(
            functools.partial(self._look, kind, selector) for kind in self._kinds
        )
        return FoundObjects(
            tuple(item for answer in answers for item in answer.items),
            tuple(reason for answer in answers for reason in answer.skipped),
            (*self._blind, *(error for answer in answers for error in answer.blind)),
        )

    def _look(self, kind: Kind, selector: str) -> FoundObjects:
        try:
            # A repeated search need not be patient: an extension server that is away would hold up
            # what the API server itself can delete.
            patience = None if kind is resources.NAMESPACE else 0.0
            listed: Sequence[Manifest] = self._cluster.list(
                kind, labels=selector, patience=patience
            )
        except ApiError as error:
            if kind is resources.NAMESPACE or error.status not in (403, 404, 405):
                return FoundObjects(blind=(error,))
            return FoundObjects(skipped=(str(error),))
        return FoundObjects(tuple(FoundObject(kind, manifest) for manifest in listed))


def _is_searched(kind: Kind) -> bool:
    return not kind.namespaced and {"list", "delete"} <= set(kind.verbs)
