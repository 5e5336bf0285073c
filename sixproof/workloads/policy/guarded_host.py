"""A node that a HostEndpoint of the run guards for a while, so that policy applies to its host.

A HostEndpoint closes everything that no policy allows (Calico documentation, Host endpoints). This
one cannot cut a node off: its profile allows what no policy covers, and its only policy denies
unused ports and allows the rest. Where another policy might select it, none is created.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sixproof.calico.felix.settings import Failsafe, Felix
from sixproof.calico.nodes import CalicoNode
from sixproof.errors import ApiError, NotAsked
from sixproof.kube.api import json_fields
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.resources import Kind
from sixproof.kube.facts.discovery import CALICO_API
from sixproof.kube.runs import ownership
from sixproof.model import Endpoint
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.probe_pods.identity import Run

HOST_ENDPOINT = Kind(CALICO_API, "HostEndpoint", "hostendpoints", namespaced=False)
GLOBAL_POLICY = Kind(CALICO_API, "GlobalNetworkPolicy", "globalnetworkpolicies", namespaced=False)
RULES = "the RBAC rules that --six-plan prints: create and delete on hostendpoints"
_ALLOWS = "projectcalico-default-allow"
"""Calico's own profile that allows everything."""
_GUARDS = "sixproof.dev/guards"
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_DEFAULTS = tuple(Failsafe("TCP", port) for port in (22, 179, 2379, 2380, 5473, 6443, 6666, 6667))
"""TCP ports that policies cannot close inbound, by Felix's default; outbound all but 22."""
_IN_USE = frozenset({22, 179, 2379, 2380, 5473, 6443})
"""Those of them that may have a listener: SSH, BGP, etcd, Typha, the API server."""
_CLOSED = range(6668, 6700)
"""Of these, one that is not a fail-safe port is denied, to show that the policy is in force."""


@dataclasses.dataclass(frozen=True, slots=True)
class GuardedHost:
    """The guarded node's host network, another node's as its peer, and TCP ports without a
    listener: fail-safe ones to and from the node, and one that is not fail-safe."""

    run: Run
    host: Endpoint
    peer: Endpoint
    inbound: int
    outbound: int
    closed: int

    @property
    def name(self) -> str:
        """The name of both objects."""
        return f"six-{self.run.id}-failsafe"

    def manifests(self) -> tuple[Manifest, Manifest]:
        """The policy, which denies these ports and allows all else, and the HostEndpoint."""
        policy: Manifest = {
            "apiVersion": CALICO_API,
            "kind": "GlobalNetworkPolicy",
            "metadata": {"name": self.name},
            "spec": {
                "order": 0,
                "selector": f"{_GUARDS} == '{self.name}'",
                "types": ["Ingress", "Egress"],
                "ingress": _denying(self.inbound, self.closed),
                "egress": _denying(self.outbound, self.closed),
            },
        }
        endpoint: Manifest = {
            "apiVersion": CALICO_API,
            "kind": "HostEndpoint",
            "metadata": {"name": self.name, "labels": {_GUARDS: self.name}},
            "spec": {
                "node": self.host.node,
                "expectedIPs": [str(address) for address in self.host.addresses],
                "profiles": [_ALLOWS],
            },
        }
        return ownership.owned(policy, self.run.id), ownership.owned(endpoint, self.run.id)

    @contextmanager
    def standing(self, cluster: Cluster) -> Iterator[None]:
        """Guard the node; stop at the end, however it ends.

        Raises:
            NotAsked: another policy might select it, or this account may not create it.
            ApiError: the API server failed.
        """
        _must_be_alone(cluster, self.host.node)
        try:
            try:
                for manifest in self.manifests():
                    cluster.create(manifest)
            except ApiError as error:
                if error.status not in (403, 404):
                    raise
                raise NotAsked(f"no host endpoint may be made: {error}", RULES) from error
            yield
        finally:
            cluster.delete(HOST_ENDPOINT, self.name)
            cluster.delete(GLOBAL_POLICY, self.name)


def choose(
    run: Run, hosts: Sequence[Endpoint], nodes: Sequence[CalicoNode], felix: Felix
) -> GuardedHost:
    """The last covered node that is not a control plane, with another one as its peer.

    Raises:
        NotAsked: there is none, Felix refuses what it denies, or has no such fail-safe ports.
    """
    labels = {node.name: dict(node.labels) for node in nodes}
    workers = [
        host
        for host in hosts
        if host.node in labels and not any(key in labels[host.node] for key in _CONTROL_PLANE)
    ]
    if not workers:
        raise NotAsked("every covered node is a control plane", "a cluster with workers")
    host = workers[-1]
    peer = next((other for other in hosts if other.node != host.node), None)
    if peer is None:
        raise NotAsked("a host is asked from another node", "--six-nodes 2")
    settings = felix.at(host.node)
    if settings.rejects:
        why = "Felix refuses what a policy denies, as a host does at a closed port"
        raise NotAsked(why, "iptablesFilterDenyAction and nftablesFilterDenyAction: Drop")
    inbound = _DEFAULTS if settings.failsafe_inbound is None else settings.failsafe_inbound
    outbound = _DEFAULTS if settings.failsafe_outbound is None else settings.failsafe_outbound
    listed = {port.port for port in (*inbound, *outbound)}
    return GuardedHost(
        run,
        host,
        peer,
        _unused(inbound, "failsafeInboundHostPorts"),
        _unused(outbound, "failsafeOutboundHostPorts"),
        next(port for port in _CLOSED if port not in listed),
    )


def _unused(ports: Sequence[Failsafe], setting: str) -> int:
    """A fail-safe TCP port, open for every peer, which should have no listener."""
    found = [
        port.port
        for port in ports
        if port.protocol.upper() == "TCP" and not port.net and port.port not in _IN_USE
    ]
    if not found or not found[-1]:
        raise NotAsked(
            f"no fail-safe port is unused ({setting})", f"tcp 6667 in {setting}, as by default"
        )
    return found[-1]


def _denying(*ports: int) -> list[Manifest]:
    return [
        {"action": "Deny", "protocol": "TCP", "destination": {"ports": list(ports)}},
        {"action": "Allow"},
    ]


def _must_be_alone(cluster: Cluster, node: str) -> None:
    """Require that no other HostEndpoint is on the node, and no policy might select the run's."""
    try:
        endpoints = cluster.list(HOST_ENDPOINT)
        policies = cluster.list(GLOBAL_POLICY)
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        raise NotAsked(f"host endpoints may not be read: {error}", RULES) from error
    if any(json_fields.text(m, "spec", "node") == node for m in endpoints):
        raise NotAsked(f"node {node} has a host endpoint already", "a cluster without")
    for policy in policies:
        if json_fields.labels(policy).get(ownership.MANAGED_BY) != ownership.MANAGER:
            raise NotAsked(
                f"GlobalNetworkPolicy {json_fields.name(policy)} might select a host endpoint of "
                "the run, and close the node",
                "a cluster without GlobalNetworkPolicies",
            )
