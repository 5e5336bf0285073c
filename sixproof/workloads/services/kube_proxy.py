"""kube-proxy's settings that determine which source address a server sees."""

from __future__ import annotations

import dataclasses

from sixproof import yaml_text
from sixproof.errors import TextError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.model import IPAddress, IPNetwork, NodeFacts


@dataclasses.dataclass(frozen=True, slots=True)
class KubeProxy:
    """kube-proxy as its configuration describes it.

    `mode` is ``iptables``, ``nftables``, ``ipvs``, or empty where no kube-proxy runs or nothing is
    known of it. `detect_local` is how it recognises this node's pods.
    """

    mode: str = ""
    detect_local: str = "ClusterCIDR"
    cluster_cidrs: tuple[IPNetwork, ...] = ()
    masquerade_all: bool = False

    @property
    def known(self) -> bool:
        """Whether a kube-proxy handles services here, in a mode whose behaviour is documented."""
        return self.mode in ("iptables", "nftables", "ipvs")

    @property
    def drops_without_local_backend(self) -> bool:
        """Whether traffic that must stay on a node without a backend is dropped there; IPVS has no
        destination for it and refuses."""
        return self.mode in ("iptables", "nftables")

    def takes_for_local(self, address: IPAddress, node: NodeFacts) -> bool:
        """Whether the kube-proxy of a pod's own node treats the pod's address as a local pod's."""
        if self.detect_local == "NodeCIDR":
            return any(address in cidr for cidr in node.pod_cidrs)
        if self.detect_local == "ClusterCIDR":
            return any(address in cidr for cidr in self.cluster_cidrs)
        return True  # BridgeInterface, InterfaceNamePrefix: by the device that the pod is on


def read(cluster: Cluster, mode: str) -> KubeProxy:
    """kube-proxy's settings from its ConfigMap; `mode` is what discovery found.

    Raises:
        ApiError: the API server is gone or refuses.
    """
    return parse(cluster.find(resources.CONFIG_MAP, "kube-proxy", "kube-system") or {}, mode)


def parse(config_map: json_fields.Manifest, mode: str) -> KubeProxy:
    """The settings in the ConfigMap that kubeadm writes."""
    try:
        config = yaml_text.document(json_fields.text(config_map, "data", "config.conf"))
    except TextError:
        config = None
    if not isinstance(config, dict):
        return KubeProxy()
    section = "nftables" if mode == "nftables" else "iptables"
    return KubeProxy(
        mode=mode if mode != "none" else "",
        detect_local=json_fields.text(config, "detectLocalMode") or "ClusterCIDR",
        cluster_cidrs=json_fields.networks(json_fields.text(config, "clusterCIDR").split(",")),
        masquerade_all=json_fields.flag(config, section, "masqueradeAll") or False,
    )
