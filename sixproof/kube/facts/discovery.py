"""What a cluster is, before anything is measured: the API groups, then one wave of small requests
in parallel.

Nothing here fails for lack of a permission: what cannot be read is empty in the facts, and
`facts.extra` lists it under ``unknown``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sixproof import yaml_text
from sixproof.errors import ApiError, TextError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.best_effort import PATIENCE, BestEffortReader
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind
from sixproof.kube.facts import addressing, cni
from sixproof.model import EXCLUDED, LINUX, ClusterFacts, NodeFacts

CALICO_API = "projectcalico.org/v3"
CALICO_STORE = (
    "crd.projectcalico.org/v1"  # where Calico keeps its objects without the API: read only
)
OS_LABEL = "kubernetes.io/os"
ZONE_LABEL = "topology.kubernetes.io/zone"
_SYSTEM = "kube-system"
_PODS = 100  # running pods that are checked for their families


def discover(cluster: Cluster) -> ClusterFacts:
    """The facts of a cluster.

    Raises:
        ApiError: the API server is gone.
    """
    look = BestEffortReader(cluster)
    seen = _read(look)
    groups = seen["groups"]
    mode = kube_proxy_mode(seen["kube-proxy"], seen["daemons"])
    found = cni.detect(_sources(seen, mode))
    nodes = tuple(node_facts(node) for node in seen["nodes"])
    service_cidrs = addressing.service_cidrs(seen["service cidrs"], seen["kubeadm"])
    pod_cidrs = (
        found.pod_cidrs
        or addressing.kubeadm_subnets(seen["kubeadm"], "podSubnet")
        or tuple(dict.fromkeys(c for node in nodes for c in node.pod_cidrs))
    )
    return ClusterFacts(
        server=cluster.server,
        version=cluster.version,
        nodes=nodes,
        service_families=addressing.service_families(
            service_cidrs, (seen["kubernetes"], *seen["dns"]), cluster
        ),
        pod_families=addressing.pod_families((*seen["dns pods"], *seen["pods"]), pod_cidrs),
        service_cidrs=service_cidrs,
        pod_cidrs=pod_cidrs,
        cni=found.name,
        cni_version=found.version,
        dataplane=found.dataplane,
        encapsulation=found.encapsulation,
        pod_mtu=found.mtu,
        kube_proxy_mode=mode,
        calico_api="v3" in groups.get("projectcalico.org", ()),
        extra=_extra(look, seen, found),
    )


def _read(look: BestEffortReader) -> dict[str, Any]:
    """Everything; the names are those of this module.

    The API groups come first, alone: an API server that answers nothing but ``/version`` is given
    up after the patience of one request, and Ctrl-C ends the wait at once.
    """
    groups = _groups(look)
    reads: dict[str, Callable[[], Any]] = {
        "nodes": functools.partial(look.list, resources.NODE),
        "kubernetes": functools.partial(look.get, resources.SERVICE, "kubernetes", "default"),
        "dns": functools.partial(look.list, resources.SERVICE, _SYSTEM, labels="k8s-app=kube-dns"),
        "dns pods": functools.partial(look.list, resources.POD, _SYSTEM, labels="k8s-app=kube-dns"),
        "pods": functools.partial(
            look.list, resources.POD, fields="status.phase=Running", limit=_PODS
        ),
        "service cidrs": functools.partial(look.list, resources.SERVICE_CIDR),
        "daemons": functools.partial(look.list, resources.DAEMON_SET),
        "pools": functools.partial(_calico, look, "ippools"),
        "felix": functools.partial(_calico, look, "felixconfigurations"),
        "installation": functools.partial(look.get, _INSTALLATION, "default"),
        "flannel-config": functools.partial(
            look.get, resources.CONFIG_MAP, "kube-flannel-cfg", "kube-flannel"
        ),
    }
    for name, config_map in _CONFIG_MAPS.items():
        reads[name] = functools.partial(look.get, resources.CONFIG_MAP, config_map, _SYSTEM)
    read = dict(zip(reads, look.cluster.gather(reads.values()), strict=True))
    return {"groups": groups, **read}


_CONFIG_MAPS = {
    "kubeadm": "kubeadm-config",
    "kube-proxy": "kube-proxy",
    "calico-config": "calico-config",
    "cilium-config": "cilium-config",
}
_INSTALLATION = Kind("operator.tigera.io/v1", "Installation", "installations", namespaced=False)


def _groups(look: BestEffortReader) -> dict[str, tuple[str, ...]]:
    try:
        return look.cluster.catalog.groups(patience=PATIENCE)
    except ApiError as error:
        look.note(error)
        return {}


def _calico(look: BestEffortReader, plural: str) -> tuple[Manifest, ...]:
    """Calico's objects, from its API where that is served, else from its store."""
    for api_version in (CALICO_API, CALICO_STORE):
        kind = Kind(api_version, plural, plural, namespaced=False)
        found = look.list(kind, aside=api_version == CALICO_API)
        if found:
            return found
    return ()


