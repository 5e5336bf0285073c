"""Own pools as Calico's store has them: what somebody changed since the run made them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sixproof.kube.api import json_fields
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Finding, FindingType, Severity
from sixproof.workloads.pools.own_pool import IP_POOL, OwnPool

OWN_POOL = FindingType(
    "calico-own-pool",
    "A pool of the run stays as the run made it",
    "Calico API reference: IPPool",
)
REMEDY = "see its managedFields for who writes it"


def changes(cluster: Cluster, pools: Sequence[OwnPool]) -> Iterator[Finding]:
    """The pools that are gone, or in which a field is another than the run made it.

    Raises:
        ApiError: the API server refused.
    """
    stored = {json_fields.name(found): found for found in cluster.list(IP_POOL)}
    for pool in pools:
        found = stored.get(pool.name)
        said = "it was deleted" if found is None else _said(pool, found)
        if said:
            yield OWN_POOL.found(
                Severity.ERROR,
                pool.subject(),
                said,
                "no change by others",
                REMEDY,
                families=[pool.family],
            )


def _said(pool: OwnPool, found: Manifest) -> str:
    """Which fields differ, "" where none does. The API leaves out what is false or empty."""
    made = pool.manifest(disabled=not pool.enabled)["spec"]
    spec = json_fields.mapping(found, "spec")
    differ = ", ".join(
        f"{field} is {_shown(spec.get(field))} instead of {_shown(wanted)}"
        for field, wanted in made.items()
        if (spec.get(field) or None) != (wanted or None)
    )
    return f"{differ}, with which the run created it" if differ else ""


def _shown(value: object) -> str:
    return "true" if value is True else str(value or "false")
