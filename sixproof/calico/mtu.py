"""The computed MTU of pods and tunnels, with its source.

Felix takes the lowest MTU of all enabled tunnels, of both families, writes it to
/var/lib/calico/mtu, and the CNI gives it to new pods (Felix's `determinePodMTU` and
`ConfigureDefaultMTUs` in felix/dataplane/linux/int_dataplane.go). So the pods of a dual-stack VXLAN
cluster have the MTU that VXLAN over IPv6 leaves, for IPv4 too.
"""

from __future__ import annotations

import dataclasses

from sixproof.calico.felix.settings import Felix
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.model import Family


@dataclasses.dataclass(frozen=True, slots=True)
class Encapsulation:
    """An encapsulation of one family: its device, its header bytes, and how they add up."""

    name: str
    device: str
    overhead: int
    because: str
    family: Family


IPIP = Encapsulation("IPIP", "tunl0", 20, "an outer IPv4 header", Family.IPV4)
VXLAN_V4 = Encapsulation(
    "VXLAN over IPv4", "vxlan.calico", 50, "IPv4 20 + UDP 8 + VXLAN 8 + Ethernet 14", Family.IPV4
)
VXLAN_V6 = Encapsulation(
    "VXLAN over IPv6", "vxlan-v6.calico", 70, "IPv6 40 + UDP 8 + VXLAN 8 + Ethernet 14", Family.IPV6
)
WIREGUARD_V4 = Encapsulation(
    "WireGuard over IPv4", "wireguard.cali", 60, "IPv4 20 + UDP 8 + WireGuard 32", Family.IPV4
)
WIREGUARD_V6 = Encapsulation(
    "WireGuard over IPv6", "wg-v6.cali", 80, "IPv6 40 + UDP 8 + WireGuard 32", Family.IPV6
)


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceMtu:
    """The MTU that one tunnel should have; `set_by_hand` if from a setting, not the underlay."""

    tunnel: Encapsulation
    mtu: int
    set_by_hand: bool = False

    def __str__(self) -> str:
        how = "set in Felix" if self.set_by_hand else f"underlay - {self.tunnel.overhead}"
        return f"{self.tunnel.name} {self.mtu} ({how})"


@dataclasses.dataclass(frozen=True, slots=True)
class ExpectedMtu:
    """The MTU that pods should have over an underlay of `underlay`, in bytes; `source` says why."""

    mtu: int
    underlay: int
    source: str
    devices: tuple[DeviceMtu, ...] = ()

    def device(self, name: str) -> int | None:
        """The MTU that a tunnel device should have, None where that tunnel is off."""
        return next((d.mtu for d in self.devices if d.tunnel.device == name), None)


def tunnels(state: CalicoState) -> tuple[tuple[Encapsulation, int | None], ...]:
    """The enabled tunnels, with the MTU that a setting gives them.

    Felix counts every pool, including disabled ones (felix/calc/encapsulation_resolver.go); its own
    settings override the pools for IPIP and for VXLAN over IPv4, not for VXLAN over IPv6.
    """
    settings: Felix = state.felix
    found = (
        (IPIP, _on(settings.ipip, state, "IPIP", Family.IPV4), settings.ipip_mtu),
        (VXLAN_V4, _on(settings.vxlan, state, "VXLAN", Family.IPV4), settings.vxlan_mtu),
        (VXLAN_V6, _on(None, state, "VXLAN", Family.IPV6), settings.vxlan_mtu_v6),
        (WIREGUARD_V4, Family.IPV4 in settings.wireguard, settings.wireguard_mtu),
        (WIREGUARD_V6, Family.IPV6 in settings.wireguard, settings.wireguard_mtu_v6),
    )
    return tuple((tunnel, mtu) for tunnel, on, mtu in found if on)


def expected(state: CalicoState, underlay: int = 1500) -> ExpectedMtu:
    """The MTU that pods and tunnels should have over nodes' interfaces of `underlay` bytes."""
    devices = tuple(
        DeviceMtu(tunnel, mtu or underlay - tunnel.overhead, mtu is not None)
        for tunnel, mtu in tunnels(state)
    )
    if state.cni_mtu:
        source = "set in the CNI configuration (veth_mtu, or mtu of the Installation)"
        return ExpectedMtu(state.cni_mtu, underlay, source, devices)
    if not devices:
        return ExpectedMtu(underlay, underlay, "no tunnel is on: that of the underlay", devices)
    lowest = min(devices, key=lambda d: d.mtu)
    if lowest.set_by_hand:
        source = f"{lowest}"
    else:
        source = f"{underlay} - {lowest.tunnel.overhead} for {lowest.tunnel.name} "
        source += f"({lowest.tunnel.because})"
    if len(devices) > 1:
        source += f"; the lowest of {', '.join(map(str, devices))}"
    if state.felix.bpf:
        source += "; the eBPF dataplane may put the limit of a family on its routes instead"
    return ExpectedMtu(lowest.mtu, underlay, source, devices)


def _on(setting: bool | None, state: CalicoState, tunnel: str, family: Family) -> bool:
    if setting is not None:
        return setting
    pools: tuple[Pool, ...] = state.pools
    return any(p.family is family and p.encapsulates(tunnel) for p in pools)
