"""Backends: agent pods behind services, whose readiness and labels the runner changes.

A *gated* pod has a readiness gate, a condition of its own beside the kubelet's (KEP-580). The
runner sets it through `pods/status`; no probe, no shell and no message to the agent is needed, and
the agent keeps serving, so that any client that still reaches an unready backend gets an answer
that names it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sixproof.errors import NotReady, Subject
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import events
from sixproof.model import Endpoint, EndpointKind
from sixproof.workloads.probe_pods import deploy
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.placement import Placement
from sixproof.workloads.probe_pods.probe_pod import (
    PodOptions,
    PodSpec,
    agent_config_map,
    namespace,
    pod,
)

GROUP = "sixproof.dev/backends"
"""The label with the group of backends that a pod belongs to."""
SERVES = "sixproof.dev/serves"
"""The label by which a pod of the reserve is put behind a service."""
GATE = "sixproof.dev/serving"
"""The condition type of the readiness gate."""

Manifest = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Backend:
    """One backend to create. `group` names it in reports (``web@worker``), `serial` distinguishes
    its pod from others of the group on that node, `host_port` publishes port 8080 on that port of
    the node.
    """

    group: str
    namespace: str
    node: str
    labels: tuple[tuple[str, str], ...] = ()
    gated: bool = False
    host_port: int | None = None
    serial: str = ""

    @property
    def name(self) -> str:
        """The pod's name."""
        return deploy.pod_name("-".join(filter(None, (self.group, self.serial))), self.node)

    def subject(self) -> Subject:
        """It, as what an error is about."""
        return Subject.of_pod(self.namespace, self.name, self.node)

    def manifest(self, run: Run, options: PodOptions) -> Manifest:
        """The Pod: a probe pod with the gate and the port of the node, where asked for."""
        labels = ((GROUP, self.group), *self.labels)
        made = pod(run, PodSpec(self.name, self.namespace, self.node, labels), options)
        if self.gated:
            made["spec"]["readinessGates"] = [{"conditionType": GATE}]
        if self.host_port:
            for port in made["spec"]["containers"][0]["ports"]:
                if port["containerPort"] == 8080:
                    port["hostPort"] = self.host_port
        return made


def open_namespace(
    cluster: Cluster, run: Run, role: str, options: PodOptions, level: str = "restricted"
) -> str:
    """A namespace of the run that is ready to take probe pods; an existing one is kept.

    Raises:
        ApiError: the API server refused.
    """
    home = namespace(run, role, level)
    config_map = agent_config_map(run, json_fields.name(home))
    plan = deploy.DeployPlan((home,), (config_map,), (), options.pull_secret)
    deploy.open_namespaces(cluster, plan)
    deploy.fill(cluster, run, plan, Placement(()), timeout=1, progress=lambda _: None)
    return json_fields.name(home)


def create(
    cluster: Cluster, run: Run, wanted: Sequence[Backend], options: PodOptions, timeout: float
) -> tuple[Endpoint, ...]:
    """Create backends in parallel and wait until their agents run; see `begin` and `wait_running`.

    Raises:
        ApiError: a pod was refused.
        NotReady: one does not run after `timeout` seconds.
    """
    begin(cluster, run, wanted, options)
    return wait_running(cluster, run, wanted, timeout)


def begin(cluster: Cluster, run: Run, wanted: Sequence[Backend], options: PodOptions) -> None:
    """Create backends in parallel.

    Applying is idempotent: two processes that ask for the same backends share them.

    Raises:
        ApiError: a pod was refused.
    """
    cluster.gather(functools.partial(cluster.apply, b.manifest(run, options)) for b in wanted)


def wait_running(
    cluster: Cluster, run: Run, wanted: Sequence[Backend], timeout: float
) -> tuple[Endpoint, ...]:
    """Wait until the agents of backends run; gated ones need not be ready.

    Raises:
        NotReady: one does not run after `timeout` seconds; the message holds its reason.
    """
    waited = wait.until(
        functools.partial(_look, cluster, run, wanted),
        lambda seen: all(_runs(seen.get((b.namespace, b.name))) for b in wanted),
        timeout=timeout,
    )
    late = [b for b in wanted if not _runs(waited.value.get((b.namespace, b.name)))]
    if late:
        reason = events.explain(cluster, late[0].namespace, late[0].name)
        names = ", ".join(b.name for b in late)
        raise NotReady(
            f"backends {names} do not run after {waited.seconds:.1f} s: {reason}",
            subjects=[b.subject() for b in late],
        )
    return tuple(_endpoint(b, waited.value[b.namespace, b.name]) for b in wanted)


def set_ready(cluster: Cluster, backends: Iterable[Endpoint], ready: bool) -> None:
    """Open or shut the gate of gated backends; the kubelet then sets their Ready condition.

    Raises:
        ApiError: the API server refused.
    """
    condition = {"type": GATE, "status": "True" if ready else "False"}
    _patch_all(cluster, backends, {"status": {"conditions": [condition]}}, subresource="status")


def label(cluster: Cluster, backends: Iterable[Endpoint], labels: Mapping[str, str | None]) -> None:
    """Set labels of backends, or remove them (None).

    Raises:
        ApiError: the API server refused.
    """
    _patch_all(cluster, backends, {"metadata": {"labels": dict(labels)}})


def remove(cluster: Cluster, backends: Iterable[Endpoint]) -> None:
    """Delete backends without grace.

    Raises:
        ApiError: the API server refused.
    """
    cluster.gather(
        functools.partial(cluster.delete, resources.POD, b.pod, b.namespace, grace=0)
        for b in backends
    )


def _patch_all(
    cluster: Cluster, backends: Iterable[Endpoint], change: Manifest, *, subresource: str = ""
) -> None:
    cluster.gather(
        functools.partial(
            cluster.patch,
            resources.POD,
            b.pod,
            change,
            b.namespace,
            subresource=subresource,
            strategic=True,
        )
        for b in backends
    )


def _look(cluster: Cluster, run: Run, wanted: Sequence[Backend]) -> dict[tuple[str, str], Manifest]:
    homes = dict.fromkeys(b.namespace for b in wanted)
    return {
        (home, json_fields.name(found)): found
        for home in homes
        for found in cluster.list(resources.POD, home, labels=run.selector)
    }


def _runs(found: Manifest | None) -> bool:
    """Whether the containers are ready and the pod has addresses, whatever its gate says."""
    ready = json_fields.text(json_fields.condition(found, "ContainersReady"), "status") == "True"
    return ready and bool(json_fields.entries(found, "status", "podIPs"))


def _endpoint(wanted: Backend, found: Manifest) -> Endpoint:
    ips = (
        json_fields.text(entry, "ip") for entry in json_fields.entries(found, "status", "podIPs")
    )
    return Endpoint(
        name=f"{wanted.group}@{wanted.node}",
        kind=EndpointKind.POD,
        addresses=json_fields.addresses(ips),
        namespace=wanted.namespace,
        pod=wanted.name,
        node=wanted.node,
        labels=tuple(sorted(json_fields.labels(found).items())),
        service_account=deploy.SERVICE_ACCOUNT,
    )
