"""Which way every node's kernel sends packets to every pod, and which way they must go. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable

from sixproof.agent.protocol import RouteSeen
from sixproof.calico.mtu import IPIP, VXLAN_V4, VXLAN_V6
from sixproof.calico.nodes import CalicoNode
from sixproof.calico.state import CalicoState
from sixproof.kube.api import json_fields
from sixproof.model import Endpoint, Family, IPAddress
from sixproof.probes.nodes import fib

_VXLAN = {tunnel.family: tunnel.device for tunnel in (VXLAN_V4, VXLAN_V6)}
_TUNNELS = (*_VXLAN.values(), IPIP.device)


@dataclasses.dataclass(frozen=True, slots=True)
class ExpectedRoute:
    """Where packets must go: by one of these devices ("" any), to one of these next hops (none:
    this is not known). `tunnel` says whether they may be carried by one, None where either is
    right."""

    device: str = ""
    gateways: tuple[IPAddress, ...] = ()
    tunnel: bool | None = None
    why: str = ""


def veth(pod: Endpoint, prefix: str = "cali") -> str:
    """The name of a pod's device on its node: the prefix and 11 digits of SHA-1 over namespace and
    name (Calico, libcalico-go, names of workload endpoints)."""
    digest = hashlib.sha1(f"{pod.namespace}.{pod.pod}".encode(), usedforsecurity=False)
    return prefix + digest.hexdigest()[:11]


def wanted(state: CalicoState, node: str, pod: Endpoint, address: IPAddress) -> ExpectedRoute:
    """The way from a node to a pod, by the pool of the pod's address."""
    if pod.node == node:
        return ExpectedRoute(
            veth(pod, state.felix.interface_prefix), tunnel=False, why="the pod is here"
        )
    family = Family.of(address)
    pool = state.pool_of(address)
    nodes = {n.name: n for n in state.nodes}
    here, there = nodes.get(node), nodes.get(pod.node)
    if pool is None or here is None or there is None:
        return ExpectedRoute(why="the pod is elsewhere")
    mode = pool.encapsulation
    if mode.endswith("CrossSubnet") and _one_subnet(here, there, family):
        mode = "None"
    if mode.startswith("VXLAN"):
        end = there.tunnel("VXLAN", family)
        return ExpectedRoute(
            _VXLAN[family], (end,) if end else (), tunnel=True, why=f"{pod.node}'s tunnel address"
        )
    if mode.startswith("IPIP"):
        return ExpectedRoute(IPIP.device, tunnel=True, why="the pool uses IPIP")
    chosen = there.address(family)
    direct = _one_subnet(here, there, family)
    return ExpectedRoute(
        gateways=(chosen.ip,) if chosen and direct else (),
        tunnel=False,
        why=f"{pod.node}'s own address",
    )


def misled(seen: RouteSeen, way: ExpectedRoute) -> str:
    """What is wrong with a kernel's answer, "" where nothing is."""
    if seen.error:
        if fib.is_blackhole(seen.error):
            return f"a blackhole route drops packets to {seen.address} ({seen.error})"
        return f"the kernel has no route to {seen.address}: {seen.error}"
    sentence = f"packets to {seen.address} go by {seen.device or 'no device'}" + (
        f" via {seen.gateway}" if seen.gateway else ""
    )
    if way.device and seen.device != way.device:
        return f"{sentence}, wanted {way.device} ({way.why})"
    if way.tunnel is False and seen.device in _TUNNELS:
        return f"{sentence}, wanted without a tunnel ({way.why})"
    if way.gateways and json_fields.address(seen.gateway) not in way.gateways:
        return f"{sentence}, wanted via {' or '.join(map(str, way.gateways))} ({way.why})"
    return ""


def unlike_the_node(node: CalicoNode, family: Family, held: Iterable[tuple[str, str, int]]) -> str:
    """What is wrong with the address that Calico chose for a node, by the addresses that its
    kernel has: device, address, prefix length. "" where nothing is."""
    chosen = node.address(family)
    if chosen is None:
        return f"Calico chose no {family} address for it"
    mine = [(device, bits) for device, text, bits in held if json_fields.address(text) == chosen.ip]
    if not mine:
        return f"Calico chose {chosen}, which no device of the node has"
    lengths = sorted({bits for _, bits in mine})
    full = chosen.network.prefixlen == chosen.ip.max_prefixlen
    if not full and chosen.network.prefixlen not in lengths:
        return f"Calico chose {chosen}, {mine[0][0]} has it with /{lengths[0]}"
    return ""


def _one_subnet(here: CalicoNode, there: CalicoNode, family: Family) -> bool:
    mine, other = here.address(family), there.address(family)
    return mine is not None and other is not None and other.ip in mine.network
