"""Deployment: creates the probe topology on a cluster and waits until every agent's pod runs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

from sixproof.errors import NotReady, Subject
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import pods as kube_pods
from sixproof.kube.facts.pods import RunningPod
from sixproof.model import Endpoint, EndpointKind
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.placement import Placement
from sixproof.workloads.probe_pods.probe_pod import (
    CONTAINER,
    Manifest,
    PodOptions,
    PodSpec,
    agent_config_map,
    key_secret,
    namespace,
    node_of,
    pod,
)
from sixproof.workloads.probe_pods.topology import (
    FIRST_ROLE,
    HOST_ROLE,
    ROLES,
    InjectedContainers,
    ProbeTopology,
)

Progress = Callable[[str], None]
SERVICE_ACCOUNT = "default"


@dataclasses.dataclass(frozen=True, slots=True)
class DeployPlan:
    """What a deployment creates, in order: namespaces, then what pods mount, then pods."""

    namespaces: tuple[Manifest, ...]
    config_maps: tuple[Manifest, ...]
    pods: tuple[Manifest, ...]
    pull_secret: str = ""


def plan(run: Run, placement: Placement, options: PodOptions) -> DeployPlan:
    """The probe topology's manifests."""
    specs = [
        *(
            PodSpec(role=pod_name(role, node), namespace=run.namespace(role), node=node)
            for role in ROLES
            for node in (*placement.nodes, *(placement.further if role == FIRST_ROLE else ()))
        ),
        *(
            PodSpec(
                role=pod_name(HOST_ROLE, node),
                namespace=run.namespace(HOST_ROLE),
                node=node,
                host_network=True,
            )
            for node in (*placement.nodes, *placement.further)
        ),
    ]
    return DeployPlan(
        namespaces=(
            *(namespace(run, role) for role in ROLES),
            namespace(run, HOST_ROLE, "privileged"),  # hostNetwork is beyond "baseline"
        ),
        config_maps=tuple(agent_config_map(run, run.namespace(r)) for r in (*ROLES, HOST_ROLE)),
        pods=tuple(pod(run, spec, options) for spec in specs),
        pull_secret=options.pull_secret,
    )


def open_namespaces(cluster: Cluster, wanted: DeployPlan) -> None:
    """Create the namespaces.

    Raises:
        ApiError: one was refused.
    """
    cluster.gather([_creation(cluster, m) for m in wanted.namespaces])


def fill(
    cluster: Cluster,
    run: Run,
    wanted: DeployPlan,
    placement: Placement,
    *,
    timeout: float,
    progress: Progress,
) -> ProbeTopology:
    """Create everything in the namespaces and wait until the pods are ready, `timeout` seconds.

    Raises:
        ApiError: an object was refused.
        NotReady: a pod did not become ready; the message holds the reason from its events.
    """
    _create(cluster, run, wanted)
    progress(_created(wanted, placement))
    endpoints = []
    for home, names, left in _in_turn(wanted, timeout):
        ready = kube_pods.wait_ready(cluster, home, run.selector, names, left)
        endpoints += [endpoint_of(ready[name]) for name in names]
    return _mesh(run, placement, endpoints)


def cover(
    cluster: Cluster,
    run: Run,
    wanted: DeployPlan,
    placement: Placement,
    *,
    timeout: float,
    progress: Progress,
) -> ProbeTopology:
    """Like `fill`, but a node on which some pod does not become ready is left out, and named with
    the reason in `ProbeTopology.failed`; its pods are deleted, so that none joins a service later.

    Raises:
        ApiError: an object was refused.
        NotReady: no node has all its pods; the message holds the reasons.
    """
    _create(cluster, run, wanted)
    progress(_created(wanted, placement))
    ready: list[RunningPod] = []
    late: dict[tuple[str, str], str] = {}
    for home, names, left in _in_turn(wanted, timeout):
        settled = kube_pods.settle(cluster, home, run.selector, names, left)
        ready += settled.ready.values()
        late.update({(home, name): why for name, why in settled.late.items()})
    failed: dict[str, str] = {}
    for manifest in wanted.pods:
        if why := late.get((json_fields.namespace(manifest), json_fields.name(manifest))):
            failed.setdefault(node_of(manifest), f"pod {json_fields.name(manifest)}: {why}")
    if failed.keys() >= set(placement.nodes):
        text = "; ".join(f"{node}: {why}" for node, why in list(failed.items())[:3])
        raise NotReady(text, subjects=map(Subject.of_node, failed))
    pods_to_delete = [manifest for manifest in wanted.pods if node_of(manifest) in failed]
    cluster.gather([_deletion(cluster, manifest) for manifest in pods_to_delete])
    there = [pod for pod in ready if pod.node not in failed]
    return dataclasses.replace(
        _mesh(run, placement, [endpoint_of(pod) for pod in there]),
        failed=tuple(failed.items()),
        injected=tuple(
            InjectedContainers(pod.namespace, pod.name, pod.node, foreign)
            for pod in there
            if (foreign := tuple(name for name in pod.containers if name != CONTAINER))
        ),
    )


