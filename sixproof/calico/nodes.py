"""Calico's data about each node: the addresses it chose, and its tunnel addresses."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from collections.abc import Iterable

from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Family, IPAddress

_PREFIX = "projectcalico.org/"
_TUNNELS = {
    "IPv4IPIPTunnelAddr": "IPIP",
    "IPv4VXLANTunnelAddr": "VXLAN",
    "IPv6VXLANTunnelAddr": "VXLAN",
    "IPv4WireguardInterfaceAddr": "WireGuard",
    "IPv6WireguardInterfaceAddr": "WireGuard",
}
_WIREGUARD_KEYS = {"WireguardPublicKey": Family.IPV4, "WireguardPublicKeyV6": Family.IPV6}
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclasses.dataclass(frozen=True, slots=True)
class TunnelAddress:
    """A node's own address on a tunnel device."""

    kind: str
    address: IPAddress

    @property
    def family(self) -> Family:
        """The family that it carries."""
        return Family.of(self.address)


@dataclasses.dataclass(frozen=True, slots=True)
class CalicoNode:
    """A node as calico-node describes it in the Node's annotations (Kubernetes datastore).

    `chosen` are the addresses that it found or was given, with the prefix length of their subnet;
    `interfaces` are all devices that it saw, with their addresses. A `reflector` has a
    RouteReflectorClusterID and is not part of the mesh. `wireguard_keys` are the families for which
    Felix created a key there and published the public key, without which no peer encrypts.
    `as_number` is its own, None where it has that of BGPConfiguration.
    """

    name: str
    chosen: tuple[Interface, ...] = ()
    tunnels: tuple[TunnelAddress, ...] = ()
    interfaces: tuple[tuple[str, tuple[IPAddress, ...]], ...] = ()
    internal: tuple[IPAddress, ...] = ()  # the Node's own InternalIPs
    labels: tuple[tuple[str, str], ...] = ()
    reflector: bool = False
    wireguard_keys: tuple[Family, ...] = ()
    as_number: int | None = None

    def address(self, family: Family) -> Interface | None:
        """The address of a family that Calico chose."""
        return next((i for i in self.chosen if Family.of(i.ip) is family), None)

    def tunnel(self, kind: str, family: Family) -> IPAddress | None:
        """Its address on its tunnel of a kind (``VXLAN``), None where it has none."""
        found = (t.address for t in self.tunnels if t.kind == kind and t.family is family)
        return next(found, None)

    def device(self, family: Family) -> str:
        """The device that has the chosen address, "" where Calico saw none that has."""
        chosen = self.address(family)
        names = (name for name, found in self.interfaces if chosen and chosen.ip in found)
        return next(names, "")


def calico_nodes(nodes: Iterable[Manifest]) -> tuple[CalicoNode, ...]:
    """The nodes of Node objects, in their order."""
    return tuple(_node(node) for node in nodes)


def _node(node: Manifest) -> CalicoNode:
    chosen = (json_fields.annotation(node, f"{_PREFIX}{f}Address") for f in Family)
    return CalicoNode(
        name=json_fields.name(node),
        chosen=tuple(i for text in chosen if (i := _interface(text))),
        tunnels=tuple(
            TunnelAddress(kind, address)
            for key, kind in _TUNNELS.items()
            if (address := json_fields.address(json_fields.annotation(node, _PREFIX + key)))
        ),
        interfaces=_interfaces(json_fields.annotation(node, f"{_PREFIX}Interfaces")),
        internal=json_fields.addresses(
            json_fields.text(entry, "address")
            for entry in json_fields.entries(node, "status", "addresses")
            if entry.get("type") == "InternalIP"
        ),
        labels=tuple(sorted(json_fields.labels(node).items())),
        reflector=bool(json_fields.annotation(node, f"{_PREFIX}RouteReflectorClusterID")),
        wireguard_keys=tuple(
            family
            for key, family in _WIREGUARD_KEYS.items()
            if json_fields.annotation(node, _PREFIX + key)
        ),
        as_number=as_number(json_fields.annotation(node, f"{_PREFIX}ASNumber")),
    )


def as_number(text: str) -> int | None:
    """An AS number, possibly in the dotted form of RFC 5396 (``1.10`` is 65546), None for anything
    else."""
    high, dot, low = text.partition(".")
    try:
        return (int(high) << 16) + int(low) if dot else int(high)
    except ValueError:
        return None


def _interface(text: str) -> Interface | None:
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None


def _interfaces(text: str) -> tuple[tuple[str, tuple[IPAddress, ...]], ...]:
    try:
        listed = json.loads(text)
    except ValueError:
        return ()
    return tuple(
        (
            json_fields.text(entry, "name"),
            json_fields.addresses(json_fields.strings(entry, "addresses")),
        )
        for entry in json_fields.entries({"interfaces": listed}, "interfaces")
    )
