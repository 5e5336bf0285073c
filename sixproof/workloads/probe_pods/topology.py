"""The probe topology: probe pods of several namespaces on every covered node, once per run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from sixproof import records
from sixproof.model import Endpoint, EndpointKind, Family, Flow
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.ports import HOST_AGENT_PORTS, ICMP, POD_PORTS, PortSpec

ROLES = ("a", "b", "c")
"""Namespaces of the probe topology; each has one pod per node."""

FIRST_ROLE = ROLES[0]
"""The one of them that has a pod on further nodes, too."""
HOST_ROLE = "host"


def _written(members: records.Object) -> records.Object:
    """With the run's key beside its id; no report may contain this."""
    run = members.pop("run")
    return {"run": run["id"], "key": run["key"], **members}


def _read(members: records.Object) -> records.Object:
    return {**members, "run": {"id": members["run"], "key": members["key"]}}


@dataclasses.dataclass(frozen=True, slots=True)
class InjectedContainers:
    """Containers that something added to a probe pod, by their names."""

    namespace: str
    pod: str
    node: str
    names: tuple[str, ...]


@records.Form(written=_written, read=_read)
@dataclasses.dataclass(frozen=True, slots=True)
class ProbeTopology:
    """The endpoints of a run that have an agent: `pods` on the pod network, `hosts` on nodes;
    `further_pods` and `further_hosts` are one of each on nodes beyond those covered.

    `left_out` are the nodes on which no pods were created, `failed` those on which a pod did not
    become ready, each with the reason. `injected` are pods with containers that the run did not ask
    for.
    """

    run: Run
    pods: tuple[Endpoint, ...]
    hosts: tuple[Endpoint, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    injected: tuple[InjectedContainers, ...] = ()
    further_pods: tuple[Endpoint, ...] = ()
    further_hosts: tuple[Endpoint, ...] = ()

    @property
    def every_pod(self) -> tuple[Endpoint, ...]:
        """All pods, those of further nodes last."""
        return (*self.pods, *self.further_pods)

    @property
    def every_host(self) -> tuple[Endpoint, ...]:
        """All agents in host networks, those of further nodes last."""
        return (*self.hosts, *self.further_hosts)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The covered nodes."""
        return tuple(dict.fromkeys(p.node for p in self.pods))

    def in_namespace(self, role: str) -> tuple[Endpoint, ...]:
        """The pods of one of the probe topology's namespaces."""
        wanted = self.run.namespace(role)
        return tuple(p for p in self.pods if p.namespace == wanted)

    def families(self) -> tuple[Family, ...]:
        """The families that some pod of the probe topology has an address of, IPv4 before IPv6."""
        return tuple(f for f in Family if any(p.address(f) for p in self.pods))


def port_specs_of(endpoint: Endpoint) -> tuple[PortSpec, ...]:
    """The ports that an endpoint of the probe topology serves; ICMP echo is its kernel's."""
    return HOST_AGENT_PORTS if endpoint.kind is EndpointKind.HOST else POD_PORTS


def flows(
    sources: Iterable[Endpoint],
    destinations: Iterable[Endpoint],
    families: Iterable[Family],
    port_specs: Iterable[PortSpec] | None = None,
    *,
    where: Callable[[Endpoint, Endpoint], bool] = lambda _source, _destination: True,
) -> tuple[Flow, ...]:
    """Every flow from a source to a destination on the ports that the destination serves.

    Only families of which both have an address; `where` chooses pairs. `port_specs` None means all
    that the destination serves, without ICMP.
    """
    targets = tuple(destinations)
    pairs = ((s, d) for s in sources for d in targets if where(s, d))
    return flows_of_pairs(pairs, families, port_specs)


def flows_of_pairs(
    pairs: Iterable[tuple[Endpoint, Endpoint]],
    families: Iterable[Family],
    port_specs: Iterable[PortSpec] | None = None,
) -> tuple[Flow, ...]:
    """Every flow from the first to the second of each pair, as `flows` has them."""
    wanted = None if port_specs is None else tuple(port_specs)
    chosen_families = tuple(families)
    return tuple(
        Flow(source, destination, address, port_spec.protocol, port_spec.port)
        for source, destination in pairs
        for family in chosen_families
        if source.address(family) and (address := destination.address(family))
        for port_spec in (port_specs_of(destination) if wanted is None else wanted)
    )


def different_nodes(source: Endpoint, destination: Endpoint) -> bool:
    """Whether two endpoints are on different nodes."""
    return source.node != destination.node


def same_node(source: Endpoint, destination: Endpoint) -> bool:
    """Whether two different endpoints share a node."""
    return source.node == destination.node and source.name != destination.name


def itself(source: Endpoint, destination: Endpoint) -> bool:
    """Whether an endpoint talks to itself."""
    return source.name == destination.name


__all__ = [
    "FIRST_ROLE",
    "HOST_ROLE",
    "ICMP",
    "ROLES",
    "ProbeTopology",
    "different_nodes",
    "flows",
    "flows_of_pairs",
    "itself",
    "port_specs_of",
    "same_node",
]
