"""An API server that takes requests and answers none: said, and soon over."""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixproof.errors import ApiError, NoAnswer
from sixproof.kube.access.silence import AFTERWARDS, SAY_EVERY, Silence, server_of
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.workers import WORKERS
from tests.unit.kube.server import FakeApi, Reply, kubeconfig, listed, refused, serve

PATIENCE = 3.0


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def silent(api: FakeApi, tmp_path: Path, said: list[str]) -> Iterator[Cluster]:
    """A cluster whose API server answered once, and then never again."""
    api.on("GET", "/api/v1/nodes", Reply(delay=60))
    with (
        serve(api) as url,
        Cluster.connect(
            kubeconfig(tmp_path / "k", url), timeout=0.5, patience=PATIENCE, say=said.append
        ) as cluster,
    ):
        yield cluster


def test_many_requests_share_one_patience(silent: Cluster, api: FakeApi, said: list[str]) -> None:
    """Of sixty requests each waited for its own: eight waves, one after the other."""
    begun = time.monotonic()
    with pytest.raises(ApiError, match=r"list nodes: .*silent"):
        silent.gather([functools.partial(silent.list, resources.NODE)] * 60)
    tries = len(api.requests("GET", "/api/v1/nodes"))
    assert tries < 8 * (PATIENCE / 0.5) + 8, f"{tries} in {time.monotonic() - begun:.1f} s"
    assert any("waiting for the API server" in line and "list nodes" in line for line in said)
    assert len(said) <= 1 + (time.monotonic() - begun) / SAY_EVERY


def test_who_has_little_time_asks_a_silent_server_once(silent: Cluster, api: FakeApi) -> None:
    """The first request uses up the time of all that come later, however late."""
    begun = time.monotonic()
    with silent.hasty(0.3) as hasty:
        for _ in range(3):
            with pytest.raises(NoAnswer, match="silent"):
                hasty.list(resources.NODE)
            time.sleep(0.2)
        with pytest.raises(NoAnswer, match="get pods web/a: not sent"):
            hasty.get(resources.POD, "a", "web")
        assert "list nodes" in hasty.given_up
    assert len(api.requests("GET", "/api/v1/nodes")) == 1
    assert time.monotonic() - begun < PATIENCE
    assert silent.given_up == ""


def test_who_has_little_time_asks_many_things_of_a_silent_server_at_once(
    silent: Cluster, api: FakeApi
) -> None:
    """A wave is sent, and what queued behind it is not."""
    with silent.hasty(0.3) as hasty, pytest.raises(NoAnswer):
        hasty.gather([functools.partial(hasty.list, resources.NODE)] * 30)
    assert len(api.requests("GET", "/api/v1/nodes")) <= WORKERS


def test_refusals_are_answers_to_who_has_little_time(silent: Cluster, api: FakeApi) -> None:
    """What may not be read says nothing about what comes next."""
    api.on("GET", "/api/v1/pods", refused(403, "Forbidden", "no"), listed())
    with silent.hasty(2.0) as hasty:
        with pytest.raises(ApiError, match="no"):
            hasty.list(resources.POD)
        assert hasty.list(resources.POD) == ()
        assert hasty.given_up == ""


def test_a_server_that_does_not_shake_hands_is_silent(api: FakeApi, tmp_path: Path) -> None:
    """So a process that hangs meets new connections: its kernel takes them."""
    with (
        serve(api) as url,
        Cluster.connect(kubeconfig(tmp_path / "k", url)) as cluster,
        socket.create_server(("127.0.0.1", 0)) as stopped,
    ):
        access = cluster.access
        access.configuration.host = f"https://127.0.0.1:{stopped.getsockname()[1]}"
        with cluster.hasty(0.3) as hasty:
            with pytest.raises(NoAnswer, match="TLS handshake") as first:
                hasty.list(resources.POD)
            with pytest.raises(NoAnswer, match="not sent"):
                hasty.list(resources.POD)
    assert first.value.silent


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def silence(clock: Clock, said: list[str]) -> Silence:
    return Silence(10.0, 2.0, said.append, clock)


PODS = "/api/v1/pods"
SILENT = NoAnswer("list pods: no answer", sent=True, silent=True)


