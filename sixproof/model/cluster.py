"""What is known about a cluster before anything is measured."""

from __future__ import annotations

import dataclasses

from sixproof.model.family import Family, IPAddress, IPNetwork

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
"""The label of a node that load balancers leave out and that announces no service addresses
(Kubernetes, well-known labels; Calico, Advertise Kubernetes service IP addresses)."""
LINUX = "linux"
"""The operating system that probe pods need, as kubelets spell it (GOOS)."""


@dataclasses.dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node as the API server describes it; `addresses` are its InternalIPs in API order, `os`
    and `architecture` are as reported by its kubelet (``linux``, ``arm64``), `zone` is its label
    ``topology.kubernetes.io/zone``, each "" if there is none. `balanced` is False where the label
    `EXCLUDED` keeps load balancers from it. `virtual` is what a node is that only looks like one
    (``AWS Fargate``)."""

    name: str
    addresses: tuple[IPAddress, ...]
    pod_cidrs: tuple[IPNetwork, ...] = ()
    ready: bool = True
    schedulable: bool = True
    taints: tuple[str, ...] = ()
    kernel: str = ""
    os_image: str = ""
    runtime: str = ""
    kubelet: str = ""
    os: str = ""
    architecture: str = ""
    zone: str = ""
    balanced: bool = True
    virtual: str = ""

    def address(self, family: Family) -> IPAddress | None:
        """The node's first InternalIP of a family."""
        return next((a for a in self.addresses if Family.of(a) is family), None)

    def families(self) -> frozenset[Family]:
        """The families of the node's InternalIPs."""
        return frozenset(Family.of(a) for a in self.addresses)


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterFacts:
    """A cluster as discovery saw it.

    `service_families` and `pod_families` are those that the cluster assigns; `cni` and `dataplane`
    are empty if unknown. `pod_mtu` is in bytes.
    """

    server: str
    version: str
    nodes: tuple[NodeFacts, ...]
    service_families: tuple[Family, ...] = ()
    pod_families: tuple[Family, ...] = ()
    service_cidrs: tuple[IPNetwork, ...] = ()
    pod_cidrs: tuple[IPNetwork, ...] = ()
    cni: str = ""
    cni_version: str = ""
    dataplane: str = ""
    encapsulation: tuple[tuple[Family, str], ...] = ()
    pod_mtu: int | None = None
    kube_proxy_mode: str = ""
    calico_api: bool = False
    extra: tuple[tuple[str, str], ...] = ()

    def node(self, name: str) -> NodeFacts:
        """The node of that name.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def families(self) -> tuple[Family, ...]:
        """The families that pods get, IPv4 before IPv6."""
        return tuple(f for f in Family if f in self.pod_families)
