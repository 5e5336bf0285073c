"""Judging the addresses that Calico chose for its nodes."""

from __future__ import annotations

from collections.abc import Iterator

from sixproof.calico.nodes import CalicoNode, Interface
from sixproof.calico.state import CalicoState
from sixproof.errors import Subject
from sixproof.model import ClusterFacts, Family, Finding, FindingType, Severity

NODE_ADDRESS = FindingType(
    "calico-node-address",
    "Calico knows an address of each family for every node",
    "Calico API reference: Node",
)
NODE_TUNNEL = FindingType(
    "calico-node-tunnel", "A tunnel has an address of the family", "Calico API reference: Node"
)
NODE_SUBNET = FindingType(
    "calico-node-subnet", "Calico knows the subnets of the nodes", "Calico API reference: IPPool"
)


def audit(state: CalicoState, facts: ClusterFacts) -> Iterator[Finding]:
    """What is wrong with the nodes' addresses."""
    ready = {node.name for node in facts.nodes if node.ready}
    for node in state.nodes:
        if node.name not in ready:
            continue
        for family in Family:
            if state.pools_of(family):
                yield from _family(node, family, state)
    yield from _subnets(state)


def _family(node: CalicoNode, family: Family, state: CalicoState) -> Iterator[Finding]:
    chosen = node.address(family)
    subject = Subject.of_node(node.name)
    method = dict(state.autodetection).get(family, "")
    how = f" (method {method})" if method else ""
    variable = "IP6" if family is Family.IPV6 else "IP"
    if chosen is None:
        yield NODE_ADDRESS.found(
            Severity.ERROR,
            subject,
            f"Calico has no {family} address of it{how}",
            f"an {family} address: without one its pods are not reached from other nodes",
            f"set {variable}=autodetect on calico-node, or nodeAddressAutodetectionV"
            f"{family.version} of the Installation",
            families=[family],
            node=node.name,
        )
        return
    wrong = _unfit(chosen)
    if wrong:
        yield NODE_ADDRESS.found(
            Severity.ERROR,
            subject,
            f"Calico chose {chosen}, {wrong}{how}",
            f"the node's own {family} address",
            f"choose by interface or cidr: {variable}_AUTODETECTION_METHOD",
            families=[family],
            node=node.name,
        )
    elif node.internal and chosen.ip not in node.internal:
        internal = ", ".join(str(a) for a in node.internal if Family.of(a) is family)
        yield NODE_ADDRESS.found(
            Severity.WARNING,
            subject,
            f"Calico chose {chosen}{how}, which is no InternalIP",
            internal or f"an {family} InternalIP",
            f"{variable}_AUTODETECTION_METHOD=kubernetes-internal-ip",
        )
    yield from _tunnel(node, family, state)


def _tunnel(node: CalicoNode, family: Family, state: CalicoState) -> Iterator[Finding]:
    by_vxlan = any(p.encapsulates("VXLAN") for p in state.pools_of(family))
    if by_vxlan and node.tunnel("VXLAN", family) is None:
        yield NODE_TUNNEL.found(
            Severity.ERROR,
            Subject.of_node(node.name),
            f"no {family} address on its VXLAN device although the pool uses VXLAN",
            "an address of the pool on the tunnel",
            "look at calico-node's log there; pools need the use Tunnel (allowedUses)",
            families=[family],
            node=node.name,
        )


def _subnets(state: CalicoState) -> Iterator[Finding]:
    """A chosen address with a full-length prefix hides the subnet that CrossSubnet depends on."""
    for family in Family:
        if not any(p.encapsulation.endswith("CrossSubnet") for p in state.pools_of(family)):
            continue
        for node in state.nodes:
            chosen = node.address(family)
            if chosen and chosen.network.prefixlen == family.bits:
                yield NODE_SUBNET.found(
                    Severity.WARNING,
                    Subject.of_node(node.name),
                    f"Calico knows {chosen} without its subnet, so that CrossSubnet always tunnels",
                    "the prefix length of the node's subnet",
                    "detect by interface or cidr instead of a fixed address",
                )


def _unfit(chosen: Interface) -> str:
    """Why an address cannot be a node's, "" where it can."""
    address = chosen.ip
    if address.is_link_local:
        return "link-local: other nodes cannot route to it"
    if address.is_loopback:
        return "loopback"
    if address.version == 6 and address.is_site_local:
        return "site-local, deprecated by RFC 3879"
    return ""
