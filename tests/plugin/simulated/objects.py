"""Objects as an API server keeps them: completed when they come, found by path and labels."""

from __future__ import annotations

import copy
import dataclasses
import ipaddress
import itertools
import re
import threading
from collections.abc import Iterator
from typing import Any

from tests.plugin.simulated.ipam import Ipam, NoAddress

Manifest = dict[str, Any]
Addresses = list[str]  # in the class `list` is a verb

_PATH = re.compile(
    r"(?P<api>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<home>[^/]+)(?=/))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<part>[^/]+))?"
)
_COMPLETED = ("pods", "services", "namespaces", "ippools")
"""Objects of which the API server, or a patch, holds more than was applied."""
_BALANCED_NET = {"IPv4": "203.0.113.0", "IPv6": "2001:db8:1b::"}
_SERVICE_NET = {"IPv4": "10.96.7.0", "IPv6": "fd00:10:96::700"}


class Refused(Exception):
    """The API server does not take an object: HTTP 422."""


@dataclasses.dataclass(frozen=True)
class Where:
    """What a path names: a collection, or the object `name` in it; `part` is a subresource."""

    api: str
    plural: str
    home: str = ""
    name: str = ""
    part: str = ""

    @classmethod
    def of(cls, path: str) -> Where | None:
        """What a path names, None where it is none of objects."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        words = {key: value or "" for key, value in found.groupdict().items()}
        return cls(words["api"], words["plural"], words["home"], words["name"], words["part"])


class Objects:
    """All objects of a cluster. What is handed out is never changed: a change makes a new object,
    and lets `changes` rise. Pods run on the node that their
    affinity names, and are ready at once but for their readiness gates, unless IPAM refuses them
    an address: then an event says why. `balances` are the families of which services of type
    LoadBalancer are given an address. Where pods are `plain`, they get the next address of their
    node's range, and IPAM has no part in it: it looks at all pods for each new one."""

    def __init__(self, nodes: list[Manifest], plain: bool = False) -> None:
        self.lock = threading.RLock()
        self.changes = 0
        self.balances: tuple[str, ...] = ()
        self._there: dict[Where, Manifest] = {}
        self._numbers = itertools.count(16)
        self._plain = plain
        self._next_on: dict[str, Iterator[int]] = {
            node["metadata"]["name"]: itertools.count(16) for node in nodes
        }
        self._node_ports = itertools.count(30100)
        self._nodes = {node["metadata"]["name"]: node for node in nodes}
        self.ipam = Ipam(self.list)

    def keep(self, where: Where, manifest: Manifest) -> Manifest:
        """Take an object in, or bring the one that is there to it."""
        with self.lock:
            there = self._there.get(where)
            made = copy.deepcopy(there or {"metadata": self._named(where)})
            if there is not None and where.plural not in _COMPLETED:
                for key in made.keys() - {"metadata", "status"}:  # what is left away goes
                    del made[key]
            merge(made, manifest)
            if where.plural == "pods":
                self._run(made)
            elif where.plural == "services":
                self._grant(made["spec"])
                self._balance(made)
            self._there[where] = made
            self.changes += 1
            return made

    def get(self, where: Where) -> Manifest | None:
        """One object."""
        return self._there.get(dataclasses.replace(where, part=""))

    def list(self, plural: str, home: str = "", labels: str = "", api: str = "") -> list[Manifest]:
        """The objects of a collection, the EndpointSlices of selectors among them."""
        with self.lock:
            found = [
                one
                for where, one in self._there.items()
                if where.plural == plural and home in ("", where.home) and api in ("", where.api)
            ]
            if plural == "endpointslices":
                found += [s for s in self._slices() if home in ("", s["metadata"]["namespace"])]
        return [one for one in found if has_labels(one, labels)]

    def remove(self, where: Where, labels: str = "") -> bool:
        """Take away an object, all of a collection, or a namespace with all that is in it."""
        with self.lock:
            gone = [
                at
                for at, one in self._there.items()
                if (at.api, at.plural, at.home) == (where.api, where.plural, where.home)
                and where.name in ("", at.name)
                and has_labels(one, labels)
            ]
            if where.plural == "namespaces":
                gone += [at for at in self._there if at.home == where.name]
            for at in gone:
                self._there.pop(at, None)
            self.changes += 1
            return bool(gone)

    def _named(self, where: Where) -> Manifest:
        named = {"name": where.name, "uid": f"uid-{next(self._numbers)}"}
        return {**named, "namespace": where.home} if where.home else named

    def _run(self, pod: Manifest) -> None:
        spec, status = pod["spec"], pod.setdefault("status", {})
        spec.setdefault("serviceAccountName", "default")
        spec["nodeName"] = spec.get("nodeName") or _pinned(spec)
        status.setdefault("phase", "Running")
        if "podIPs" not in status:
            node = self._nodes[spec["nodeName"]]
            try:
                ips = _internal(node) if spec.get("hostNetwork") else self._assigned(pod, node)
            except NoAddress as error:
                status |= {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}]}
                self._add_event(pod, str(error))
                return
            status["podIPs"] = [{"ip": ip} for ip in ips]
        known = {c["type"]: c["status"] for c in status.get("conditions", ())}
        gates = [gate["conditionType"] for gate in spec.get("readinessGates", ())]
        ready = all(known.get(gate) == "True" for gate in gates)
        known |= {"ContainersReady": "True", "Ready": str(ready)}
        status["conditions"] = [{"type": t, "status": s} for t, s in known.items()]

    def _assigned(self, pod: Manifest, node: Manifest) -> Addresses:
        usual = self._pod_addresses(node)
        return usual if self._plain else self.ipam.assigned(pod, node, usual)

    def _add_event(self, pod: Manifest, why: str) -> None:
        """The kubelet's event about a pod that has no network."""
        meta = pod["metadata"]
        name = f"{meta['name']}.{next(self._numbers)}"
        where = Where("/api/v1", "events", meta["namespace"], name)
        self._there[where] = {
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "involvedObject": {"kind": "Pod", "name": meta["name"]},
            "type": "Warning",
            "reason": "FailedCreatePodSandBox",
            "message": (
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
                f'network for sandbox "0": plugin type="calico" failed (add): {why}'
            ),
        }

    def _pod_addresses(self, node: Manifest) -> Addresses:
        number = next(self._next_on[node["metadata"]["name"]])
        return [
            str(ipaddress.ip_network(cidr)[number]) for cidr in sorted(node["spec"]["podCIDRs"])
        ]

    def _grant(self, spec: Manifest) -> None:
        """What the API server makes of a service's families (KEP-563)."""
        spec.setdefault("type", "ClusterIP")
        if spec["type"] == "ExternalName":
            return
        asked, policy = spec.get("ipFamilies", []), spec.setdefault("ipFamilyPolicy", "SingleStack")
        if len(asked) == 2 and policy == "SingleStack":
            raise Refused("spec.ipFamilies: Invalid value: may only hold one family")
        granted = asked or ["IPv4"]
        if policy != "SingleStack" and len(granted) == 1:
            granted = [*granted, "IPv6" if granted == ["IPv4"] else "IPv4"]
        spec["ipFamilies"] = granted
        spec.setdefault("sessionAffinity", "None")
        node_ports: dict[int, int] = {}
        for port in spec.get("ports", ()):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
            if spec["type"] == "NodePort" and "nodePort" not in port:
                number = node_ports.get(port["port"]) or next(self._node_ports)
                port["nodePort"] = node_ports[port["port"]] = number  # one for both protocols
        if spec.get("clusterIP") == "None":
            spec["clusterIPs"] = ["None"]
            return
        ips = spec.get("clusterIPs", [])
        for family in granted[len(ips) :]:
            first = ipaddress.ip_address(_SERVICE_NET[family])
            ips = [*ips, str(first + next(self._numbers))]
        spec["clusterIPs"], spec["clusterIP"] = ips, ips[0]

    def _balance(self, service: Manifest) -> None:
        """What a load balancer's controller does, once."""
        spec = service["spec"]
        if spec["type"] != "LoadBalancer" or "status" in service:
            return
        number = next(self._numbers)
        given = [
            {"ip": str(ipaddress.ip_address(_BALANCED_NET[f]) + number), "ipMode": "VIP"}
            for f in spec["ipFamilies"]
            if f in self.balances
        ]
        service["status"] = {"loadBalancer": {"ingress": given} if given else {}}

    def _slices(self) -> Iterator[Manifest]:
        """An EndpointSlice a family and a set of ports, of every service with a selector."""
        pods = [one for where, one in self._there.items() if where.plural == "pods"]
        services = [one for where, one in self._there.items() if where.plural == "services"]
        for service in services:
            spec, meta = service["spec"], service["metadata"]
            if not spec.get("selector"):
                continue
            chosen = [
                pod
                for pod in pods
                if pod["metadata"]["namespace"] == meta["namespace"]
                and spec["selector"].items() <= pod["metadata"].get("labels", {}).items()
            ]
            for family in spec["ipFamilies"]:
                yield _slice(service, family, chosen)


