"""Sweeping: what is deleted, in which order, what stays and why, and whose runs are dead."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from sixproof.errors import ApiError, NoAnswer
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.runs import cleanup, leftovers, ownership
from sixproof.kube.runs.ownership import Heartbeat, Holder
from sixproof.kube.runs.search import Search
from tests.unit.kube.server import FakeApi, Reply, Seen, listed, refused

CALICO = "/apis/projectcalico.org/v3"
SERVED = [
    {"name": plural, "kind": kind, "namespaced": plural == "networkpolicies", "verbs": verbs}
    for plural, kind, verbs in (
        ("globalnetworkpolicies", "GlobalNetworkPolicy", ["list", "delete"]),
        ("tiers", "Tier", ["list", "delete"]),
        ("ippools", "IPPool", ["list", "delete"]),
        ("clusterinformations", "ClusterInformation", ["list"]),
        ("networkpolicies", "NetworkPolicy", ["list", "delete"]),
    )
]


def stamp(ago: float) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago)).isoformat(
        timespec="seconds"
    )


def made(name: str, run: str = "r1", ago: float = 0, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": ownership.labels(run), "creationTimestamp": stamp(ago)}
    return {"metadata": metadata, **more}


class Store:
    """Objects by collection path; deletions take effect when they are listed `lag` times."""

    def __init__(self, api: FakeApi, lag: int = 1) -> None:
        self.deleted: list[str] = []
        self._held: dict[str, dict[str, dict[str, Any]]] = {}
        self._lag = lag
        self._api = api
        group = {"name": "projectcalico.org", "versions": [{"version": "v3"}]}
        api.on("GET", "/apis", Reply({"groups": [group]}))
        api.on("GET", CALICO, Reply({"resources": SERVED}))
        api.on("GET", "/apis/coordination.k8s.io/v1/leases", listed())
        calicos = ("globalnetworkpolicies", "tiers", "ippools")
        for path in ("/api/v1/namespaces", *(f"{CALICO}/{plural}" for plural in calicos)):
            self._held[path] = {}
            api.compute("GET", path, self._list)

    def hold(self, path: str, *objects: dict[str, Any]) -> None:
        for item in objects:
            name = item["metadata"]["name"]
            self._held[path][name] = item
            self._api.compute("DELETE", f"{path}/{name}", self._delete)
            self._api.on("DELETE", f"{path}/{name}/pods", Reply({}))
            for plural in ("pods", "services"):
                self._api.on("GET", f"{path}/{name}/{plural}", listed())

    def _list(self, seen: Seen) -> Reply:
        held = self._held[seen.path]
        for name in [n for n, o in held.items() if "left" in o]:
            held[name]["left"] -= 1
            if held[name]["left"] < 0:
                del held[name]
        wanted = dict(pair.split("=") for pair in seen.query["labelSelector"].split(","))
        return listed(
            *(o for o in held.values() if wanted.items() <= o["metadata"]["labels"].items())
        )

    def _delete(self, seen: Seen) -> Reply:
        path, _, name = seen.path.rpartition("/")
        self.deleted.append(name)
        item = self._held[path][name]
        item["metadata"]["deletionTimestamp"] = stamp(0)
        item.setdefault("left", self._lag)
        return Reply({})


@pytest.fixture
def store(api: FakeApi) -> Store:
    return Store(api)


def test_sweep_takes_everything_of_the_run_and_waits(
    cluster: Cluster, api: FakeApi, store: Store
) -> None:
    store.hold("/api/v1/namespaces", made("six-a"), made("six-b"), made("six-other", "r2"))
    store.hold(f"{CALICO}/globalnetworkpolicies", made("deny"))
    swept = cleanup.sweep(cluster, "r1", timeout=5)
    assert swept.clean
    assert not swept.going
    assert set(swept.deleted) == {"Namespace six-a", "Namespace six-b", "GlobalNetworkPolicy deny"}
    assert "six-other" not in store.deleted
    pods = [s for s in api.requests("DELETE") if s.path.endswith("/pods")]
    assert {s.path for s in pods} == {f"/api/v1/namespaces/six-{x}/pods" for x in "ab"}
    assert all(s.body["gracePeriodSeconds"] == 0 for s in pods)
    assert "3 objects deleted" in str(swept)


def test_tiers_go_after_what_is_in_them(cluster: Cluster, store: Store) -> None:
    store.hold(f"{CALICO}/tiers", made("mine"))
    store.hold(f"{CALICO}/globalnetworkpolicies", made("mine.deny"))
    assert cleanup.sweep(cluster, "r1", timeout=5).clean
    assert store.deleted == ["mine.deny", "mine"]


def test_pools_go_after_the_pods_that_have_their_addresses(
    cluster: Cluster, api: FakeApi, store: Store
) -> None:
    """Pods of the namespace are asked to go first; a pool of somebody else's stays."""
    store.hold(f"{CALICO}/ippools", made("six-r1-pool"), made("theirs", "r2"))
    store.hold("/api/v1/namespaces", made("six-r1-pools"))
    swept = cleanup.sweep(cluster, "r1", timeout=5)
    assert swept.clean
    assert set(swept.deleted) == {"Namespace six-r1-pools", "IPPool six-r1-pool"}
    order = [s.path.rpartition("/")[2] for s in api.requests("DELETE")]
    assert order == ["pods", "six-r1-pools", "six-r1-pool"]


