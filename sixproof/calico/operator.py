"""The Tigera operator, where it installed Calico: its configuration and its reported status."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sixproof.calico.pools import Pool, pools
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts import cni
from sixproof.model import Family

_STATES = ("Available", "Progressing", "Degraded")


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """One TigeraStatus: a component, whether it works, and its message where it does not."""

    component: str
    available: bool
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Installation:
    """The content of the operator's Installation. `mtu` is None where it leaves that to Felix;
    `pools` are those that it has created, named by it where they have no name; `autodetection`
    names the method of each family, as ``firstFound=true``."""

    variant: str = ""
    bgp: str = ""
    dataplane: str = ""
    mtu: int | None = None
    pools: tuple[Pool, ...] = ()
    autodetection: tuple[tuple[Family, str], ...] = ()
    statuses: tuple[Status, ...] = ()


def installation(found: Manifest, statuses: Iterable[Manifest]) -> Installation | None:
    """The Installation, None where no operator installed Calico."""
    if not found:
        return None
    network = json_fields.mapping(found, "spec", "calicoNetwork")
    methods = {f: _method(network, f"nodeAddressAutodetectionV{f.version}") for f in Family}
    return Installation(
        variant=json_fields.text(found, "spec", "variant"),
        bgp=json_fields.text(network, "bgp"),
        dataplane=json_fields.text(network, "linuxDataplane") or "Iptables",
        mtu=json_fields.number(network, "mtu"),
        pools=installed_pools(found),
        autodetection=tuple((f, method) for f, method in methods.items() if method),
        statuses=tuple(_status(s) for s in sorted(statuses, key=json_fields.name)),
    )


def installed_pools(installation: Manifest) -> tuple[Pool, ...]:
    """Its pools, with the operator's defaults where fields are unset (IPIP, source NAT, all nodes);
    those whose cidr does not parse are left out."""
    found = json_fields.entries(installation, "spec", "calicoNetwork", "ipPools")
    return pools(_as_ip_pool(number, written) for number, written in enumerate(found))


def _as_ip_pool(number: int, written: Manifest) -> Manifest:
    encapsulation = json_fields.text(written, "encapsulation") or "IPIP"
    kind, cross = encapsulation.partition("CrossSubnet")[:2]
    mode = "CrossSubnet" if cross else "Always"
    name = json_fields.text(written, "name") or f"ipPools[{number}] of Installation"
    spec = {
        "cidr": json_fields.text(written, "cidr"),
        "blockSize": json_fields.number(written, "blockSize"),
        "natOutgoing": json_fields.text(written, "natOutgoing") != "Disabled",
        "nodeSelector": json_fields.text(written, "nodeSelector"),
        "vxlanMode": mode if kind == "VXLAN" else "Never",
        "ipipMode": mode if kind == "IPIP" else "Never",
    }
    return {"metadata": {"name": name}, "spec": spec}


def environment_methods(daemon: Manifest) -> tuple[tuple[Family, str], ...]:
    """The autodetection method of each family that a manifest sets for calico-node: the variables
    IP and IP6 (``autodetect``) with their *_AUTODETECTION_METHOD, ``first-found`` where unset."""
    env = cni.environment(daemon)
    variables = {Family.IPV4: "IP", Family.IPV6: "IP6"}
    return tuple(
        (f, env.get(f"{key}_AUTODETECTION_METHOD") or "first-found")
        if env.get(key) == "autodetect"
        else (f, env[key])
        for f, key in variables.items()
        if env.get(key) and env[key] != "none"
    )


def _method(network: Manifest, key: str) -> str:
    chosen = json_fields.mapping(network, key)
    for name in chosen:
        listed = json_fields.strings(chosen, name)
        return f"{name}={','.join(listed) if listed else json_fields.text(chosen, name)}"
    return ""


def _status(manifest: Manifest) -> Status:
    state = {s: json_fields.condition(manifest, s) for s in _STATES}
    available = state["Available"].get("status") == "True"
    degraded = state["Degraded"].get("status") == "True"
    condition = state["Degraded"] if degraded else state["Progressing"]
    message = "" if available and not degraded else json_fields.text(condition, "message")
    return Status(json_fields.name(manifest), available and not degraded, message)
