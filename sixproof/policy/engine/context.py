"""What compiling a policy needs beside its manifest, and the predicates that follow from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from sixproof.model import Protocol
from sixproof.policy.engine.packet import NUMBERS, Packet, PolicyPeer
from sixproof.policy.engine.provider import ProviderAnswer, ProviderProfile
from sixproof.policy.engine.rules import Condition, Needs, PeerTest
from sixproof.policy.kubernetes.labels import LabelSelector
from sixproof.policy.snapshot.networks import Networks
from sixproof.policy.snapshot.snapshot import ClusterSnapshot


@dataclasses.dataclass(frozen=True, slots=True)
class NetworkSet:
    """A Calico network set: networks that selectors choose by label."""

    labels: Mapping[str, str]
    networks: Networks


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The cluster, the provider, and the network sets."""

    snapshot: ClusterSnapshot
    profile: ProviderProfile
    network_sets: tuple[NetworkSet, ...] = ()

    def in_networks(self, networks: Networks) -> PeerTest:
        """Whether a peer's address is in the networks, as far as the provider looks at pods'."""
        pods = self.profile.ip_block_matches_pods

        def test(peer: PolicyPeer) -> bool | None:
            if not networks.hold(peer.version, peer.value):
                return False
            if peer.is_pod and pods is not ProviderAnswer.YES:
                return None if pods is ProviderAnswer.UNDEFINED else False
            return True

        return test


def pods_of(namespaces: LabelSelector | str, pods: LabelSelector) -> Callable[[PolicyPeer], bool]:
    """Whether a peer is a pod with such labels, in such a namespace (or in the one named)."""

    def test(peer: PolicyPeer) -> bool:
        if peer.labels is None:
            return False
        if isinstance(namespaces, str):
            inside = peer.namespace == namespaces
        else:
            inside = namespaces.matches(peer.namespace_labels)
        return inside and pods.matches(peer.labels)

    return test


@dataclasses.dataclass(frozen=True, slots=True)
class PortRange:
    """Ports of one protocol from `first` to `last` inclusive."""

    protocol: int
    first: int = 1
    last: int = 65535

    def holds(self, packet: Packet) -> bool:
        """Whether a packet goes to one of them."""
        port = packet.port
        return (
            packet.protocol == self.protocol
            and port is not None
            and self.first <= port <= self.last
        )

    def __str__(self) -> str:
        name = next(p.value for p, number in NUMBERS.items() if number == self.protocol)
        if (self.first, self.last) == (1, 65535):
            return name
        span = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{name} {span}"


@dataclasses.dataclass(frozen=True, slots=True)
class PortName:
    """A container port by name, as the destination pod defines it; any protocol if None."""

    name: str
    protocol: int | None = None

    def holds(self, packet: Packet) -> bool:
        """Whether a packet goes to the port of that name."""
        if self.protocol not in (None, packet.protocol):
            return False
        return any(
            named.name == self.name
            and named.number == packet.port
            and number_of(named.protocol) == packet.protocol
            for named in packet.destination.ports
        )

    def __str__(self) -> str:
        return f"port named {self.name}"


def number_of(protocol: Protocol) -> int:
    """The IP protocol number of a protocol with ports, 0 for ICMP."""
    return NUMBERS.get(protocol, 0)


def to_ports(ports: tuple[PortRange | PortName, ...]) -> Condition:
    """The condition that a packet goes to one of the ports."""

    def test(packet: Packet) -> bool:
        return any(port.holds(packet) for port in ports)

    named = any(isinstance(port, PortName) for port in ports)
    needs = Needs.PACKET if named else Needs.PORT
    return Condition(" or ".join(map(str, ports)), test, needs)
