"""The verbs: what is sent, what comes back, and what a failure says."""

from __future__ import annotations

import functools
import operator
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sixproof.errors import ApiError, ManifestError, NoAnswer
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.resources import Kind
from tests.unit.kube.server import (
    FakeApi,
    Reply,
    Seen,
    free_port,
    kubeconfig,
    later,
    listed,
    refused,
    serve,
)

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "echo", "namespace": "web"}}
PODS = "/api/v1/namespaces/web/pods"
ECHO = f"{PODS}/echo"


def test_get(cluster: Cluster, api: FakeApi) -> None:
    api.on("GET", ECHO, Reply(POD))
    assert cluster.get(resources.POD, "echo", "web") == POD


def test_find_is_none_where_there_is_none(cluster: Cluster, api: FakeApi) -> None:
    assert cluster.find(resources.POD, "echo", "web") is None
    api.on("GET", ECHO, refused(403, "Forbidden", "no"))
    with pytest.raises(ApiError, match="403"):
        cluster.find(resources.POD, "echo", "web")


@pytest.mark.parametrize(
    ("reply", "status", "words"),
    [
        (refused(401, "Unauthorized", "token expired"), 401, "token expired"),
        (refused(403, "Forbidden", 'cannot get "pods"'), 403, 'cannot get "pods"'),
        (refused(409, "Conflict", "modified"), 409, "modified"),
        (Reply("oops\nupstream", 500), 500, "oops upstream"),
        (Reply("", 503), 503, "503: Service Unavailable, no reason given"),
        (Reply("", 407), 407, "407: Proxy Authentication Required, no reason given"),
        (Reply("", 599), 599, "599: no reason given"),
        (
            Reply("", 302, headers=(("Location", "https://login.example/"),)),
            302,
            "https://login.example/; something else than an API server",
        ),
        (Reply(delay=3), 0, "silent for 1 s"),
        (Reply({"kind": "Pod"}, cut=True), 0, "ended in the middle of it, after 15 bytes"),
        (Reply(hang_up=True), 0, "no answer from"),
        (Reply('{"kind": "Po'), 0, "not JSON"),
    ],
    ids=[
        "401",
        "403",
        "409",
        "500",
        "503",
        "407",
        "599",
        "redirect",
        "slow",
        "cut",
        "hang-up",
        "torn",
    ],
)
def test_failures_are_one_line_with_status(
    cluster: Cluster, api: FakeApi, reply: Reply, status: int, words: str
) -> None:
    api.on("GET", ECHO, reply)
    with pytest.raises(ApiError) as caught:
        cluster.get(resources.POD, "echo", "web")
    message = str(caught.value)
    assert message.startswith("get pods web/echo: ")
    assert words in message
    assert "\n" not in message
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("path", "ask", "behind"),
    [
        ("/api/v1/nodes", lambda cluster: cluster.list(resources.NODE), False),
        (
            "/apis/projectcalico.org/v3",
            lambda cluster: cluster.catalog.kinds("projectcalico.org/v3"),
            True,
        ),
    ],
    ids=["the API server", "Calico's"],
)
def test_who_did_not_answer_is_reported(
    cluster: Cluster, api: FakeApi, path: str, ask: Callable[[Cluster], object], behind: bool
) -> None:
    """Calico's own API is reached over the cluster's network: its silence may be a network's."""
    api.on("GET", path, Reply(hang_up=True))
    with pytest.raises(NoAnswer) as caught:
        ask(cluster)
    assert caught.value.behind is behind


def test_reason_is_kept(cluster: Cluster, api: FakeApi) -> None:
    api.on("POST", PODS, refused(409, "AlreadyExists", "it exists"))
    with pytest.raises(ApiError) as caught:
        cluster.create(POD)
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")


