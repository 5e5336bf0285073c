"""Which families and CIDRs a cluster assigns, from the several places that show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sixproof import yaml_text
from sixproof.errors import ApiError, TextError
from sixproof.kube.api import json_fields
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Family, IPNetwork

_DRY_RUN = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"generateName": "sixproof-dry-run-", "namespace": "default"},
    "spec": {"ipFamilyPolicy": "PreferDualStack", "ports": [{"port": 80}]},
}


def kubeadm_subnets(config_map: Manifest, key: str) -> tuple[IPNetwork, ...]:
    """`networking.podSubnet` or `.serviceSubnet` of kubeadm's ClusterConfiguration."""
    try:
        config = yaml_text.document(json_fields.text(config_map, "data", "ClusterConfiguration"))
    except TextError:
        return ()
    return json_fields.networks(json_fields.text(config, "networking", key).split(","))


def service_cidrs(objects: Iterable[Manifest], kubeadm: Manifest) -> tuple[IPNetwork, ...]:
    """The ranges of ClusterIPs: ServiceCIDR objects (v1 since Kubernetes 1.33), else kubeadm's.

    The object ``kubernetes`` holds the API server's own ranges, primary family first.
    """
    ordered = sorted(objects, key=lambda o: json_fields.name(o) != "kubernetes")
    cidrs = json_fields.networks(
        c for o in ordered for c in json_fields.strings(o, "spec", "cidrs")
    )
    return cidrs or kubeadm_subnets(kubeadm, "serviceSubnet")


def service_families(
    cidrs: Sequence[IPNetwork], services: Iterable[Manifest], cluster: Cluster
) -> tuple[Family, ...]:
    """The families of ClusterIPs, the default one first.

    Where no range is known, the API server is asked to complete a PreferDualStack service without
    creating it; if it refuses that too, the families of existing services are used.
    """
    if cidrs:
        return json_fields.families(cidrs)
    try:
        completed = cluster.create(_DRY_RUN, dry_run=True)
        families = json_fields.strings(completed, "spec", "ipFamilies")
        return tuple(Family(f) for f in families if f in set(Family))
    except ApiError as error:
        if error.status == 0:
            raise
    found = [ip for s in services for ip in json_fields.strings(s, "spec", "clusterIPs")]
    return json_fields.families(json_fields.addresses(found))


def pod_families(pods: Iterable[Manifest], cidrs: Sequence[IPNetwork]) -> tuple[Family, ...]:
    """The families that running pods have, IPv4 first; those of the ranges where no pod runs.

    Pods of the host network show nothing: their addresses are the node's.
    """
    found: set[Family] = set()
    for pod in pods:
        if not json_fields.flag(pod, "spec", "hostNetwork"):
            ips = [
                json_fields.text(ip, "ip") for ip in json_fields.entries(pod, "status", "podIPs")
            ]
            found.update(json_fields.families(json_fields.addresses(ips)))
    return tuple(f for f in Family if f in (found or json_fields.families(cidrs)))
