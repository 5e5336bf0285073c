"""Which CNI runs, and how it carries packets, as far as the API server shows it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping

from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Family, IPNetwork

_DAEMONS = {
    "calico-node": "Calico",
    "canal": "Canal",
    "cilium": "Cilium",
    "kube-flannel-ds": "Flannel",
    "kindnet": "kindnet",
    "antrea-agent": "Antrea",
    "ovnkube-node": "OVN-Kubernetes",
    "aws-node": "AWS VPC CNI",
    "azure-cns": "Azure CNI",
    "weave-net": "Weave",
    "kube-router": "kube-router",
}
"""DaemonSets that install a CNI; the first match names it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cni:
    """A CNI. Unknown values are empty. `mtu` is that of pods, in bytes, where it is set and not
    left to the CNI; `pod_cidrs` are its own pools."""

    name: str = ""
    version: str = ""
    namespace: str = ""
    dataplane: str = ""
    encapsulation: tuple[tuple[Family, str], ...] = ()
    mtu: int | None = None
    pod_cidrs: tuple[IPNetwork, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """The objects that describe the CNI; empty ones were absent or may not be read."""

    daemon_sets: tuple[Manifest, ...] = ()
    pools: tuple[Manifest, ...] = ()  # Calico's IPPools
    felix: Manifest = dataclasses.field(default_factory=dict)  # FelixConfiguration `default`
    calico_config: Manifest = dataclasses.field(default_factory=dict)
    cilium_config: Manifest = dataclasses.field(default_factory=dict)
    flannel_config: Manifest = dataclasses.field(default_factory=dict)
    installation: Manifest = dataclasses.field(default_factory=dict)  # Tigera operator
    calico_served: bool = False
    kube_proxy_mode: str = ""


def detect(sources: Sources) -> Cni:
    """The CNI of a cluster."""
    daemon = _daemon(sources.daemon_sets)
    name = _DAEMONS.get(json_fields.name(daemon), "Calico" if sources.calico_served else "")
    cni = Cni(name, image_tag(daemon), json_fields.namespace(daemon))
    if name in ("Calico", "Canal"):
        return _calico(cni, sources, environment(daemon, [sources.calico_config]))
    if name == "Cilium":
        return _cilium(cni, json_fields.mapping(sources.cilium_config, "data"))
    if name == "Flannel":
        return _flannel(cni, json_fields.text(sources.flannel_config, "data", "net-conf.json"))
    if name == "kindnet":
        return dataclasses.replace(cni, encapsulation=tuple((f, "None") for f in Family))
    return cni


def encapsulation(pool: Manifest) -> str:
    """How a Calico pool carries packets between nodes, in the words of the operator's API:
    ``IPIP``, ``VXLAN``, ``IPIPCrossSubnet``, ``VXLANCrossSubnet`` or ``None``."""
    for key, name in (("ipipMode", "IPIP"), ("vxlanMode", "VXLAN")):
        mode = json_fields.text(pool, "spec", key)
        if mode == "CrossSubnet":
            return f"{name}CrossSubnet"
        if mode == "Always":
            return name
    return "None"


def environment(daemon: Manifest, config_maps: Iterable[Manifest] = ()) -> dict[str, str]:
    """The variables of a DaemonSet's first container, with those from config maps resolved."""
    known = {json_fields.name(c): json_fields.mapping(c, "data") for c in config_maps}
    found: dict[str, str] = {}
    for container in json_fields.entries(daemon, "spec", "template", "spec", "containers")[:1]:
        for entry in json_fields.entries(container, "env"):
            source = json_fields.mapping(entry, "valueFrom", "configMapKeyRef")
            value = known.get(json_fields.text(source, "name"), {}).get(
                json_fields.text(source, "key")
            )
            found[json_fields.text(entry, "name")] = json_fields.text(entry, "value") or str(
                value or ""
            )
    return found


def image_tag(daemon: Manifest) -> str:
    """The tag of a DaemonSet's first container (``v3.31.0``), "" where only a digest names it."""
    for container in json_fields.entries(daemon, "spec", "template", "spec", "containers")[:1]:
        image = json_fields.text(container, "image").partition("@")[0]
        return image.rpartition("/")[2].partition(":")[2]
    return ""


def _daemon(daemon_sets: Iterable[Manifest]) -> Manifest:
    by_name = {json_fields.name(d): d for d in daemon_sets}
    return next((by_name[name] for name in _DAEMONS if name in by_name), {})


def _calico(cni: Cni, sources: Sources, env: Mapping[str, str]) -> Cni:
    network = json_fields.mapping(sources.installation, "spec", "calicoNetwork")
    pools = [p for p in sources.pools if _serves_pods(p)]
    modes: dict[Family, set[str]] = {}
    for pool in pools:
        for family in json_fields.families(
            json_fields.networks([json_fields.text(pool, "spec", "cidr")])
        ):
            modes.setdefault(family, set()).add(encapsulation(pool))
    mtu = json_fields.number(network, "mtu") or json_fields.number(
        sources.calico_config, "data", "veth_mtu"
    )
    return dataclasses.replace(
        cni,
        dataplane=_calico_dataplane(sources, env),
        encapsulation=tuple((f, "+".join(sorted(modes[f]))) for f in Family if f in modes),
        mtu=mtu or None,  # 0 leaves it to Felix
        pod_cidrs=json_fields.networks(json_fields.text(p, "spec", "cidr") for p in pools),
    )


def _serves_pods(pool: Manifest) -> bool:
    """Whether pods get addresses from an IPPool: it is enabled, and not for load balancers only."""
    uses = json_fields.strings(pool, "spec", "allowedUses")
    return not json_fields.flag(pool, "spec", "disabled") and set(uses) != {"LoadBalancer"}


def _calico_dataplane(sources: Sources, env: Mapping[str, str]) -> str:
    """``iptables``, ``nftables`` or ``eBPF``. Felix's environment overrides its object."""
    spec = {**json_fields.mapping(sources.felix, "spec")}
    spec.update({"bpfEnabled": env["FELIX_BPFENABLED"]} if env.get("FELIX_BPFENABLED") else {})
    spec.update(
        {"nftablesMode": env["FELIX_NFTABLESMODE"]} if env.get("FELIX_NFTABLESMODE") else {}
    )
    if json_fields.flag(spec, "bpfEnabled"):
        return "eBPF"
    mode = json_fields.text(spec, "nftablesMode")
    if mode == "Enabled" or (mode == "Auto" and sources.kube_proxy_mode == "nftables"):
        return "nftables"
    return "iptables"


def _cilium(cni: Cni, config: Manifest) -> Cni:
    """Cilium's `cilium-config`: `routing-mode`, `tunnel-protocol`, `mtu` and the families."""
    if not config:
        return cni
    native = json_fields.text(config, "routing-mode") == "native"
    tunnel = (
        json_fields.text(config, "tunnel-protocol") or json_fields.text(config, "tunnel") or "vxlan"
    )
    mode = "None" if native or tunnel == "disabled" else {"geneve": "Geneve"}.get(tunnel, "VXLAN")
    enabled = [f for f in Family if json_fields.flag(config, f"enable-{f.lower()}")]
    return dataclasses.replace(
        cni,
        dataplane="eBPF",
        encapsulation=tuple((f, mode) for f in enabled),
        mtu=json_fields.number(config, "mtu") or None,
    )


def _flannel(cni: Cni, text: str) -> Cni:
    """Flannel's `net-conf.json`: the backend and one network per family."""
    try:
        config = json.loads(text)
    except ValueError:
        return cni
    backend = json_fields.text(config, "Backend", "Type")
    mode = {"vxlan": "VXLAN", "host-gw": "None", "wireguard": "WireGuard"}.get(backend, backend)
    cidrs = json_fields.networks(
        json_fields.text(config, key) for key in ("Network", "IPv6Network")
    )
    return dataclasses.replace(
        cni,
        dataplane="iptables",
        encapsulation=tuple((f, mode) for f in json_fields.families(cidrs)),
        pod_cidrs=cidrs,
    )