def test_nothing_to_sweep(cluster: Cluster, store: Store) -> None:
    swept = cleanup.sweep(cluster, "r1", timeout=5)
    assert (swept.clean, swept.deleted) == (True, ())
    assert swept.seconds < 1


def test_without_waiting_objects_are_going(cluster: Cluster, api: FakeApi) -> None:
    store = Store(api, lag=100)
    store.hold("/api/v1/namespaces", made("six-a"))
    swept = cleanup.sweep(cluster, "r1", timeout=0)
    assert (swept.deleted, swept.going) == ((), ("Namespace six-a",))
    assert swept.clean
    assert "going: Namespace six-a" in str(swept)


def test_who_is_in_a_hurry_does_not_wait(cluster: Cluster, api: FakeApi) -> None:
    """Once hurried, everything is asked to go, and nothing is waited for."""
    store = Store(api, lag=1000)
    store.hold("/api/v1/namespaces", made("six-r1-a"), made("six-r1-b"))
    swept = cleanup.sweep(cluster, "r1", hurried=lambda: True)
    assert sorted(store.deleted) == ["six-r1-a", "six-r1-b"]
    assert swept.clean
    assert swept.going == ("Namespace six-r1-a", "Namespace six-r1-b")


FRESH = Reply(
    {
        "kind": "APIGroupDiscoveryList",
        "items": [{"metadata": {"name": "x.io"}, "versions": [{"version": "v1"}]}],
    }
)
STALE = Reply(
    {
        "kind": "APIGroupDiscoveryList",
        "items": [
            {"metadata": {"name": "x.io"}, "versions": [{"version": "v1", "freshness": "Stale"}]}
        ],
    }
)


def test_empty_namespaces_are_not_waited_for(cluster: Cluster, api: FakeApi, store: Store) -> None:
    """The namespace controller takes its time; what has an effect is gone."""
    emptying = Store(api, lag=1000)
    emptying.hold("/api/v1/namespaces", made("six-r1-a"), made("six-r1-b"))
    emptying.hold(f"{CALICO}/tiers", {**made("mine"), "left": 1})
    web = {"metadata": {"name": "web"}}
    api.on("GET", "/api/v1/namespaces/six-r1-a/services", listed(web), listed(web), listed())
    api.on("GET", "/api/v1/namespaces/six-r1-a/pods", listed(web), listed())
    api.on("DELETE", "/api/v1/namespaces/six-r1-a/services/web", Reply({}))
    groups = Reply({"groups": [{"name": "projectcalico.org", "versions": [{"version": "v3"}]}]})
    api.on("GET", "/apis", groups, FRESH)
    swept = cleanup.sweep(cluster, "r1", timeout=5, until_empty=True)
    assert swept.emptied == ("Namespace six-r1-a", "Namespace six-r1-b")
    assert (swept.deleted, swept.going, swept.clean) == (("Tier mine",), (), True)
    assert "1 objects deleted and 2 namespaces emptied (the cluster removes them" in str(swept)
    paths = [seen.path for seen in api.requests("DELETE")]
    assert "/api/v1/namespaces/six-r1-a/services/web" in paths