def test_patience_is_counted_from_the_first_silence(said: list[str]) -> None:
    """Whoever comes later has what is left of it."""
    clock = Clock()
    heard = silence(clock, said)
    assert heard.patience(PODS, SILENT) > 0
    clock.now += 7
    assert heard.patience("/apis/apps/v1/deployments", SILENT) > 0
    clock.now += 2
    assert heard.patience("/apis/policy.networking.k8s.io/v1", SILENT) == 0
    assert said == ["waiting for the API server, 8 s more at most: list pods: no answer"]


def given_up(clock: Clock, said: list[str], path: str = PODS) -> Silence:
    """A silence in which a request was given up."""
    heard = silence(clock, said)
    heard.patience(path, SILENT)
    clock.now += 11
    assert heard.patience(path, SILENT) == 0
    return heard


def test_requests_that_queued_are_given_up_too(said: list[str]) -> None:
    """Those that come later, as for cleaning up, have a patience of their own."""
    clock = Clock()
    heard = given_up(clock, said)
    with pytest.raises(ApiError, match="get x: not sent, since the API server is silent"):
        heard.check(PODS, "get x")
    clock.now += AFTERWARDS + 1
    heard.check(PODS, "get x")
    assert heard.patience(PODS, SILENT) > 0


def test_any_answer_breaks_the_silence(said: list[str]) -> None:
    """Then everybody has the whole patience again."""
    heard = given_up(Clock(), said)
    heard.broken("/version")
    heard.check(PODS, "get x")
    assert heard.patience(PODS, SILENT) > 0


@pytest.mark.parametrize(
    ("silent", "well"),
    [("/apis/projectcalico.org/v3/ippools", PODS), (PODS, "/apis/example.com/v1")],
)
def test_extension_servers_are_silent_for_themselves(
    said: list[str], silent: str, well: str
) -> None:
    """Calico's answers over the network under test; others neither wait nor fail for it."""
    heard = given_up(Clock(), said, silent)
    heard.check(well, "get x")
    assert heard.patience(well, SILENT) > 0
    heard.broken(well)
    with pytest.raises(NoAnswer) as given_up_at_once:
        heard.check(silent, "get y")
    assert given_up_at_once.value.behind is (silent != PODS)


def test_refused_connections_keep_their_patience(said: list[str]) -> None:
    """That is how a restart of the API server looks, to requests that come late in it too."""
    clock = Clock()
    heard = silence(clock, said)
    error = NoAnswer("list pods: connection refused", sent=False)
    heard.patience(PODS, error)
    clock.now += 11
    assert heard.patience(PODS, error) == 10.0
    heard.check(PODS, "get x")


def test_who_has_little_time_gives_a_refused_connection_up_for_good(said: list[str]) -> None:
    """Its time counts from the first request; an answer before its end begins it anew."""
    clock = Clock()
    heard = Silence(3.0, 3.0, said.append, clock, final=True)
    error = NoAnswer("list pods: connection refused", sent=False)
    heard.check(PODS, "get x")
    clock.now += 2
    assert heard.patience(PODS, error) > 0
    heard.broken(PODS)
    heard.check(PODS, "get x")
    clock.now += 2
    assert heard.patience(PODS, error) > 0
    clock.now += 1
    assert heard.patience(PODS, error) == 0
    clock.now += 60
    heard.broken(PODS)
    with pytest.raises(NoAnswer, match="not sent"):
        heard.check(PODS, "get x")


def test_server_that_answers_again_is_waited_for(api: FakeApi, tmp_path: Path) -> None:
    """A short silence costs nothing but time."""
    api.on("GET", "/api/v1/nodes", Reply(delay=1.0), listed())
    with (
        serve(api) as url,
        Cluster.connect(kubeconfig(tmp_path / "k", url), timeout=0.5, patience=20) as cluster,
    ):
        assert cluster.list(resources.NODE) == ()


def test_custom_resources_are_of_the_api_server_itself() -> None:
    """Calico's store has no server of its own, its API has: each silence costs its own patience."""
    assert server_of("/apis/crd.projectcalico.org/v1/ippools") == server_of("/api/v1/nodes") == ""
    assert server_of("/apis/projectcalico.org/v3/ippools") == "projectcalico.org"