def test_list_follows_pages_and_names_kinds(cluster: Cluster, api: FakeApi) -> None:
    api.on(
        "GET",
        "/api/v1/pods",
        listed({"metadata": {"name": "a"}}, more="next"),
        listed({"metadata": {"name": "b"}}),
    )
    found = cluster.list(resources.POD, labels="app=web", fields="status.phase=Running")
    assert [p["metadata"]["name"] for p in found] == ["a", "b"]
    assert found[0]["kind"] == "Pod"
    first, second = api.requests("GET", "/api/v1/pods")
    assert first.query == {
        "limit": "500",
        "labelSelector": "app=web",
        "fieldSelector": "status.phase=Running",
    }
    assert second.query["continue"] == "next"


def test_list_begins_again_when_a_page_is_too_old(cluster: Cluster, api: FakeApi) -> None:
    api.on(
        "GET",
        "/api/v1/pods",
        listed({"metadata": {"name": "a"}}, more="next"),
        refused(410, "Expired", "too old"),
        listed({"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}),
    )
    assert len(cluster.list(resources.POD)) == 2
    assert api.requests("GET", "/api/v1/pods")[-1].query == {"limit": "0"}


def test_limited_list_takes_one_page(cluster: Cluster, api: FakeApi) -> None:
    api.on("GET", "/api/v1/pods", listed({"metadata": {"name": "a"}}, more="next"))
    assert len(cluster.list(resources.POD, limit=1)) == 1
    assert len(api.requests("GET", "/api/v1/pods")) == 1


def test_gone_at_the_first_page_is_an_error(cluster: Cluster, api: FakeApi) -> None:
    api.on("GET", "/api/v1/pods", refused(410, "Expired", "too old"))
    with pytest.raises(ApiError, match="410"):
        cluster.list(resources.POD)


def test_apply_is_strict_and_server_side(cluster: Cluster, api: FakeApi) -> None:
    api.on("PATCH", ECHO, Reply(POD))
    cluster.apply(POD)
    seen = api.requests("PATCH")[0]
    assert seen.query == {
        "fieldManager": "sixproof",
        "fieldValidation": "Strict",
        "force": "true",
    }
    assert seen.headers["content-type"] == "application/apply-patch+yaml"
    assert seen.body == POD


def test_dry_run_is_passed_on(cluster: Cluster, api: FakeApi) -> None:
    api.on("POST", PODS, Reply(POD))
    cluster.create(POD, dry_run=True)
    assert api.requests("POST")[0].query["dryRun"] == "All"


def test_patch_is_a_merge_patch(cluster: Cluster, api: FakeApi) -> None:
    api.on("PATCH", f"{ECHO}/status", Reply(POD))
    cluster.patch(resources.POD, "echo", {"status": {"phase": None}}, "web", subresource="status")
    seen = api.requests("PATCH")[0]
    assert seen.headers["content-type"] == "application/merge-patch+json"
    assert seen.body == {"status": {"phase": None}}


def test_strategic_patch_merges_lists(cluster: Cluster, api: FakeApi) -> None:
    api.on("PATCH", f"{ECHO}/status", Reply(POD))
    change = {"status": {"conditions": [{"type": "sixproof.dev/serving", "status": "True"}]}}
    cluster.patch(resources.POD, "echo", change, "web", subresource="status", strategic=True)
    seen = api.requests("PATCH")[0]
    assert seen.headers["content-type"] == "application/strategic-merge-patch+json"
    assert seen.body == change


def test_delete_returns_whether_it_was_there(cluster: Cluster, api: FakeApi) -> None:
    assert not cluster.delete(resources.POD, "echo", "web")
    api.on("DELETE", ECHO, Reply({}), refused(409, "Conflict", "no"))
    assert cluster.delete(resources.POD, "echo", "web", grace=0)
    assert api.requests("DELETE")[-1].body == {
        "propagationPolicy": "Background",
        "gracePeriodSeconds": 0,
    }
    with pytest.raises(ApiError, match="409"):
        cluster.delete(resources.POD, "echo", "web")


def test_delete_all_and_log(cluster: Cluster, api: FakeApi) -> None:
    api.on("DELETE", PODS, Reply({}))
    cluster.delete_all(resources.POD, "web", labels="a=b")
    assert api.requests("DELETE")[0].query == {"labelSelector": "a=b"}
    api.on("GET", f"{ECHO}/log", Reply("one\ntwo\n"))
    assert cluster.log("echo", "web", lines=2) == "one\ntwo\n"


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        ({"kind": "Pod"}, "apiVersion"),
        ({"apiVersion": "v1"}, "kind"),
        ({"apiVersion": "v1", "kind": "Pod"}, "metadata.namespace"),
    ],
)
def test_manifest_without_a_place(cluster: Cluster, manifest: dict[str, object], path: str) -> None:
    with pytest.raises(ManifestError) as caught:
        cluster.apply(manifest)
    assert caught.value.path == path


