"""Pods for DNS tests: backends with nameservers of one family, and one that is never ready."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import pods as kube_pods
from sixproof.model import Endpoint, IPAddress
from sixproof.workloads.dns.services import BACKEND, PART, SET, UNREADY, Manifest, NameSet
from sixproof.workloads.probe_pods.deploy import endpoint_of, pod_name
from sixproof.workloads.probe_pods.probe_pod import PodOptions, PodSpec, pod

GATE = "sixproof.dev/never"
"""A readiness gate that nothing ever sets."""


def resolver_pod(
    names: NameSet,
    node: str,
    options: PodOptions,
    nameservers: Iterable[IPAddress],
    search: Sequence[str],
) -> Manifest:
    """A probe pod that knows only these nameservers; without any it resolves as every pod does."""
    made = _pod(names, BACKEND, node, options)
    if servers := [str(a) for a in nameservers]:
        made["spec"]["dnsPolicy"] = "None"
        made["spec"]["dnsConfig"] = {
            "nameservers": servers,
            "searches": list(search),
            "options": [{"name": "ndots", "value": "5"}],
        }
    return made


def unready_pod(names: NameSet, node: str, options: PodOptions) -> Manifest:
    """A probe pod that runs, has addresses, and never becomes ready."""
    made = _pod(names, UNREADY, node, options)
    made["spec"]["readinessGates"] = [{"conditionType": GATE}]
    return made


def _pod(names: NameSet, part: str, node: str, options: PodOptions) -> Manifest:
    spec = PodSpec(
        role=pod_name(f"{part}{names.token}", node),
        namespace=names.namespace,
        node=node,
        labels=((SET, names.token), (PART, part)),
    )
    return pod(names.run, spec, options)


@contextlib.contextmanager
def running(
    cluster: Cluster,
    names: NameSet,
    manifests: Sequence[Manifest],
    role: str,
    timeout: float,
    meanwhile: Callable[[], None],
) -> Iterator[tuple[Endpoint, ...]]:
    """These pods, once they are ready; gone afterwards with everything of the set.

    `meanwhile` is done while they start.

    Raises:
        NotReady: a pod did not become ready in `timeout` seconds.
    """
    wanted = [json_fields.name(m) for m in manifests]
    try:
        cluster.gather(functools.partial(cluster.apply, m) for m in manifests)
        meanwhile()
        ready = kube_pods.wait_ready(
            cluster, names.namespace, f"{names.selector},{PART}={BACKEND}", wanted, timeout
        )
        yield tuple(endpoint_of(ready[name], role) for name in wanted)
    finally:
        remove(cluster, names)


def remove(cluster: Cluster, names: NameSet) -> None:
    """Ask for every object of the set to be deleted.

    What may not be deleted here is removed with its namespace at the end of the run.
    """
    with contextlib.suppress(ApiError):
        cluster.delete_all(resources.POD, names.namespace, labels=names.selector, grace=0)
    for kind in (resources.SERVICE, resources.ENDPOINT_SLICE):
        with contextlib.suppress(ApiError):
            found = cluster.list(kind, names.namespace, labels=names.selector)
            cluster.gather(
                functools.partial(cluster.delete, kind, json_fields.name(f), names.namespace)
                for f in found
            )
