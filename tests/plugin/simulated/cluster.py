"""The simulated cluster itself: an API server whose pods have agents that answer."""

from __future__ import annotations

import ipaddress
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from sixproof.agent import protocol
from tests.plugin.simulated.agents import Agent
from tests.plugin.simulated.names import Zone
from tests.plugin.simulated.network import Network
from tests.plugin.simulated.nodes import POOLS, grown
from tests.plugin.simulated.objects import Manifest, Objects, Refused, Where
from tests.plugin.simulated.streams import ExecSide, agreement
from tests.unit.kube.recordings import bed
from tests.unit.kube.server import FakeApi, Reply, Seen, listed, refused

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
CALICO = "/apis/projectcalico.org/v3"
STORE = "/apis/crd.projectcalico.org/v1"
_VERBS = ["get", "list", "create", "patch", "delete", "deletecollection", "watch", "update"]
_CALICO_KINDS = {
    "NetworkPolicy": ("networkpolicies", True),
    "NetworkSet": ("networksets", True),
    "GlobalNetworkPolicy": ("globalnetworkpolicies", False),
    "GlobalNetworkSet": ("globalnetworksets", False),
    "Tier": ("tiers", False),
    "IPPool": ("ippools", False),
    "FelixConfiguration": ("felixconfigurations", False),
    "BGPConfiguration": ("bgpconfigurations", False),
    "BGPPeer": ("bgppeers", False),
    "HostEndpoint": ("hostendpoints", False),
}


class SimulatedCluster(FakeApi):
    """The recorded bed's nodes and DNS, with a network and agents behind them; where it has more
    nodes than that, `zones` are the zones of them, and IPAM is not asked for blocks."""

    def __init__(self, nodes: int = 0, zones: int = 1) -> None:
        super().__init__()
        recorded = bed()
        if nodes:
            _grow(recorded, nodes, zones)
        manifests = recorded["/api/v1/nodes"]["items"]
        self.objects = Objects(manifests, plain=bool(nodes))
        self.network = Network(self.objects, manifests)
        self.zone = Zone(self.objects, ("10.96.0.10",))
        self.on("GET", "/apis", Reply(recorded["/apis"]))
        self.on("GET", CALICO, Reply({"resources": _served(_CALICO_KINDS)}))
        policies = {"NetworkPolicy": ("networkpolicies", True)}
        self.on("GET", "/apis/networking.k8s.io/v1", Reply({"resources": _served(policies)}))
        self.on("POST", REVIEWS, Reply({"status": {"allowed": True}}))
        self._remember(recorded)

    def answer(self, seen: Seen) -> Reply:
        """What an API server answers of its objects."""
        if (seen.method, seen.path) in self._routes:
            return super().answer(seen)
        self.seen.append(seen)
        where = Where.of(seen.path)
        if where is None:
            return refused(404, "NotFound", f"the server could not find {seen.path}")
        labels = seen.query.get("labelSelector", "")
        if seen.method == "GET" and where.api == STORE:
            ipam = self.objects.ipam
            blocks = {"ipamblocks": ipam.blocks, "blockaffinities": ipam.affinities}
            return listed(*(blocks[where.plural]() if where.plural in blocks else ()))
        if seen.method == "GET" and where.plural == "events" and not where.name:
            about = seen.query.get("fieldSelector", "").removeprefix("involvedObject.name=")
            events = self.objects.list("events", where.home)
            return listed(*(e for e in events if about in ("", e["involvedObject"]["name"])))
        if seen.method == "GET" and not where.name:
            return listed(*self.objects.list(where.plural, where.home, labels, where.api))
        if seen.method == "GET":
            found = self.objects.get(where)
            return Reply(found) if found and not where.part else _missing(seen.path)
        if seen.method == "DELETE":
            return Reply({}) if self.objects.remove(where, labels) else _missing(seen.path)
        if seen.query.get("dryRun"):
            return Reply(seen.body)
        return self._kept(where, seen.body)

    def upgrade(self, seen: Seen, handler: BaseHTTPRequestHandler) -> None:
        """An exec stream into a pod."""
        where = Where.of(seen.path)
        if where is None or self.objects.get(where) is None:
            handler.send_error(404)
            return
        handler.send_response(101)
        for name, value in agreement(seen.headers["sec-websocket-key"]):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.flush()
        side = ExecSide(handler.rfile, handler.wfile)
        agent = Agent(where, self.network, self.zone, self.stopping)
        for line in side.lines():
            threading.Thread(target=_answer, args=(side, agent, line), daemon=True).start()

    def _kept(self, where: Where, body: Manifest) -> Reply:
        name = where.name or body["metadata"]["name"]
        place = Where(where.api, where.plural, where.home, name)
        try:
            return Reply(self.objects.keep(place, body))
        except Refused as error:
            return refused(422, "Invalid", str(error))

    def _remember(self, recorded: dict[str, Any]) -> None:
        """Take what was recorded for objects of this cluster."""
        for path, answer in recorded.items():
            bare = path.partition("?")[0]
            where = Where.of(bare)
            if where is None or bare == "/api/v1/pods":
                continue
            for item in answer.get("items", [answer]):
                self._take(where, item)
        self.objects.keep(
            Where("/apis/discovery.k8s.io/v1", "endpointslices", "default", "kubernetes"),
            {
                "metadata": {"labels": {"kubernetes.io/service-name": "kubernetes"}},
                "addressType": "IPv4",
                "ports": [{"name": "https", "protocol": "TCP", "port": 6443}],
                "endpoints": [{"addresses": ["172.31.66.3"], "conditions": {"ready": True}}],
            },
        )

    def _take(self, where: Where, item: Manifest) -> None:
        home = where.home or item["metadata"].get("namespace", "")
        if where.plural == "pods":  # the DNS server's; a recording has no more of them than this
            item = {
                "metadata": {**item["metadata"], "labels": {"k8s-app": "kube-dns"}},
                "spec": {"nodeName": "six-control-plane", "containers": [{"ports": _DNS_PORTS}]},
                "status": item["status"],
            }
        self.objects.keep(Where(where.api, where.plural, home, item["metadata"]["name"]), item)


_DNS_PORTS = [{"containerPort": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]


def _grow(recorded: dict[str, Any], count: int, zones: int) -> None:
    every = recorded["/api/v1/nodes"]
    every["items"] = grown(every["items"], count, zones)
    for path, answer in recorded.items():
        if path.partition("?")[0].endswith("/ippools"):
            for pool in answer["items"]:
                family = f"IPv{ipaddress.ip_network(pool['spec']['cidr']).version}"
                pool["spec"]["cidr"] = POOLS[family]


def _served(kinds: dict[str, tuple[str, bool]]) -> list[dict[str, Any]]:
    return [
        {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": _VERBS}
        for kind, (plural, namespaced) in kinds.items()
    ]


def _missing(path: str) -> Reply:
    return refused(404, "NotFound", f"there is no {path}")


def _answer(side: ExecSide, agent: Agent, line: bytes) -> None:
    value = protocol.decode_line(line)
    try:
        said = protocol.encode_answer(value["id"], agent.answer(protocol.decode_request(value)))
    except ValueError as error:
        said = protocol.encode_error(value["id"], str(error))
    try:
        side.say(said)
    except OSError:
        return  # nobody listens any more
