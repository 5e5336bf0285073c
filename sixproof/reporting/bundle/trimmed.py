"""Objects of the API server as a bundle shows them: what concerns the network.

Of kinds with arbitrary content (pods with their variables, ConfigMaps) chosen fields are taken;
Calico's own objects are taken whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sixproof import yaml_text
from sixproof.calico import ipam
from sixproof.errors import TextError
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.facts import diagnostics
from sixproof.kube.facts.diagnostics import Part
from sixproof.reporting.bundle import scrubbed

LONGEST = 20_000
"""Characters of a ConfigMap's text that are looked at."""
_TEXTS = {
    "kube-proxy": ("config.conf",),
    "coredns": ("Corefile",),
    "calico-config": ("calico_backend", "typha_service_name", "veth_mtu", "cni_network_config"),
}
"""Of which ConfigMap which keys are shown."""


def trimmed(part: Part) -> list[Manifest]:
    """The objects of a part without secrets and noise, in their order."""
    if part.name == diagnostics.BLOCKS:
        return [scrubbed.scrubbed(one) for one in _blocks(part.objects)]
    take = _TRIMMED.get(part.name, _whole)
    return [scrubbed.scrubbed(take(one)) for one in part.objects]


def _whole(manifest: Manifest) -> Manifest:
    return {"metadata": _metadata(manifest), **_some(manifest, "spec", "status")}


def _some(manifest: Manifest, *keys: str) -> Manifest:
    return {key: manifest[key] for key in keys if manifest.get(key) not in (None, {}, [], "")}


def _metadata(manifest: Manifest) -> Manifest:
    metadata = json_fields.mapping(manifest, "metadata")
    keys = ("name", "namespace", "labels", "annotations", "creationTimestamp", "deletionTimestamp")
    return _some(metadata, *keys)


def _node(manifest: Manifest) -> Manifest:
    spec, status = (json_fields.mapping(manifest, key) for key in ("spec", "status"))
    return {
        "metadata": _metadata(manifest),
        "spec": _some(spec, "podCIDR", "podCIDRs", "taints", "unschedulable"),
        "status": _some(status, "addresses", "conditions", "nodeInfo"),
    }


def _pod(manifest: Manifest) -> Manifest:
    spec, status = (json_fields.mapping(manifest, key) for key in ("spec", "status"))
    fields = ("phase", "reason", "message", "conditions", "hostIPs", "podIPs", "startTime")
    return {
        "metadata": _metadata(manifest),
        "spec": _some(spec, "nodeName", "hostNetwork", "dnsPolicy", "priorityClassName"),
        "status": {
            **_some(status, *fields),
            **{
                key: list(map(_container_status, json_fields.entries(status, key)))
                for key in ("initContainerStatuses", "containerStatuses")
                if json_fields.entries(status, key)
            },
        },
    }


def _container_status(status: Manifest) -> Manifest:
    return _some(status, "name", "image", "imageID", "ready", "restartCount", "state", "lastState")


def _daemon_set(manifest: Manifest) -> Manifest:
    pod = json_fields.mapping(manifest, "spec", "template", "spec")
    return {
        "metadata": _metadata(manifest),
        "spec": {
            **_some(pod, "hostNetwork", "nodeSelector"),
            **{
                key: list(map(_container, json_fields.entries(pod, key)))
                for key in ("initContainers", "containers")
            },
        },
        **_some(manifest, "status"),
    }


def _container(container: Manifest) -> Manifest:
    env = [
        {"name": json_fields.text(entry, "name"), "value": _value(entry)}
        for entry in json_fields.entries(container, "env")
    ]
    return {**_some(container, "name", "image"), "environment": env}


def _value(entry: Manifest) -> str:
    """A variable's value, or where it comes from; a Secret by its name alone."""
    name = json_fields.text(entry, "name")
    for source, what in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        found = json_fields.mapping(entry, "valueFrom", source)
        if found:
            key = f" {json_fields.text(found, 'key')}" if what == "ConfigMap" else ""
            return f"(of {what} {json_fields.text(found, 'name')}{key})"
    field = json_fields.text(entry, "valueFrom", "fieldRef", "fieldPath")
    return f"(of {field})" if field else scrubbed.variable(name, json_fields.text(entry, "value"))


def _config_map(manifest: Manifest) -> Manifest:
    data = json_fields.mapping(manifest, "data")
    keys = _TEXTS.get(json_fields.name(manifest), ())
    shown = {k: _setting(json_fields.text(data, k)[:LONGEST]) for k in keys if k in data}
    return {"metadata": _some(json_fields.mapping(manifest, "metadata"), "name", "namespace"),
            "data": shown}  # fmt: skip


def _setting(text: str) -> object:
    """YAML as the values that it holds, so that these are judged by name; else its lines."""
    try:
        held = yaml_text.document(text)
    except TextError:
        held = None
    if isinstance(held, dict):
        return held
    scrubbed_text = scrubbed.directives(text)
    return scrubbed_text.splitlines() if "\n" in scrubbed_text else scrubbed_text


def _service(manifest: Manifest) -> Manifest:
    return {"metadata": _metadata(manifest), **_some(manifest, "spec")}


def _slice(manifest: Manifest) -> Manifest:
    return {"metadata": _metadata(manifest), **_some(manifest, "addressType", "endpoints", "ports")}


def _event(manifest: Manifest) -> Manifest:
    about = json_fields.mapping(manifest, "involvedObject")
    return {
        "namespace": json_fields.namespace(manifest),
        "about": _some(about, "kind", "name", "fieldPath"),
        **_some(manifest, "reason", "message", "count", "series"),
        **_some(manifest, "eventTime", "firstTimestamp", "lastTimestamp", "source"),
    }


def _affinity(manifest: Manifest) -> Manifest:
    return {"metadata": {"name": json_fields.name(manifest)}, **_some(manifest, "spec")}


def _blocks(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Blocks with the holder of each address, which the objects keep as lists of numbers."""
    return [
        {
            "cidr": str(block.cidr),
            "node": block.node,
            "size": block.cidr.num_addresses,
            "assigned": {str(address): str(who) for address, who in block.assigned.items()},
        }
        for block in ipam.ipam(manifests, ()).blocks
    ]


_TRIMMED: Mapping[str, Callable[[Manifest], Manifest]] = {
    diagnostics.NODES: _node,
    diagnostics.PODS: _pod,
    diagnostics.RUN_PODS: _pod,
    diagnostics.DAEMON_SETS: _daemon_set,
    diagnostics.CONFIG_MAPS: _config_map,
    diagnostics.SERVICES: _service,
    diagnostics.ENDPOINT_SLICES: _slice,
    diagnostics.EVENTS: _event,
    diagnostics.AFFINITIES: _affinity,
}