@pytest.mark.parametrize(
    ("discovery", "contents"),
    [
        (STALE, listed()),
        (Reply({"kind": "APIGroupList", "groups": []}), listed()),
        (refused(500, "InternalError", "no"), listed()),
        (FRESH, listed({"metadata": {"name": "web"}})),
        (FRESH, refused(403, "Forbidden", "no pods")),
    ],
    ids=["stale", "not-said", "not-answered", "a-pod-stays", "may-not-look"],
)
def test_namespaces_that_something_could_keep_are_waited_for(
    cluster: Cluster, api: FakeApi, discovery: Reply, contents: Reply
) -> None:
    """An API whose server does not answer keeps each namespace; so do finalizers of its content."""
    store = Store(api, lag=3)
    store.hold("/api/v1/namespaces", made("six-r1-a"))
    groups = Reply({"groups": [{"name": "projectcalico.org", "versions": [{"version": "v3"}]}]})
    api.on("GET", "/apis", groups, discovery)
    api.on("GET", "/api/v1/namespaces/six-r1-a/pods", contents)
    swept = cleanup.sweep(cluster, "r1", timeout=5, until_empty=True)
    assert (swept.deleted, swept.emptied) == (("Namespace six-r1-a",), ())


def test_refused_deletion_is_reported(cluster: Cluster, api: FakeApi, store: Store) -> None:
    store.hold("/api/v1/namespaces", made("six-a"))
    api.on("DELETE", "/api/v1/namespaces/six-a", refused(403, "Forbidden", "not yours"))
    swept = cleanup.sweep(cluster, "r1", timeout=0)
    assert not swept.clean
    assert "not yours" in swept.remaining[0]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {
                "status": {
                    "conditions": [
                        {
                            "type": "NamespaceDeletionDiscoveryFailure",
                            "status": "True",
                            "message": "metrics.k8s.io/v1beta1: stale",
                        }
                    ]
                }
            },
            "metrics.k8s.io/v1beta1: stale",
        ),
        ({"finalizers": ["x.io/hold"]}, "waits for x.io/hold"),
        ({"spec": {"finalizers": ["kubernetes", "x.io/keep"]}}, "waits for x.io/keep"),
    ],
)
def test_namespace_that_stays_says_why(
    cluster: Cluster, api: FakeApi, more: dict[str, Any], words: str
) -> None:
    store = Store(api, lag=100)
    item = made("six-a")
    item["metadata"].update({"finalizers": more.get("finalizers", [])})
    item["status"] = more.get("status", {})
    item["spec"] = more.get("spec", {})
    store.hold("/api/v1/namespaces", item)
    swept = cleanup.sweep(cluster, "r1", timeout=0.2)
    assert swept.remaining == (f"Namespace six-a ({words})",)


def test_kinds_that_may_not_be_listed_are_noted(
    cluster: Cluster, api: FakeApi, store: Store
) -> None:
    store.hold("/api/v1/namespaces", made("six-a"))
    api.on("GET", f"{CALICO}/tiers", refused(403, "Forbidden", "no tiers"))
    swept = cleanup.sweep(cluster, "r1", timeout=5)
    assert swept.deleted == ("Namespace six-a",)
    assert swept.clean  # who may not list tiers has made none
    assert "no tiers" in swept.notes[0]


def test_extension_server_that_is_down_leaves_it_open(
    cluster: Cluster, api: FakeApi, store: Store
) -> None:
    api.on("GET", CALICO, Reply("down", 503))
    swept = cleanup.sweep(cluster, "r1", timeout=0.2)
    assert not swept.clean
    assert "down" in swept.remaining[0]
    with pytest.raises(ApiError, match="down"):
        leftovers.leftovers(cluster)


def test_api_server_that_comes_back_is_swept_all_the_same(
    cluster: Cluster, api: FakeApi, store: Store
) -> None:
    """A failed search is not taken for an empty cluster."""
    failing = Reply(hang_up=True)
    api.on("GET", "/api/v1/namespaces", failing, failing, listed(made("six-a")), listed())
    api.on("DELETE", "/api/v1/namespaces/six-a", Reply({}))
    swept = cleanup.sweep(cluster, "r1", timeout=5)
    assert swept.deleted == ("Namespace six-a",)
    assert swept.clean


