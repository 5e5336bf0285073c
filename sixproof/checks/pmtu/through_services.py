"""Paths through a service with one pod on another node: its ClusterIP, its NodePort."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sixproof import policy
from sixproof.checks.connect.carried import parted
from sixproof.checks.connect.settling import settle
from sixproof.checks.pmtu.path_results import PathResults
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.model import Endpoint, Flow, Outcome, Timing
from sixproof.probes.connect.probe import ConnectProbe
from sixproof.probes.pmtu.probe import PathProbe
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.probe_pods.identity import ROLE, Run
from sixproof.workloads.probe_pods.topology import ProbeTopology
from sixproof.workloads.services import manifests
from sixproof.workloads.services.manifests import Manifest, Service


@dataclasses.dataclass(frozen=True)
class PathExplorer:
    """Explores the paths of flows to services, once small packets pass; those that policies of the
    cluster's owner close are left out. `hosts` are the nodes whose agents are asked for routes."""

    probe: ConnectProbe
    path_probe: PathProbe
    hosts: Sequence[Endpoint]
    timing: Timing
    recorder: Recorder
    existing: ExistingPolicies

    def explore(
        self, pairs: Sequence[Flow], services: Mapping[str, Service] | None = None
    ) -> PathResults:
        """What the paths carry; `services` are those in front of the pods, by the pods' names."""

        def closes(flow: Flow) -> str:
            made = (services or {}).get(flow.destination.name)
            return self.existing.closes(flow, as_judged(made, flow) if made else None)

        opened, closed = parted(pairs, closes)
        settle(self.probe, opened, lambda seen: seen.outcome is Outcome.ALLOWED, self.timing)
        found = self.path_probe.explore(opened, hosts=self.hosts)
        return PathResults(found, self.recorder, closed)


def in_front_of_pods(
    manifest: Path, run: Run, pods: Sequence[Endpoint], prefix: str
) -> dict[str, Manifest]:
    """A service in front of each of these pods of one namespace, by the pod's name: made of the
    manifest; `prefix` begins the names of the services."""
    return {
        pod.name: manifests.load(
            manifest, run, pod.namespace, name=f"{prefix}-{number}", selector={ROLE: pod.pod}
        )
        for number, pod in enumerate(pods)
    }


def at_node_ports(
    topology: ProbeTopology, pairs: Iterable[Flow], before: Mapping[str, Service]
) -> list[Flow]:
    """The same flows, dialled at the NodePort of the service in front of their destination."""
    return [
        dataclasses.replace(flow, address=address, port=port)
        for flow in pairs
        if (address := frontend_node(topology, flow).address(flow.family))
        and (port := same_port(before[flow.destination.name]))
    ]


def frontend_node(topology: ProbeTopology, flow: Flow) -> Endpoint:
    """The node at which a flow's NodePort is dialled: the one after the pod's, the source's left
    out, so that no two flows of a source dial the same node."""
    ring = [host for host in topology.hosts if host.node != flow.source.node]
    nodes = [host.node for host in ring]
    if flow.destination.node not in nodes:
        why = f"no agent on the network of {flow.destination.node} to know its addresses by"
        raise NotAsked(why, "a namespace that admits hostNetwork pods")
    return ring[(nodes.index(flow.destination.node) + 1) % len(ring)]


def as_judged(made: Service, flow: Flow) -> policy.ServiceSnapshot:
    """The service of a flow's pod, as the oracle knows it; both protocols have one port."""
    ports = tuple(
        policy.ServicePortSnapshot(p.port, p.protocol, int(p.target), p.node_port)
        for p in made.ports
    )
    backends = (flow.destination,)
    return policy.ServiceSnapshot(
        made.namespace, made.name, made.cluster_ips, ports=ports, backends=backends
    )


def same_port(service: Service) -> int:
    """The NodePort, which TCP and UDP share: Kubernetes gives one number to one port."""
    ports = {port_spec.port for port_spec in service.node_port_specs}
    if len(ports) != 1:
        why = f"{service.name} has the NodePorts {sorted(filter(None, ports))}, wanted one for both"
        raise NotAsked(why, "a NodePort range that gives TCP and UDP the same number")
    return ports.pop() or 0