def _slice(service: Manifest, family: str, pods: list[Manifest]) -> Manifest:
    spec, meta = service["spec"], service["metadata"]
    named = pods[0] if pods else None
    return {
        "metadata": {
            "name": f"{meta['name']}-{family.lower()}",
            "namespace": meta["namespace"],
            "labels": {
                **meta.get("labels", {}),
                "kubernetes.io/service-name": meta["name"],
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
        },
        "addressType": family,
        "ports": [
            {"name": p.get("name", ""), "protocol": p["protocol"], "port": number}
            for p in spec.get("ports", ())
            if (number := target_port(named, p))
        ],
        "endpoints": [
            {
                "addresses": [ip],
                "conditions": {
                    "ready": is_ready(pod) or bool(spec.get("publishNotReadyAddresses"))
                },
                "nodeName": pod["spec"]["nodeName"],
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
                **({"hostname": pod["spec"]["hostname"]} if "hostname" in pod["spec"] else {}),
            }
            for pod in pods
            if (ip := address_of(pod, family))
        ],
    }


def target_port(pod: Manifest | None, port: Manifest) -> int | None:
    """The number at which a pod serves a port of a service."""
    target = port["targetPort"]
    if isinstance(target, int) or pod is None:
        return target if isinstance(target, int) else None
    for one in pod["spec"]["containers"][0].get("ports", ()):
        if (one.get("name"), one.get("protocol", "TCP")) == (target, port["protocol"]):
            return int(one["containerPort"])
    return None


def merge(found: Manifest, change: Manifest) -> None:
    """Bring an object to a change: None takes away, conditions are merged by type."""
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            merge(found[key], value)
        elif key == "conditions":
            types = {condition["type"] for condition in value}
            kept = [c for c in found.get(key, ()) if c["type"] not in types]
            found[key] = [*kept, *value]
        else:
            found[key] = copy.deepcopy(value)


def has_labels(manifest: Manifest, selector: str) -> bool:
    """Whether an object has the labels of a selector: pairs, or one of a set (``k in (a, b)``)."""
    labels = manifest["metadata"].get("labels") or {}
    if chosen := re.fullmatch(r"(\S+) in \((.*)\)", selector):
        return labels.get(chosen[1]) in chosen[2].split(", ")
    return all(
        labels.get(pair.partition("=")[0]) == pair.partition("=")[2]
        for pair in selector.split(",")
        if pair
    )


def is_ready(pod: Manifest) -> bool:
    """Whether a pod is ready."""
    return {"type": "Ready", "status": "True"} in pod["status"]["conditions"]


def family_of(address: str) -> str:
    """``IPv4`` or ``IPv6``."""
    return f"IPv{ipaddress.ip_address(address).version}"


def address_of(pod: Manifest, family: str) -> str:
    """A pod's address of a family, "" without one."""
    ips = [entry["ip"] for entry in pod["status"].get("podIPs", ())]
    return next((ip for ip in ips if family_of(ip) == family), "")


def _internal(node: Manifest) -> list[str]:
    return [a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"]


def _pinned(spec: Manifest) -> str:
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])