def _sources(seen: Mapping[str, Any], mode: str) -> cni.Sources:
    felix: Manifest = next((f for f in seen["felix"] if json_fields.name(f) == "default"), {})
    return cni.Sources(
        daemon_sets=seen["daemons"],
        pools=seen["pools"],
        felix=felix,
        calico_config=seen["calico-config"],
        cilium_config=seen["cilium-config"],
        flannel_config=seen["flannel-config"],
        installation=seen["installation"],
        calico_served=bool(seen["pools"]),
        kube_proxy_mode=mode,
    )


def _extra(
    look: BestEffortReader, seen: Mapping[str, Any], found: cni.Cni
) -> tuple[tuple[str, str], ...]:
    dns = [ip for s in seen["dns"] for ip in json_fields.strings(s, "spec", "clusterIPs")]
    extra = {
        "cni_namespace": found.namespace,
        "dns_addresses": " ".join(dns),
        "operator": json_fields.text(seen["installation"], "spec", "variant"),
        "provider": _provider(seen["nodes"]),
        "unknown": "; ".join(look.unknown),
    }
    return tuple((key, value) for key, value in extra.items() if value)


def _provider(nodes: tuple[Manifest, ...]) -> str:
    """``kind``, ``aws``, …: the scheme of the first node's providerID."""
    return json_fields.text(nodes[0], "spec", "providerID").partition("://")[0] if nodes else ""


def node_facts(node: Manifest) -> NodeFacts:
    """The facts of one node."""
    addresses = [
        json_fields.text(entry, "address")
        for entry in json_fields.entries(node, "status", "addresses")
        if entry.get("type") == "InternalIP"
    ]
    cidrs = json_fields.strings(node, "spec", "podCIDRs") or (
        json_fields.text(node, "spec", "podCIDR"),
    )
    taints = [
        "{}={}:{}".format(*(json_fields.text(taint, key) for key in ("key", "value", "effect")))
        for taint in json_fields.entries(node, "spec", "taints")
    ]
    info = json_fields.mapping(node, "status", "nodeInfo")
    return NodeFacts(
        name=json_fields.name(node),
        addresses=json_fields.addresses(addresses),
        pod_cidrs=json_fields.networks(cidrs),
        ready=json_fields.text(json_fields.condition(node, "Ready"), "status") == "True",
        schedulable=not json_fields.flag(node, "spec", "unschedulable"),
        taints=tuple(taint.replace("=:", ":") for taint in taints),
        kernel=json_fields.text(info, "kernelVersion"),
        os_image=json_fields.text(info, "osImage"),
        runtime=json_fields.text(info, "containerRuntimeVersion"),
        kubelet=json_fields.text(info, "kubeletVersion"),
        os=_os(
            json_fields.text(info, "operatingSystem"), json_fields.labels(node).get(OS_LABEL, "")
        ),
        architecture=json_fields.text(info, "architecture"),
        zone=json_fields.labels(node).get(ZONE_LABEL, ""),
        balanced=EXCLUDED not in json_fields.labels(node),
        virtual=_virtual(json_fields.labels(node), taints),
    )


VIRTUAL = {
    "eks.amazonaws.com/compute-type=fargate": "AWS Fargate",
    "type=virtual-kubelet": "virtual kubelet",
}
"""Labels of nodes that are none: each pod there is a machine of its own, without a host network."""
VIRTUAL_TAINT = "virtual-kubelet.io/provider="


def _virtual(labels: Mapping[str, str], taints: Iterable[str]) -> str:
    """What a node is that only looks like one, "" for a real one."""
    pairs = {f"{key}={value}" for key, value in labels.items()}
    found = next((name for pair, name in VIRTUAL.items() if pair in pairs), "")
    by_taint = any(taint.startswith(VIRTUAL_TAINT) for taint in taints)
    return found or ("virtual kubelet" if by_taint else "")


def _os(reported: str, labelled: str) -> str:
    """A node's operating system: anything but Linux counts, whether the kubelet or the label says
    so; schedulers go by the label."""
    return next((os for os in (reported, labelled) if os and os != LINUX), reported or labelled)


def kube_proxy_mode(config_map: Manifest, daemon_sets: tuple[Manifest, ...]) -> str:
    """``iptables``, ``ipvs`` or ``nftables``; ``none`` where no kube-proxy runs, "" if unknown.

    An empty `mode` means iptables on Linux.
    """
    try:
        config = yaml_text.document(json_fields.text(config_map, "data", "config.conf"))
    except TextError:
        config = None
    runs = any(json_fields.name(d) == "kube-proxy" for d in daemon_sets)
    if isinstance(config, dict) and (runs or not daemon_sets):
        return json_fields.text(config, "mode") or "iptables"
    return "none" if daemon_sets and not runs else ""
