"""What a variant's keys mean to calico-node: settings that follow from them stand in no file."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.variants.keys import DataPlane, Encapsulation, Family, Stack

POOL_MODES = {Encapsulation.VXLAN: "Always", Encapsulation.VXLAN_CROSS_SUBNET: "CrossSubnet"}


def settings(stacks: Sequence[Stack], data_plane: DataPlane) -> dict[str, str]:
    """Environment of calico-node. It makes the first IP pools, which have source NAT in both
    families."""
    ipv6 = any(stack.family is Family.IPV6 for stack in stacks)
    return {
        "IP6": "autodetect" if ipv6 else "none",
        **{
            f"CALICO_{stack.family.upper()}POOL_VXLAN": POOL_MODES[stack.encapsulation]
            for stack in stacks
        },
        "CALICO_IPV6POOL_NAT_OUTGOING": "true",
        "FELIX_IPV6SUPPORT": "true" if ipv6 else "false",
        "CLUSTER_TYPE": "k8s",
        **({"FELIX_NFTABLESMODE": "Enabled"} if data_plane is DataPlane.NFTABLES else {}),
    }
