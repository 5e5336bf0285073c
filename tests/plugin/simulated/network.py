"""The network of a simulated cluster: who is met at an address, by way of which service."""

from __future__ import annotations

import dataclasses
import ipaddress
import random
import threading
import time
from collections.abc import Callable

from sixproof.model import Endpoint, EndpointKind, Flow, IPNetwork, Protocol
from sixproof.policy import CALICO_3_31, ClusterSnapshot, Oracle, Verdict
from sixproof.policy.snapshot.cluster_objects import Roster
from tests.plugin.simulated.felix import Felix
from tests.plugin.simulated.objects import (
    Manifest,
    Objects,
    address_of,
    family_of,
    is_ready,
    target_port,
)

POLICIES = ("networkpolicies", "globalnetworkpolicies", "networksets", "globalnetworksets", "tiers")


@dataclasses.dataclass(frozen=True)
class Sent:
    """What an agent sends: from a pod to an address, `source_port` 0 from a new port each time,
    `size` bytes where a test is about them."""

    source: Manifest
    protocol: str
    address: str
    port: int
    source_port: int = 0
    size: int = 0

    @property
    def family(self) -> str:
        """Of the address."""
        return family_of(self.address)


@dataclasses.dataclass(frozen=True)
class Met:
    """What is met there: `by` a pod, at its `port`, from which the packet seems to come from
    `seen`, by way of a service where `through` is one; without a pod it is refused, or `lost`
    where nothing ever comes back."""

    by: Manifest | None = None
    port: int = 0
    seen: str = ""
    lost: bool = False
    through: str = ""


REFUSED, LOST = Met(), Met(lost=True)
Fault = Callable[[Sent, Manifest], bool]
"""Whether the network loses what is sent to a pod."""


@dataclasses.dataclass(frozen=True)
class Index:
    """Who is where: pods by address, what stands on a node's own ports, and services; and the
    ranges of the pools whose natOutgoing is on."""

    changes: int
    pods: dict[str, Manifest]
    on_nodes: dict[tuple[str, str, int], tuple[Manifest, int]]
    services: dict[tuple[str, str, int], tuple[Manifest, Manifest]]
    node_ports: dict[tuple[str, int], tuple[Manifest, Manifest]]
    masked: tuple[IPNetwork, ...]

    @classmethod
    def of(cls, objects: Objects) -> Index:
        """The index of what is there now."""
        specs = [pool["spec"] for pool in objects.list("ippools")]
        masked = [ipaddress.ip_network(s["cidr"]) for s in specs if s.get("natOutgoing")]
        made = cls(objects.changes, {}, {}, {}, {}, tuple(masked))
        for pod in objects.list("pods"):
            node, host = pod["spec"]["nodeName"], pod["spec"].get("hostNetwork")
            if host:
                made.on_nodes[node, "icmp", 0] = pod, 0
            else:
                made.pods.update({entry["ip"]: pod for entry in pod["status"].get("podIPs", ())})
            for one in pod["spec"]["containers"][0].get("ports", ()):
                number = one["containerPort"] if host else one.get("hostPort")
                if number:
                    protocol = one.get("protocol", "TCP").lower()
                    made.on_nodes[node, protocol, number] = pod, one["containerPort"]
        for service in objects.list("services"):
            for port in service["spec"].get("ports", ()):
                protocol = port["protocol"].lower()
                balanced = service.get("status", {}).get("loadBalancer", {}).get("ingress", ())
                for ip in (*service["spec"]["clusterIPs"], *(one["ip"] for one in balanced)):
                    made.services[ip, protocol, port["port"]] = service, port
                if port.get("nodePort"):
                    made.node_ports[protocol, port["nodePort"]] = service, port
        return made