def test_kinds_are_discovered_once(cluster: Cluster, api: FakeApi) -> None:
    served = {
        "resources": [
            {"name": "tiers", "kind": "Tier", "namespaced": False, "verbs": ["list"]},
            {"name": "tiers/status", "kind": "Tier", "namespaced": False},
        ]
    }
    api.on("GET", "/apis/projectcalico.org/v3", Reply(served))
    for _ in range(2):
        tier = cluster.catalog.kind("projectcalico.org/v3", "Tier")
        assert tier == Kind("projectcalico.org/v3", "Tier", "tiers", namespaced=False)
        assert tier.verbs == ("list",)
    assert len(api.requests("GET", "/apis/projectcalico.org/v3")) == 1


def test_kind_that_is_not_served(cluster: Cluster, api: FakeApi) -> None:
    with pytest.raises(ApiError, match=r"does not serve Tier of projectcalico\.org/v3") as caught:
        cluster.catalog.kind("projectcalico.org/v3", "Tier")
    assert caught.value.status == 404
    api.on("GET", "/apis/projectcalico.org/v3", refused(503, "ServiceUnavailable", "down"))
    with pytest.raises(ApiError, match="down"):
        cluster.catalog.kinds("projectcalico.org/v3")


def test_kind_whose_crd_comes_later(cluster: Cluster, api: FakeApi) -> None:
    api.on("GET", "/apis/x.io/v1", Reply({"resources": []}))
    with pytest.raises(ApiError):
        cluster.catalog.kind("x.io/v1", "Thing")
    later_ = {"resources": [{"name": "things", "kind": "Thing", "namespaced": True}]}
    api.on("GET", "/apis/x.io/v1", Reply(later_))
    assert cluster.catalog.kind("x.io/v1", "Thing").plural == "things"


def test_groups_with_the_preferred_version_first(cluster: Cluster, api: FakeApi) -> None:
    group = {
        "name": "autoscaling",
        "versions": [{"version": "v1"}, {"version": "v2"}],
        "preferredVersion": {"version": "v2"},
    }
    api.on("GET", "/apis", Reply({"groups": [group]}))
    assert cluster.catalog.groups() == {"autoscaling": ("v2", "v1")}


def test_paths_are_quoted() -> None:
    assert resources.POD.path("a/b", "../x") == "/api/v1/namespaces/..%2Fx/pods/a%2Fb"
    assert resources.NODE.path("n", "ignored") == "/api/v1/nodes/n"
    assert str(resources.LEASE) == "leases.coordination.k8s.io"