def test_api_server_that_is_away_when_a_sweep_begins_is_waited_for(
    cluster: Cluster, api: FakeApi, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends while the API server hangs leaves nothing either."""
    away = [NoAnswer("list /apis: it was silent for 10 s", sent=True, silent=True)] * 2

    def begun(asked: Cluster) -> Search:
        if away:
            raise away.pop()
        return Search(asked)

    monkeypatch.setattr(cleanup, "Search", begun)
    store.hold("/api/v1/namespaces", made("six-a"))
    swept = cleanup.sweep(cluster, "r1", timeout=10)
    assert (swept.deleted, swept.clean) == (("Namespace six-a",), True)


def test_pods_that_may_not_be_hurried_do_not_stop_a_sweep(
    cluster: Cluster, api: FakeApi, store: Store
) -> None:
    store.hold("/api/v1/namespaces", made("six-a"))
    api.on("DELETE", "/api/v1/namespaces/six-a/pods", refused(403, "Forbidden", "no"))
    assert cleanup.sweep(cluster, "r1", timeout=5).clean


def test_cluster_that_cannot_be_searched(cluster: Cluster, api: FakeApi, store: Store) -> None:
    api.on("GET", "/api/v1/namespaces", refused(403, "Forbidden", "no namespaces"))
    with pytest.raises(ApiError, match="no namespaces"):
        leftovers.leftovers(cluster)
    api.on("GET", "/apis", refused(403, "Forbidden", "no groups"))
    assert "no groups" in str(cleanup.sweep(cluster, "r1", timeout=5))


def lease(run: str, renewed: float, holder: str = "") -> dict[str, Any]:
    fields = [{"manager": "sixproof", "time": stamp(renewed)}, {"manager": "x", "time": stamp(0)}]
    return {
        "metadata": {"name": "l", "labels": ownership.labels(run), "managedFields": fields},
        # The runner's own clock may be hours off; the API server's counts.
        "spec": {"holderIdentity": holder, "renewTime": stamp(-7200)},
    }


def judge(
    cluster: Cluster, api: FakeApi, store: Store, *leases: dict[str, Any], ago: float = 90
) -> leftovers.Leftover:
    store.hold("/api/v1/namespaces", made("six-a", ago=ago))
    api.on("GET", "/apis/coordination.k8s.io/v1/leases", listed(*leases))
    [found] = leftovers.leftovers(cluster)
    return found


def test_renewed_run_is_alive(cluster: Cluster, api: FakeApi, store: Store) -> None:
    found = judge(cluster, api, store, lease("r1", 10))
    assert found.alive
    assert found.age == pytest.approx(90, abs=3)
    assert found.idle == pytest.approx(10, abs=3)
    assert "run r1: alive" in str(found)


def test_run_that_fell_silent_is_dead(cluster: Cluster, api: FakeApi, store: Store) -> None:
    found = judge(cluster, api, store, lease("r1", 75))
    assert not found.alive
    assert "last renewed 7" in found.why


def test_run_whose_process_is_gone_is_dead_at_once(
    cluster: Cluster, api: FakeApi, store: Store
) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "from sixproof.kube.runs.ownership import Holder; print(Holder.here())",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    found = judge(cluster, api, store, lease("r1", 1, ended.stdout.strip()))
    assert not found.alive
    assert "has ended" in found.why


def test_run_of_this_process_is_alive(cluster: Cluster, api: FakeApi, store: Store) -> None:
    assert judge(cluster, api, store, lease("r1", 1, str(Holder.here()))).alive


def test_run_without_a_lease_may_be_beginning(cluster: Cluster, api: FakeApi, store: Store) -> None:
    assert judge(cluster, api, store, ago=5).alive
    assert not judge(cluster, api, store, ago=300).alive


def test_only_dead_runs_are_swept(cluster: Cluster, api: FakeApi, store: Store) -> None:
    store.hold("/api/v1/namespaces", made("six-live", "r1", 500), made("six-dead", "r2", 500))
    api.on("GET", "/apis/coordination.k8s.io/v1/leases", listed(lease("r1", 1)))
    [swept] = leftovers.sweep_dead(cluster)
    assert swept.run_id == "r2"
    assert store.deleted == ["six-dead"]


def test_everything_but_what_to_keep(cluster: Cluster, api: FakeApi, store: Store) -> None:
    for run in ("r1", "r2", "r3"):
        store.hold("/api/v1/namespaces", made(f"six-{run}", run))
    swept = leftovers.sweep_dead(cluster, everything=True, keep=["r2"])
    assert {s.run_id for s in swept} == {"r1", "r3"}


def test_a_run_whose_objects_are_all_being_deleted_is_over(cluster: Cluster, api: FakeApi) -> None:
    """Its namespaces outlive it for seconds, and its lease goes before them."""
    store = Store(api, lag=3)
    store.hold("/api/v1/namespaces", made("six-a"), made("six-b", "r2"))
    assert [one.alive for one in leftovers.leftovers(cluster)] == [True, True]
    cluster.delete(resources.NAMESPACE, "six-a")
    states = {one.run_id: (one.alive, one.why) for one in leftovers.leftovers(cluster)}
    assert states["r1"] == (False, "all that it created is being deleted")
    assert states["r2"][0]
    assert [swept.run_id for swept in leftovers.sweep_dead(cluster)] == ["r1"]


class TestOwnership:
    def test_labels_are_added_to_a_copy(self) -> None:
        manifest = {"metadata": {"name": "x", "labels": {"app": "y"}}}
        assert ownership.owned(manifest, "r1")["metadata"]["labels"] == {
            "app": "y",
            "app.kubernetes.io/managed-by": "sixproof",
            "sixproof.dev/run": "r1",
        }
        assert manifest["metadata"]["labels"] == {"app": "y"}
        assert ownership.owned({}, "r1")["metadata"]["labels"] == ownership.labels("r1")

    def test_selectors(self) -> None:
        assert ownership.selector() == "app.kubernetes.io/managed-by=sixproof"
        assert ownership.selector("r1").endswith(",sixproof.dev/run=r1")

    def test_holder_is_distinguished_from_a_later_process_with_its_pid(self) -> None:
        here = Holder.here()
        assert Holder.parse(str(here)) == here
        assert not here.is_gone()
        assert Holder(here.machine, os.getpid(), "1").is_gone()
        assert not Holder("elsewhere", os.getpid(), "1").is_gone()
        assert Holder.parse("node-7") is None

    def test_clock_of_the_runner_counts_where_the_server_noted_none(self) -> None:
        assert ownership.renewed_at({"spec": {"renewTime": stamp(3)}}) == (
            datetime.datetime.fromisoformat(stamp(3))
        )
        assert ownership.renewed_at({}) is None


class TestHeartbeat:
    PATH = "/apis/coordination.k8s.io/v1/namespaces/six-a/leases/sixproof-run"

    def test_lease_is_renewed_until_stopped(self, cluster: Cluster, api: FakeApi) -> None:
        api.on("PATCH", self.PATH, Reply({}), refused(503, "x", "away"), Reply({}))
        enough = threading.Event()
        beat = Heartbeat(cluster, "r1", "six-a", every=0.02).start()
        while len(api.requests("PATCH")) < 4:
            enough.wait(0.01)
        beat.stop()
        count = len(api.requests("PATCH"))
        enough.wait(0.1)
        assert len(api.requests("PATCH")) == count
        spec = api.requests("PATCH")[0].body["spec"]
        assert spec["leaseDurationSeconds"] == 60
        assert Holder.parse(spec["holderIdentity"]) == Holder.here()
        assert spec["renewTime"] < api.requests("PATCH")[-1].body["spec"]["renewTime"]

    def test_first_beat_must_succeed(self, cluster: Cluster) -> None:
        beat = Heartbeat(cluster, "r1", "six-a")
        with pytest.raises(ApiError, match="404"):
            beat.start()
        beat.stop()

    def test_lease_carries_the_labels(self, cluster: Cluster, api: FakeApi) -> None:
        api.on("PATCH", self.PATH, Reply({}))
        Heartbeat(cluster, "r1", "six-a").beat()
        body = api.requests("PATCH")[0].body
        assert body["metadata"]["labels"] == ownership.labels("r1")
        assert body["kind"] == resources.LEASE.kind


def test_what_is_away_holds_nothing_up_that_can_be_deleted(api: FakeApi, cluster: Cluster) -> None:
    """A fault may cut Calico's API server off: namespaces go at once, and it is named."""
    store = Store(api)
    store.hold("/api/v1/namespaces", made("six-r1-a"))
    api.on("GET", f"{CALICO}/tiers", refused(503, "ServiceUnavailable", "away"))
    search = Search(cluster)
    found = search.find(ownership.selector("r1"))
    assert [item.name for item in found.items] == ["six-r1-a"]
    assert [error.status for error in found.blind] == [503]
    assert sum(seen.path == f"{CALICO}/tiers" for seen in api.seen) == 1