class Network:
    """Routes, kube-proxy and policies. `faults` are what the network does wrong; `enforces` is
    whether anybody enforces policies, `masks` whether pods leave their pools under their node's
    address (None: as natOutgoing says), `tunnels` whether routes between nodes lead into them,
    `sysctls` what nodes report of their kernels, if anything. `arrived` are the nonces of flows
    that reached a server."""

    def __init__(self, objects: Objects, nodes: list[Manifest]) -> None:
        self.objects = objects
        self.faults: list[Fault] = []
        self.enforces = True
        self.proxied = True
        self.sysctls: dict[str, str] = {}
        self.arrived: set[str] = set()
        self.masks: bool | None = None
        self.tunnels = True
        self.felix = Felix(objects)
        self._nodes = {
            a["address"]: node["metadata"]["name"]
            for node in nodes
            for a in node["status"]["addresses"]
            if a["type"] == "InternalIP"
        }
        self._manifests = nodes
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[str, float]] = {}
        self._tracks: set[tuple[object, ...]] = set()
        self._known: Index | None = None
        self._oracles: tuple[int, dict[tuple[str, str], Oracle]] | None = None

    def node_at(self, address: str) -> str:
        """The node that has an address, "" without one."""
        return str(self._nodes.get(str(ipaddress.ip_address(address)), ""))

    def send(self, sent: Sent) -> Met:
        """What a packet meets."""
        met = self._met(sent)
        if met.by is None:
            return met
        if any(fault(sent, met.by) for fault in self.faults):
            return LOST
        names = sent.source["metadata"]["uid"], met.by["metadata"]["uid"]
        track = *names, sent.protocol, sent.address, sent.port, sent.source_port
        if track not in self._tracks and not self._passes(sent, met):
            return LOST
        if sent.source_port:
            self._tracks.add(track)
        return met

    def node_address(self, name: str, family: str) -> str:
        """A node's own address."""
        found = (a for a, n in self._nodes.items() if n == name and family_of(a) == family)
        return str(next(found))

    def tunnel_address(self, name: str, family: str) -> str:
        """A node's address on its VXLAN device."""
        node = next(n for n in self._manifests if n["metadata"]["name"] == name)
        return str(node["metadata"]["annotations"][f"projectcalico.org/{family}VXLANTunnelAddr"])

    def at(self, address: str) -> Manifest | None:
        """The pod that has an address of its own; of the host network none has."""
        return self._index().pods.get(address)

    def serves(self, pod: Manifest, protocol: str, port: int) -> bool:
        """Whether a pod listens on a port: an agent on those of its command."""
        (container,) = pod["spec"]["containers"]
        listens = container.get("command") or [
            f"{one['protocol'].lower()}/{one['containerPort']}" for one in container["ports"]
        ]
        return f"{protocol}/{port}" in listens

    def _met(self, sent: Sent) -> Met:
        own = address_of(sent.source, sent.family)
        if not own:
            return LOST
        index, node = self._index(), self._nodes.get(sent.address)
        dialled = sent.address, sent.protocol, sent.port
        if self.proxied and (found := index.services.get(dialled)):
            return self._through(sent, *found, sent.source, own)
        found = index.node_ports.get(dialled[1:]) if self.proxied and node else None
        if found is not None and sent.family in found[0]["spec"]["ipFamilies"]:
            return self._through(sent, *found, None, own)
        pod, port = index.pods.get(sent.address), sent.port
        if node is not None:
            pod, port = index.on_nodes.get((node, *dialled[1:]), (None, 0))
        if pod is None:
            return REFUSED if node else LOST
        if sent.protocol != "icmp" and not self.serves(pod, sent.protocol, port):
            return REFUSED
        return Met(pod, port, self._leaving(sent, own, node))

    def _index(self) -> Index:
        with self._lock:
            if self._known is None or self._known.changes != self.objects.changes:
                self._known = Index.of(self.objects)
            return self._known

    def _leaving(self, sent: Sent, own: str, node: str | None) -> str:
        """The address with which a packet leaves its node: natOutgoing where it goes to another."""
        home = sent.source["spec"]["nodeName"]
        if node is None or node == home or sent.source["spec"].get("hostNetwork"):
            return own
        asked = any(ipaddress.ip_address(own) in cidr for cidr in self._index().masked)
        if not (asked if self.masks is None else self.masks):
            return own
        return self.node_address(home, sent.family)

    def _through(
        self, sent: Sent, service: Manifest, port: Manifest, inside: Manifest | None, own: str
    ) -> Met:
        spec, home = service["spec"], sent.source["spec"]["nodeName"]
        ready = [
            pod
            for pod in self._behind(service)
            if is_ready(pod) or spec.get("publishNotReadyAddresses")
        ]
        ready = [pod for pod in ready if address_of(pod, sent.family)]
        if not ready:
            return REFUSED
        at = home if inside is not None else self._nodes[sent.address]
        local = spec.get("internalTrafficPolicy" if inside else "externalTrafficPolicy") == "Local"
        if local and (inside is not None or at != home):
            ready = [pod for pod in ready if pod["spec"]["nodeName"] == at]
            if not ready:
                return LOST
        pod = self._drawn(service, ready, sent, own)
        number = target_port(pod, port)
        if number is None:
            return REFUSED
        seen = self._masqueraded(sent, pod, at, own, local or inside is not None)
        meta = service["metadata"]
        return Met(pod, number, seen, through=f"{meta['namespace']}/{meta['name']}")

    def _masqueraded(self, sent: Sent, pod: Manifest, at: str, own: str, keeps: bool) -> str:
        home = sent.source["spec"]["nodeName"]
        host, there = pod["spec"].get("hostNetwork"), pod["spec"]["nodeName"]
        if sent.source["spec"].get("hostNetwork"):
            return self.node_address(at if not keeps else home, sent.family)
        if host and there == at:
            return own if at == home else self.node_address(home, sent.family)
        if address_of(pod, sent.family) == own or not keeps:
            return self.node_address(at, sent.family)
        if at != home or (host and there != home):
            return self.node_address(home, sent.family)
        return own

    def _behind(self, service: Manifest) -> list[Manifest]:
        selector, home = service["spec"].get("selector"), service["metadata"]["namespace"]
        if not selector:
            return []
        return [
            pod
            for pod in self.objects.list("pods", home)
            if selector.items() <= pod["metadata"].get("labels", {}).items()
        ]

    def _drawn(self, service: Manifest, ready: list[Manifest], sent: Sent, own: str) -> Manifest:
        """A backend by chance, or the one that a client had before on that port (sessionAffinity,
        which kube-proxy keeps for each port of a service)."""
        spec, meta = service["spec"], service["metadata"]
        drawn = random.choice(ready)
        if spec.get("sessionAffinity") != "ClientIP":
            return drawn
        config = spec.get("sessionAffinityConfig", {}).get("clientIP", {})
        port = f"{meta['namespace']}/{meta['name']} {sent.protocol}/{sent.port}"
        key, now = (port, own), time.monotonic()
        with self._lock:
            name, until = self._kept.get(key, ("", 0.0))
            kept = [pod for pod in ready if pod["metadata"]["name"] == name and now < until]
            pod = kept[0] if kept else drawn
            lasts = float(config.get("timeoutSeconds", 10800))
            self._kept[key] = pod["metadata"]["name"], now + lasts
        return pod

    def _passes(self, sent: Sent, met: Met) -> bool:
        """Whether the policies that stand let a packet pass."""
        assert met.by is not None
        if not self.enforces:
            return True
        protocol = Protocol(sent.protocol.upper())
        source, server = endpoint(sent.source), endpoint(met.by)
        address, port = ipaddress.ip_address(address_of(met.by, sent.family)), met.port
        destination = server
        if met.through:
            home, _, name = met.through.partition("/")
            address, port = ipaddress.ip_address(sent.address), sent.port
            node = self._nodes.get(sent.address, "")
            destination = Endpoint(name, EndpointKind.SERVICE, (address,), home, node=node)
        flow = Flow(source, destination, address, protocol, port if port else None)
        return self._judging(met.through, server).judge(flow).verdict is not Verdict.DENIED

    def _judging(self, through: str, server: Endpoint) -> Oracle:
        """The oracle of what stands now, to which a service has no backend but this one."""
        key = (through, server.name) if through else ("", "")
        with self._lock, self.objects.lock:
            if self._oracles is None or self._oracles[0] != self.objects.changes:
                self._oracles = self.objects.changes, {}
            known = self._oracles[1]
            if key not in known:
                known[key] = self._compiled(through, server)
            return known[key]

    def _compiled(self, through: str, server: Endpoint) -> Oracle:
        roster = Roster()
        kinds = {"namespaces": "Namespace", "pods": "Pod", "services": "Service"}
        for plural, kind in kinds.items():
            for one in self.objects.list(plural):
                roster.take({"apiVersion": "v1", "kind": kind, **_bare(one)})
        for node in self._manifests:
            roster.take({"apiVersion": "v1", "kind": "Node", **_bare(node)})
        snapshot = ClusterSnapshot.of(
            roster.namespaces,
            ports=roster.ports,
            nodes=roster.nodes.values(),
            services=[
                dataclasses.replace(one, backends=(server,))
                if f"{one.namespace}/{one.name}" == through
                else one
                for one in roster.services()
            ],
            endpoints=roster.pods.values(),
        )
        existing = [policy for plural in POLICIES for policy in self.objects.list(plural)]
        return Oracle.of(existing, snapshot, CALICO_3_31)


def endpoint(pod: Manifest) -> Endpoint:
    """A pod as the oracle knows it."""
    spec, meta = pod["spec"], pod["metadata"]
    return Endpoint(
        name=f"{meta['namespace']}/{meta['name']}",
        kind=EndpointKind.HOST if spec.get("hostNetwork") else EndpointKind.POD,
        addresses=tuple(ipaddress.ip_address(e["ip"]) for e in pod["status"].get("podIPs", ())),
        namespace=meta["namespace"],
        pod=meta["name"],
        node=spec["nodeName"],
        labels=tuple(sorted(meta.get("labels", {}).items())),
        service_account=spec.get("serviceAccountName", "default"),
    )


def _bare(one: Manifest) -> Manifest:
    return {key: value for key, value in one.items() if key not in ("apiVersion", "kind")}
