"""The cluster in which flows are judged: namespaces, nodes, services, named ports."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.model import Endpoint, IPAddress, Protocol

NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that the API server puts on every namespace."""


@dataclasses.dataclass(frozen=True, slots=True)
class NamedPort:
    """A container port with a name."""

    name: str
    protocol: Protocol
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A node. `addresses` are all that its own traffic may carry: InternalIPs and tunnel ends."""

    name: str
    addresses: tuple[IPAddress, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    def of_family(self, version: int) -> tuple[IPAddress, ...]:
        """Its addresses of one IP version."""
        return tuple(a for a in self.addresses if a.version == version)


@dataclasses.dataclass(frozen=True, slots=True)
class ServicePortSnapshot:
    """One port of a service; `target` is a number, or the name of a container port; `name` is its
    own."""

    port: int
    protocol: Protocol = Protocol.TCP
    target: int | str | None = None
    node_port: int | None = None
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceSnapshot:
    """A service. `addresses` are its clusterIPs, `external` its load balancer and external IPs,
    `backends` its endpoints. `local`: `externalTrafficPolicy` is Local, client addresses stay.
    `headless`: its clusterIP is None, names lead to its endpoints themselves. `alias` is the
    externalName of a service that is only a name for it.
    """

    namespace: str
    name: str
    addresses: tuple[IPAddress, ...] = ()
    external: tuple[IPAddress, ...] = ()
    ports: tuple[ServicePortSnapshot, ...] = ()
    backends: tuple[Endpoint, ...] = ()
    local: bool = False
    headless: bool = False
    alias: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """A cluster as the oracle knows it; build it with `ClusterSnapshot.of`.

    Endpoints carry their own labels, so that flows may be judged between endpoints that are not
    listed here. A namespace that is not listed has only the label of its name.
    """

    namespaces: Mapping[str, Mapping[str, str]]
    ports: Mapping[tuple[str, str], tuple[NamedPort, ...]]
    nodes: Mapping[str, Node]
    services: tuple[ServiceSnapshot, ...]
    service_accounts: Mapping[tuple[str, str], Mapping[str, str]]
    endpoints: tuple[Endpoint, ...]

    @classmethod
    def of(
        cls,
        namespaces: Mapping[str, Mapping[str, str]] | None = None,
        *,
        ports: Mapping[tuple[str, str], Iterable[NamedPort]] | None = None,
        nodes: Iterable[Node] = (),
        services: Iterable[ServiceSnapshot] = (),
        service_accounts: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
        endpoints: Iterable[Endpoint] = (),
    ) -> ClusterSnapshot:
        """A cluster of namespaces with labels; `ports` and `service_accounts` are keyed by
        (namespace, pod) and (namespace, name)."""
        return cls(
            namespaces={n: {**v, NAME_LABEL: n} for n, v in (namespaces or {}).items()},
            ports={key: tuple(value) for key, value in (ports or {}).items()},
            nodes={node.name: node for node in nodes},
            services=tuple(services),
            service_accounts={k: dict(v) for k, v in (service_accounts or {}).items()},
            endpoints=tuple(endpoints),
        )

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace."""
        return self.namespaces.get(name) or {NAME_LABEL: name}

    def ports_of(self, endpoint: Endpoint) -> tuple[NamedPort, ...]:
        """The named ports of a pod."""
        return self.ports.get((endpoint.namespace, endpoint.pod or endpoint.name), ())

    def service(self, namespace: str, name: str) -> ServiceSnapshot | None:
        """The service of that name, None where it is not known."""
        return next((s for s in self.services if s.namespace == namespace and s.name == name), None)

    def target(self, port: ServicePortSnapshot, backend: Endpoint) -> int | None:
        """The port at which a backend serves a service port, None where its name is unknown."""
        if port.target is None:
            return port.port
        if isinstance(port.target, int):
            return port.target
        for named in self.ports_of(backend):
            if named.name == port.target and named.protocol is port.protocol:
                return named.number
        return None

    def node_at(self, address: IPAddress) -> Node | None:
        """The node that has that address, None where none has."""
        return next((n for n in self.nodes.values() if address in n.addresses), None)