class TestPatience:
    """A busy or restarting API server is waited for; a request is never doubled by that."""

    def test_busy_server(self, api: FakeApi, tmp_path: Path) -> None:
        api.on("GET", ECHO, refused(429, "TooManyRequests", "slow down"), Reply(POD))
        with serve(api) as url, Cluster.connect(kubeconfig(tmp_path / "k", url)) as cluster:
            assert cluster.get(resources.POD, "echo", "web") == POD

    def test_creation_that_may_have_happened_is_not_sent_again(
        self, api: FakeApi, tmp_path: Path
    ) -> None:
        api.on("POST", PODS, Reply(hang_up=True))
        with (
            serve(api) as url,
            Cluster.connect(kubeconfig(tmp_path / "k", url)) as cluster,
            pytest.raises(ApiError, match="no answer"),
        ):
            cluster.create(POD)
        assert len(api.requests("POST")) == 1

    def test_apply_is_sent_again(self, api: FakeApi, tmp_path: Path) -> None:
        api.on("PATCH", ECHO, Reply(hang_up=True), Reply(POD))
        with serve(api) as url, Cluster.connect(kubeconfig(tmp_path / "k", url)) as cluster:
            assert cluster.apply(POD) == POD

    @pytest.mark.parametrize(
        "reply",
        [
            refused(403, "Forbidden", "error looking up service account web/default: not found"),
            refused(500, "InternalError", "etcdserver: leader changed"),
            refused(409, "Conflict", "Operation cannot be fulfilled on resourcequotas"),
        ],
        ids=["service-account", "etcd", "quota"],
    )
    def test_refusal_that_passes_by_itself(
        self, api: FakeApi, tmp_path: Path, reply: Reply
    ) -> None:
        api.on("PATCH", ECHO, reply, Reply(POD))
        with serve(api) as url, Cluster.connect(kubeconfig(tmp_path / "k", url)) as cluster:
            assert cluster.apply(POD) == POD

    def test_server_that_restarts(self, api: FakeApi, tmp_path: Path) -> None:
        port = free_port()
        with serve(api, port) as url:
            cluster = Cluster.connect(kubeconfig(tmp_path / "k", url))
        second = FakeApi()
        second.on("GET", ECHO, Reply(POD))
        done = threading.Event()

        def restart() -> None:
            with serve(second, port):
                done.wait(10)

        thread = later(0.4, restart)
        with cluster:
            assert cluster.get(resources.POD, "echo", "web") == POD
        done.set()
        thread.join()

    def test_silence_outlasts_a_short_patience(self, api: FakeApi, tmp_path: Path) -> None:
        """A try that was met with silence costs more than a glance's patience all by itself."""
        api.on("GET", ECHO, Reply(POD, delay=2.0), Reply(POD))
        with (
            serve(api) as url,
            Cluster.connect(kubeconfig(tmp_path / "k", url), timeout=0.3, patience=5.0) as cluster,
        ):
            assert cluster.get(resources.POD, "echo", "web", patience=0.1) == POD
        assert len(api.requests("GET", ECHO)) == 2

    def test_patience_ends(self, api: FakeApi, tmp_path: Path) -> None:
        api.on("GET", ECHO, refused(503, "ServiceUnavailable", "still starting"))
        with (
            serve(api) as url,
            Cluster.connect(kubeconfig(tmp_path / "k", url), patience=0.5) as cluster,
            pytest.raises(ApiError, match="still starting"),
        ):
            cluster.get(resources.POD, "echo", "web")


class TestThreads:
    """One cluster, many threads."""

    def test_results_keep_their_order(self, cluster: Cluster, api: FakeApi) -> None:
        def respond(seen: Seen) -> Reply:
            return Reply({"metadata": {"name": seen.path.rpartition("/")[2]}})

        names = [f"pod-{i}" for i in range(40)]
        for name in names:
            api.compute("GET", f"{PODS}/{name}", respond)
        found = cluster.gather(
            functools.partial(cluster.get, resources.POD, n, "web") for n in names
        )
        assert [f["metadata"]["name"] for f in found] == names

    def test_first_error_is_raised_after_all_have_ended(self, cluster: Cluster) -> None:
        ended: list[int] = []

        def call(number: int) -> None:
            ended.append(number)
            if number % 2:
                raise ApiError(f"number {number}")

        with pytest.raises(ApiError, match="number 1"):
            cluster.gather(functools.partial(call, i) for i in range(20))
        assert sorted(ended) == list(range(20))

    def test_nested_gathering_does_not_starve(self, cluster: Cluster) -> None:
        def outer(number: int) -> int:
            return sum(cluster.gather(functools.partial(operator.mul, i, number) for i in range(3)))

        found = cluster.gather(functools.partial(outer, n) for n in range(30))
        assert found == [3 * n for n in range(30)]
