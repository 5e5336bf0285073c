"""What a variant's keys mean to calico-node: the settings that follow from them are in no file."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.variants.keys import DataPlane, Encapsulation, Family, Stack

POOL_MODES = {
    Encapsulation.VXLAN: "Always",
    Encapsulation.VXLAN_CROSS_SUBNET: "CrossSubnet",
    Encapsulation.NONE: "Never",
}


def settings(
    stacks: Sequence[Stack], data_plane: DataPlane, *, bgp: bool = False
) -> dict[str, str]:
    """Environment of calico-node. It creates the first IP pools, which have source NAT in both
    families; in a cluster without IPv4 they are created beforehand (`pools`)."""
    ipv6 = any(stack.family is Family.IPV6 for stack in stacks)
    if not any(stack.family is Family.IPV4 for stack in stacks):
        return {
            "IP": "none",
            "CALICO_ROUTER_ID": "hash",  # it is a node's IPv4 address otherwise
            "NO_DEFAULT_POOLS": "true",
            **_shared(data_plane, ipv6=ipv6, bgp=bgp),
        }
    return {
        "IP6": "autodetect" if ipv6 else "none",
        **{
            f"CALICO_{stack.family.upper()}POOL_VXLAN": POOL_MODES[stack.encapsulation]
            for stack in stacks
        },
        "CALICO_IPV6POOL_NAT_OUTGOING": "true",
        # The manifest with BIRD has IPIP for the first pool, which the bed's BIRD does not support.
        **({"CALICO_IPV4POOL_IPIP": "Never"} if bgp else {}),
        **_shared(data_plane, ipv6=ipv6, bgp=bgp),
    }


def _shared(data_plane: DataPlane, *, ipv6: bool, bgp: bool) -> dict[str, str]:
    return {
        "IP6": "autodetect" if ipv6 else "none",
        "FELIX_IPV6SUPPORT": "true" if ipv6 else "false",
        "CLUSTER_TYPE": "k8s,bgp" if bgp else "k8s",
        **({"FELIX_NFTABLESMODE": "Enabled"} if data_plane is DataPlane.NFTABLES else {}),
    }


def load_balancer_pools(stacks: Sequence[Stack]) -> list[dict[str, object]]:
    """The pools from which Calico's kube-controllers assign addresses to LoadBalancer services.

    They are created once calico-node has created the pools of pods: it creates none of a family
    that has one already. kube-controllers v3.31 exit where such a pool has no `assignmentMode`.
    """
    return [
        {
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "IPPool",
            "metadata": {"name": load_balancer_pool(stack.family)},
            "spec": {
                "cidr": str(stack.load_balancer),
                "blockSize": 122 if stack.family is Family.IPV6 else 26,
                "ipipMode": "Never",
                "vxlanMode": "Never",
                "natOutgoing": False,
                "nodeSelector": "all()",
                "allowedUses": ["LoadBalancer"],
                "assignmentMode": "Automatic",
            },
        }
        for stack in stacks
        if stack.load_balancer
    ]


def load_balancer_pool(family: Family) -> str:
    """The name of a family's pool of load balancer addresses."""
    return f"load-balancer-{family.lower()}"


def pools(stacks: Sequence[Stack]) -> list[dict[str, object]]:
    """The pools that are created before calico-node starts: those of a cluster without IPv4.

    calico-node v3.31 reads the encapsulation of its first IPv6 pool only beside an IPv4 pool.
    """
    if any(stack.family is Family.IPV4 for stack in stacks):
        return []
    return [
        {
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "IPPool",
            "metadata": {"name": f"default-{stack.family.lower()}-ippool"},
            "spec": {
                "cidr": str(stack.pods),
                "blockSize": 122,
                "ipipMode": "Never",
                "vxlanMode": POOL_MODES[stack.encapsulation],
                "natOutgoing": True,
                "nodeSelector": "all()",
                "allowedUses": ["Workload", "Tunnel"],
            },
        }
        for stack in stacks
    ]
