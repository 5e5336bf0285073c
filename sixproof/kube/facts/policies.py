"""The policies in a cluster, as manifests for the oracle."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from sixproof.errors import ApiError
from sixproof.kube.api import failures, json_fields, resources
from sixproof.kube.api.best_effort import PATIENCE
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.kube.runs import ownership

CALICO = "projectcalico.org/v3"
CLUSTER_WIDE = {
    CALICO: ("GlobalNetworkPolicy", "Tier", "HostEndpoint"),
    "policy.networking.k8s.io/v1alpha1": ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy"),
    "policy.networking.k8s.io/v1alpha2": ("ClusterNetworkPolicy",),
}
"""Kinds whose objects may select the pods of any namespace."""
SETS = ("GlobalNetworkSet", "NetworkSet")
"""What rules of Calico's policies refer to by label; read only where such a policy exists."""

_Listing = Callable[[], tuple[Manifest, ...]]
_COPIES = ("knp.default.", "kanp.", "kbanp.")
_NAMING = ("GlobalNetworkPolicy", "NetworkPolicy")


def is_away(error: ApiError) -> bool:
    """Whether an extension server, such as Calico's, is unavailable now; others may answer."""
    return failures.is_transient(error, repeatable=True)


def existing(
    cluster: Cluster, namespaces: tuple[str, ...], *, calico: bool = True
) -> tuple[Manifest, ...]:
    """Every policy that may concern pods of these namespaces; without Calico's, whose extension
    server may be away, where `calico` is False.

    Calico's own copies of Kubernetes policies (``knp.default.…``) are left out: they would count
    twice. So are those of the harness, which come and go with its tests and concern no other pods.

    Raises:
        ApiError: a policy that is served may not be read; the effective rules are then unknown.
    """
    wanted = [
        kind
        for api_version, names in CLUSTER_WIDE.items()
        if calico or api_version != CALICO
        for kind in cluster.catalog.kinds(api_version, patience=PATIENCE)
        if kind.kind in names and "list" in kind.verbs
    ]
    calls = [functools.partial(cluster.list, kind) for kind in wanted]
    found = _gathered(cluster, [*calls, *_namespaced(cluster, namespaces, calico=calico)])
    if not calico or not any(
        json_fields.text(m, "kind") in _NAMING and _is_calico(m) for m in found
    ):
        return found
    sets = [kind for kind in _calico(cluster) if kind.kind in SETS]
    named = _gathered(cluster, [functools.partial(cluster.list, kind) for kind in sets])
    return (*found, *named)


def of_namespaces(cluster: Cluster, namespaces: tuple[str, ...]) -> tuple[Manifest, ...]:
    """The policies in these namespaces, Kubernetes' and Calico's; copies and the harness's own are
    left out as in `existing`.

    Raises:
        ApiError: they may not be read.
    """
    return _gathered(cluster, _namespaced(cluster, namespaces))


def tiers(cluster: Cluster) -> tuple[Manifest, ...]:
    """Calico's tiers, none where they are not served.

    Raises:
        ApiError: they may not be read.
    """
    served = [k for k in _calico(cluster) if k.kind == "Tier"]
    return tuple(tier for kind in served for tier in cluster.list(kind))


def _namespaced(
    cluster: Cluster, namespaces: tuple[str, ...], *, calico: bool = True
) -> list[_Listing]:
    own = [k for k in _calico(cluster) if k.kind == "NetworkPolicy"] if calico else []
    return [
        functools.partial(cluster.list, kind, namespace)
        for namespace in namespaces
        for kind in (resources.NETWORK_POLICY, *own)
    ]


def _gathered(cluster: Cluster, calls: Sequence[_Listing]) -> tuple[Manifest, ...]:
    return tuple(
        manifest
        for found in cluster.gather(calls)
        for manifest in found
        if not json_fields.name(manifest).startswith(_COPIES)
        and json_fields.labels(manifest).get(ownership.MANAGED_BY) != ownership.MANAGER
    )


def _is_calico(manifest: Manifest) -> bool:
    return json_fields.text(manifest, "apiVersion").startswith("projectcalico.org/")


def _calico(cluster: Cluster) -> list[Kind]:
    try:
        served = cluster.catalog.kinds(CALICO)
    except ApiError:
        return []
    return [k for k in served if "list" in k.verbs]
