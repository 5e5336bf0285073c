"""The policy namespaces: three namespaces of three pods that policies may close, for one process
only.

Each process of a run has its own policy namespaces, so that the policies of a test do not disturb
other tests. Every pair of nodes has pods of every namespace at both ends, and every node has pods
of each.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import pods as kube_pods
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Protocol
from sixproof.policy import NamedPort
from sixproof.workloads.probe_pods import deploy, topology
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.placement import Placement
from sixproof.workloads.probe_pods.ports import HOST_AGENT_PORTS, PortSpec
from sixproof.workloads.probe_pods.probe_pod import (
    PodOptions,
    PodSpec,
    agent_config_map,
    namespace,
    pod,
)

POLICY_NAMESPACES = "sixproof.dev/policy-namespaces"
"""The label of the policy namespaces, of their pods, and of every policy in them."""

Manifest = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class PolicyPod:
    """What a pod of each namespace is: its labels, named ports and service account."""

    name: str
    labels: Mapping[str, str]
    ports: tuple[NamedPort, ...]
    account: str = deploy.SERVICE_ACCOUNT


NAMESPACES: Mapping[str, Mapping[str, str]] = {
    "shop": {"team": "red", "stage": "live"},
    "blog": {"team": "blue", "stage": "live"},
    "bank": {"team": "blue"},
}
"""The namespaces and their labels."""

PARTS = (
    PolicyPod(
        "web",
        {"app": "web", "tier": "front"},
        (
            NamedPort("http", Protocol.TCP, 8080),
            NamedPort("admin", Protocol.TCP, 8081),
            NamedPort("feed", Protocol.UDP, 8080),
        ),
        "front",
    ),
    PolicyPod(
        "api",
        {"app": "api", "tier": "back"},
        (NamedPort("http", Protocol.TCP, 8081), NamedPort("feed", Protocol.UDP, 8081)),
    ),
    PolicyPod(
        "db",
        {"app": "db"},
        (NamedPort("sql", Protocol.TCP, 8080), NamedPort("http", Protocol.UDP, 8080)),
    ),
)
"""The pods: ``http`` is another number for each, ``db`` has no tier, ``web`` an account."""

ACCOUNTS: Mapping[str, Mapping[str, str]] = {"front": {"access": "public"}}
"""The service accounts of every namespace, and their labels."""


@dataclasses.dataclass(frozen=True)
class PolicyNamespaces:
    """The endpoints of policy namespaces, called ``shop/web``. `id` is the value of their label,
    `homes` maps the name that policies use to the name in the cluster. `outside` are endpoints
    beyond the cluster that pods can dial, and that can dial nodes but not pods."""

    run: Run
    serial: str
    homes: Mapping[str, str]
    pods: tuple[Endpoint, ...]
    hosts: tuple[Endpoint, ...]
    outside: tuple[Endpoint, ...] = ()

    @property
    def id(self) -> str:
        """What distinguishes these policy namespaces from others on the cluster."""
        return f"{self.run.id}-{self.serial}"

    def pod(self, name: str) -> Endpoint:
        """The pod of that name (``shop/web``)."""
        return next(p for p in self.pods if p.name == name)

    def in_namespace(self, name: str) -> tuple[Endpoint, ...]:
        """The pods of one of the namespaces (``shop``)."""
        return tuple(p for p in self.pods if p.namespace == self.homes[name])

    def families(self) -> tuple[Family, ...]:
        """The families that their pods have, IPv4 before IPv6."""
        return tuple(f for f in Family if any(p.address(f) for p in self.pods))

    def namespace_labels(self) -> dict[str, dict[str, str]]:
        """The labels of the namespaces as the API server holds them."""
        return {
            home: {
                **_namespace_manifest(self.run, self.serial, name)["metadata"]["labels"],
                **labels,
            }
            for (name, home), labels in zip(self.homes.items(), NAMESPACES.values(), strict=True)
        }

    def named_ports(self) -> dict[tuple[str, str], tuple[NamedPort, ...]]:
        """The named ports of the pods."""
        return {(home, part.name): part.ports for home in self.homes.values() for part in PARTS}

    def service_accounts(self) -> dict[tuple[str, str], Mapping[str, str]]:
        """The labels of the service accounts."""
        return {
            (home, name): {**self.run.labels, **labels}
            for home in self.homes.values()
            for name, labels in ACCOUNTS.items()
        }

    def flows(self, port_specs: Iterable[PortSpec], families: Iterable[Family]) -> tuple[Flow, ...]:
        """Every pod to every pod on these ports; nodes to pods, and pods to nodes and outside.

        Only pods take part in ICMP: whether other agents may send it is their machine's setting.
        """
        chosen, both = tuple(port_specs), tuple(families)
        ports = tuple(port_spec for port_spec in chosen if port_spec.protocol.has_ports)
        host_ports = [h for h in HOST_AGENT_PORTS if any(h.protocol is p.protocol for p in ports)]
        return (
            *topology.flows(self.pods, self.pods, both, chosen),
            *topology.flows(self.hosts, self.pods, both, ports),
            *topology.flows(self.pods, self.hosts, both, host_ports),
            *topology.flows(self.pods, self.outside, both, ports),
        )


def build(
    cluster: Cluster,
    run: Run,
    serial: str,
    nodes: Sequence[str],
    hosts: Sequence[Endpoint],
    options: PodOptions,
    timeout: float,
) -> PolicyNamespaces:
    """Create policy namespaces and wait `timeout` seconds until their pods are ready.

    Raises:
        ApiError: an object was refused.
        NotReady: a pod did not become ready in time.
    """
    homes = {name: run.namespace(f"{serial}-{name}") for name in NAMESPACES}
    wanted = deploy.DeployPlan(
        namespaces=tuple(_namespace_manifest(run, serial, name) for name in NAMESPACES),
        config_maps=tuple(agent_config_map(run, home) for home in homes.values()),
        pods=(),
        pull_secret=options.pull_secret,
    )
    deploy.open_namespaces(cluster, wanted)
    deploy.fill(cluster, run, wanted, Placement(()), timeout=timeout, progress=lambda _: None)
    cluster.gather(
        functools.partial(cluster.apply, _account(run, home, name))
        for home in homes.values()
        for name in ACCOUNTS
    )
    places = {
        (name, part.name): nodes[(row + column) % len(nodes)]
        for row, name in enumerate(homes)
        for column, part in enumerate(PARTS)
    }
    cluster.gather(
        functools.partial(
            cluster.apply, pod_manifest(run, serial, home, part, places[name, part.name], options)
        )
        for name, home in homes.items()
        for part in PARTS
    )
    deadline = time.monotonic() + timeout
    pods: list[Endpoint] = []
    for name, home in homes.items():
        left = max(1.0, deadline - time.monotonic())
        wanted_pods = [part.name for part in PARTS]
        ready = kube_pods.wait_ready(cluster, home, run.selector, wanted_pods, left)
        pods += [endpoint(ready[p], name) for p in wanted_pods]
    return PolicyNamespaces(run, serial, homes, tuple(pods), tuple(hosts))


def pod_manifest(
    run: Run,
    serial: str,
    home: str,
    part: PolicyPod,
    node: str,
    options: PodOptions,
    name: str = "",
) -> Manifest:
    """The Pod of a part, called `name` if it is an additional one."""
    labels = {POLICY_NAMESPACES: f"{run.id}-{serial}", **part.labels}
    spec = PodSpec(name or part.name, home, node, tuple(labels.items()))
    made = pod(run, spec, options)
    made["spec"]["serviceAccountName"] = part.account
    for port in made["spec"]["containers"][0]["ports"]:
        names = [
            p.name
            for p in part.ports
            if (p.number, p.protocol.value) == (port["containerPort"], port["protocol"])
        ]
        port["name"] = names[0] if names else port["name"]
    return made


def endpoint(found: kube_pods.RunningPod, namespace_name: str) -> Endpoint:
    """The endpoint of a running pod of policy namespaces."""
    return Endpoint(
        name=f"{namespace_name}/{found.name}",
        kind=EndpointKind.POD,
        addresses=found.addresses,
        namespace=found.namespace,
        pod=found.name,
        node=found.node,
        labels=found.labels,
        service_account=found.service_account,
    )


def _namespace_manifest(run: Run, serial: str, name: str) -> Manifest:
    made = namespace(run, f"{serial}-{name}")
    made["metadata"]["labels"] |= {POLICY_NAMESPACES: f"{run.id}-{serial}", **NAMESPACES[name]}
    return made


def _account(run: Run, home: str, name: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": name,
            "namespace": home,
            "labels": {**run.labels, **ACCOUNTS[name]},
        },
        "automountServiceAccountToken": False,
    }
