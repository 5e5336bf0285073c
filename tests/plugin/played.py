"""A played cluster, good enough for a run to begin and to clean up: no agent answers in it."""

from __future__ import annotations

import copy
import threading
from typing import Any

from sixproof.workloads.probe_pods.probe_pod import node_of
from tests.unit.kube.recordings import bed, play
from tests.unit.kube.server import FakeApi, Reply, Seen, listed, refused

NAMESPACES = "/api/v1/namespaces"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class PlayedCluster(FakeApi):
    """Keeps the namespaces and pods that are applied, and forgets a namespace that is deleted.

    `ready` lets pods become ready, but for those on the nodes of `broken_nodes`; `may_delete` lets
    requests for deletion be answered; `injected` are containers that every pod gets; `prefixes` are
    what addresses of pods begin with, one a family.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ready = threading.Event()
        self.ready.set()
        self.broken_nodes: set[str] = set()
        self.injected: tuple[str, ...] = ()
        self.may_delete = threading.Event()
        self.may_delete.set()
        self.prefixes = ["10.244.0.", "fd00:10:244::"]
        self.namespaces: dict[str, dict[str, Any]] = {}
        self._pods: dict[str, dict[str, dict[str, Any]]] = {}
        self._recorded = bed()
        play(self, self._recorded)
        self.on("GET", "/apis/projectcalico.org/v3", Reply({"resources": []}))
        self.on("GET", "/apis/coordination.k8s.io/v1/leases", listed())
        self.on("POST", REVIEWS, Reply({"status": {"allowed": True}}))
        self.compute("GET", NAMESPACES, self._list_namespaces)

    def answer(self, seen: Seen) -> Reply:
        """Keep what is applied, forget what is deleted."""
        home, _, rest = seen.path.removeprefix(f"{NAMESPACES}/").partition("/")
        if seen.method == "PATCH":
            self.seen.append(seen)
            return self._apply(home, rest, seen.body)
        if seen.method == "DELETE":
            self.seen.append(seen)
            return Reply({}) if rest else self._delete(home)
        if seen.method == "GET" and home in self.namespaces and rest == "pods":
            return listed(*(self._running(pod) for pod in self._pods[home].values()))
        return super().answer(seen)

    def _apply(self, home: str, rest: str, body: Any) -> Reply:
        if not rest:
            self.namespaces[home] = body
            self._pods[home] = {}
        elif rest.startswith("pods/"):
            body["spec"]["containers"] += [{"name": name} for name in self.injected]
            self._pods[home][rest.removeprefix("pods/")] = body
        return Reply(body)

    def _delete(self, name: str) -> Reply:
        while not self.may_delete.wait(0.1):
            if self.stopping.is_set():
                return refused(503, "ServiceUnavailable", "the test is over")
        self.namespaces.pop(name, None)
        return Reply({})

    def _list_namespaces(self, seen: Seen) -> Reply:
        wanted = dict(
            pair.split("=") for pair in seen.query.get("labelSelector", "").split(",") if pair
        )
        held = list(self.namespaces.values())
        return listed(*(n for n in held if wanted.items() <= n["metadata"]["labels"].items()))

    def _running(self, pod: dict[str, Any]) -> dict[str, Any]:
        number = sorted(self._pods).index(pod["metadata"]["namespace"]) + 10
        status = {
            "podIPs": [{"ip": f"{prefix}{number}"} for prefix in self.prefixes],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        ready = self.ready.is_set() and node_of(pod) not in self.broken_nodes
        return {**copy.deepcopy(pod), "status": status if ready else {}}