def _created(wanted: DeployPlan, placement: Placement) -> str:
    nodes = len(placement.nodes) + len(placement.further)
    return f"{len(wanted.pods)} probe pods created on {nodes} nodes"


def _create(cluster: Cluster, run: Run, wanted: DeployPlan) -> None:
    keys = [key_secret(run, json_fields.name(home)) for home in wanted.namespaces]
    mounted = [*wanted.config_maps, *keys, *_pull_secrets(cluster, run, wanted)]
    cluster.gather([_creation(cluster, m) for m in mounted])
    cluster.gather([_creation(cluster, m) for m in wanted.pods])


def _in_turn(wanted: DeployPlan, timeout: float) -> Iterator[tuple[str, list[str], float]]:
    """Each namespace with the names of its pods and the seconds that are left to wait for them: one
    after the other waits no longer than all at once."""
    deadline = time.monotonic() + timeout
    for home in map(json_fields.name, wanted.namespaces):
        names = [json_fields.name(m) for m in wanted.pods if json_fields.namespace(m) == home]
        yield home, names, max(1.0, deadline - time.monotonic())


def _mesh(run: Run, placement: Placement, endpoints: Sequence[Endpoint]) -> ProbeTopology:
    further, zones = frozenset(placement.further), dict(placement.zones)

    def of(kind: EndpointKind, *, beyond: bool) -> tuple[Endpoint, ...]:
        return tuple(
            dataclasses.replace(e, zone=zones.get(e.node, ""))
            for e in endpoints
            if e.kind is kind and (e.node in further) is beyond
        )

    return ProbeTopology(
        run=run,
        pods=of(EndpointKind.POD, beyond=False),
        hosts=of(EndpointKind.HOST, beyond=False),
        left_out=placement.left_out,
        further_pods=of(EndpointKind.POD, beyond=True),
        further_hosts=of(EndpointKind.HOST, beyond=True),
    )


def _deletion(cluster: Cluster, manifest: Manifest) -> Callable[[], bool]:
    name, home = json_fields.name(manifest), json_fields.namespace(manifest)
    return lambda: cluster.delete(resources.POD, name, home, grace=0)


def _creation(cluster: Cluster, manifest: Manifest) -> Callable[[], Manifest]:
    return lambda: cluster.apply(manifest)


def _pull_secrets(cluster: Cluster, run: Run, wanted: DeployPlan) -> list[Manifest]:
    """Copies of the user's pull secret for the run's namespaces."""
    if not wanted.pull_secret:
        return []
    original = cluster.get(resources.SECRET, wanted.pull_secret, "default")
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": wanted.pull_secret,
                "namespace": json_fields.name(home),
                "labels": run.labels,
            },
            "type": original["type"],
            "data": original["data"],
        }
        for home in wanted.namespaces
    ]


def pod_name(role: str, node: str) -> str:
    """A pod name with role and node, within the 63 characters of a host name."""
    name = f"{role}-{node.replace('.', '-')}"
    return name[:63].rstrip("-")


def endpoint_of(pod: RunningPod, role: str = "") -> Endpoint:
    """The endpoint of a running pod, called ``role@node`` in reports."""
    return Endpoint(
        name=f"{role or pod.namespace.rpartition('-')[2]}@{pod.node}",
        kind=EndpointKind.HOST if pod.host_network else EndpointKind.POD,
        addresses=pod.addresses,
        namespace=pod.namespace,
        pod=pod.name,
        node=pod.node,
        labels=pod.labels,
        service_account=SERVICE_ACCOUNT,
    )
