"""Reading what diagnostic commands show: whole, in part, and with an end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import diagnostics
from sixproof.kube.facts.diagnostics import Part
from sixproof.kube.facts.discovery import CALICO_API, discover
from sixproof.model import ClusterFacts
from tests.unit.kube.recordings import bed, play
from tests.unit.kube.server import FakeApi, Reply, kubeconfig, listed, refused, serve

CALICO = "/apis/projectcalico.org/v3"
SYSTEM = "/api/v1/namespaces/kube-system"
BARE = ClusterFacts("https://api", "", ())


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is slow is the machine that plays the API server."""
    monkeypatch.setattr(diagnostics, "SECONDS", 60.0)


@pytest.fixture
def cluster(api: FakeApi, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose every answer is waited for."""
    with serve(api) as url, Cluster.connect(kubeconfig(tmp_path / "k", url)) as connected:
        yield connected


def named(name: str, **more: Any) -> dict[str, Any]:
    """An object."""
    return {"metadata": {"name": name}, **more}


def by_name(parts: tuple[Part, ...]) -> dict[str, Part]:
    """Parts by their names."""
    return {part.name: part for part in parts}


def test_a_recorded_cluster_is_read_in_a_few_bounded_requests(
    cluster: Cluster, api: FakeApi
) -> None:
    """Every part is there; what the recording lacks is a reason of its own part alone."""
    play(api, bed())
    facts = discover(cluster)
    before = len(api.seen)
    parts = diagnostics.read(cluster, facts, "abc123", calico_api=CALICO_API)
    asked = api.seen[before:]
    assert len(asked) < 35
    assert all(s.query.get("limit") == "301" for s in asked if s.query)
    found = by_name(parts)
    assert list(found) == sorted(found)
    assert [n["metadata"]["name"] for n in found["nodes"].objects] == [
        "six-control-plane",
        "six-worker",
        "six-worker2",
    ]
    assert len(found["calico/ippools"].objects) == 2
    assert found["calico/ippools"].problems == ()
    assert [d["metadata"]["name"] for d in found["components/configmaps"].objects] == [
        "calico-config",
        "kube-proxy",
    ], "that there is no ConfigMap coredns is no problem"
    assert found["components/configmaps"].problems == ()
    assert found["calico/ipamblocks"].problems == (
        "ipamblocks.crd.projectcalico.org: not served by this cluster",
    )
    assert found["nodes"].command == "kubectl get nodes -o yaml"


def test_what_is_refused_is_reported_once_and_the_rest_is_read(
    cluster: Cluster, api: FakeApi
) -> None:
    """403 names what grants it; an error of the server is quoted."""
    api.on("GET", "/api/v1/nodes", listed(named("a")))
    api.on("GET", f"{CALICO}/ippools", refused(403, "Forbidden", "no"))
    api.on("GET", f"{CALICO}/bgppeers", refused(500, "InternalError", "etcd is full"))
    found = by_name(diagnostics.read(cluster, BARE, "abc", calico_api=CALICO_API))
    assert found["calico/ippools"].problems == (
        "ippools.projectcalico.org: not allowed; --six-plan prints the rules",
    )
    assert "etcd is full" in found["calico/bgppeers"].problems[0]
    assert len(found["nodes"].objects) == 1


def test_without_calico_nothing_of_it_is_asked_for(cluster: Cluster, api: FakeApi) -> None:
    found = by_name(diagnostics.read(cluster, BARE, "abc"))
    assert [name for name in found if name.startswith("calico/")] == []
    assert [seen for seen in api.seen if "projectcalico" in seen.path] == []


def test_more_than_is_taken_is_cut_and_said(cluster: Cluster, api: FakeApi) -> None:
    api.on("GET", "/api/v1/nodes", listed(*(named(f"n{i:04}") for i in range(400))))
    part = by_name(diagnostics.read(cluster, BARE, "abc", only=["nodes"]))["nodes"]
    assert (len(part.objects), part.cut) == (diagnostics.MOST, True)


def test_events_are_warnings_the_newest_first(cluster: Cluster, api: FakeApi) -> None:
    """Of the components' namespaces and the run's; not more than are kept."""

    def event(number: int, kind: str = "Warning") -> dict[str, Any]:
        return named(f"e{number:03}", type=kind, lastTimestamp=f"2026-01-01T00:{number:02}:00Z")

    api.on("GET", "/api/v1/namespaces", listed(named("six-abc-a")))
    api.on("GET", f"{SYSTEM}/events", listed(event(1), event(5, "Normal"), event(3)))
    api.on("GET", "/api/v1/namespaces/six-abc-a/events", listed(event(2)))
    (part,) = diagnostics.read(cluster, BARE, "abc", only=["events"])
    assert [e["metadata"]["name"] for e in part.objects] == ["e003", "e002", "e001"]
    asked = {s.path: s.query for s in api.seen if s.path.endswith("/events")}
    assert {q["fieldSelector"] for q in asked.values()} == {"type=Warning"}


def test_who_is_in_a_hurry_is_not_kept_waiting(cluster: Cluster, api: FakeApi) -> None:
    """Nothing is asked, and every part says so."""
    before = len(api.seen)
    parts = diagnostics.read(cluster, BARE, "abc", hurried=lambda: True)
    assert len(api.seen) == before
    assert all("the run was to end at once" in part.problems[0] for part in parts)


def test_an_api_server_that_is_gone_is_not_asked_again_and_again(
    cluster: Cluster, api: FakeApi
) -> None:
    """Once no answer came, no further request is begun, and no error is raised: events are read
    after everything else, and not asked for any more."""
    for path in ("/api/v1/nodes", "/api/v1/pods", f"{SYSTEM}/pods", f"{SYSTEM}/services"):
        api.on("GET", path, Reply(hang_up=True))
    parts = by_name(diagnostics.read(cluster, BARE, "abc"))
    assert any("no answer" in p for part in parts.values() for p in part.problems)
    assert all("took too long" in p for p in parts["events"].problems)
    assert [s for s in api.seen if s.path.endswith("/events")] == []


def test_calico_s_own_silent_server_does_not_keep_the_rest_from_being_read(
    cluster: Cluster, api: FakeApi
) -> None:
    """Its silence may be what is wrong with the network."""
    api.on("GET", f"{CALICO}/ippools", Reply(hang_up=True))
    api.on("GET", f"{SYSTEM}/events", listed(named("e", type="Warning")))
    found = by_name(diagnostics.read(cluster, BARE, "abc", calico_api=CALICO_API))
    assert found["calico/ippools"].problems
    assert len(found["events"].objects) == 1


def test_no_request_is_begun_once_the_time_is_up(
    cluster: Cluster, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnostics, "SECONDS", -1.0)
    (part,) = diagnostics.read(cluster, BARE, "abc", only=["nodes"])
    assert part.problems == ("nodes: not read, the API server took too long",)
