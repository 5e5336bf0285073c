"""The values that keys of a variant accept, and what a variant consists of in one family."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from testbed.variants.table import Network


class Family(StrEnum):
    """An address family, by the name of its table in a variant's file."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"

    @property
    def version(self) -> int:
        return 4 if self is Family.IPV4 else 6


class Encapsulation(StrEnum):
    """Calico's names for how pods' packets travel between nodes.

    With cross-subnet VXLAN the packets of a bed, whose nodes share a subnet, are not encapsulated:
    Felix programs routes through the nodes' own interfaces. With none, BIRD programs them.
    """

    VXLAN = "VXLAN"
    VXLAN_CROSS_SUBNET = "VXLANCrossSubnet"
    NONE = "None"


class DataPlane(StrEnum):
    """What kube-proxy and Felix write their rules with."""

    IPTABLES = "iptables"
    NFTABLES = "nftables"


class NetworkPlugin(StrEnum):
    """What connects pods: Calico, or kind's own plugin."""

    CALICO = "calico"
    KINDNET = "kindnet"


class Peering(StrEnum):
    """How the nodes of a cluster exchange their routes by BGP."""

    MESH = "mesh"
    REFLECTORS = "route reflectors"


@dataclass(frozen=True, slots=True)
class Bgp:
    """Calico's BGP: its AS number, that of the router beside the cluster, and how nodes peer."""

    as_number: int
    router_as_number: int
    peering: Peering


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Calico's tunnel device of a family.

    `headers` is its overhead per packet, in bytes; `link` are the arguments with which ip-link(8)
    creates a device of its type.
    """

    device: str
    headers: int
    link: tuple[str, ...]


_VXLAN = ("vxlan", "id", "6", "dstport", "4789")
# RFC 7348: 8 VXLAN, 8 UDP and 14 Ethernet besides the outer header, in both modes.
TUNNELS = {
    Family.IPV4: Tunnel("vxlan.calico", 20 + 30, _VXLAN),
    Family.IPV6: Tunnel("vxlan-v6.calico", 40 + 30, _VXLAN),
}


@dataclass(frozen=True, slots=True)
class Stack:
    """One family of a variant. `rack` is the range of the network behind the router that nodes peer
    with; a variant without BGP has none. `load_balancer` is the address range for services of type
    LoadBalancer, None where nothing assigns them one, `external` the range of external IPs that
    nodes advertise, None where they advertise none."""

    family: Family
    pods: Network
    services: Network
    encapsulation: Encapsulation
    rack: Network | None = None
    load_balancer: Network | None = None
    external: Network | None = None

    def outside_ranges(self) -> dict[str, Network]:
        """The ranges from which services have addresses outside of the cluster, by their key."""
        found = {"load_balancer": self.load_balancer, "external": self.external}
        return {key: network for key, network in found.items() if network}

    @property
    def tunnel(self) -> Tunnel | None:
        """None where pods' packets are not encapsulated."""
        return None if self.encapsulation is Encapsulation.NONE else TUNNELS[self.family]
