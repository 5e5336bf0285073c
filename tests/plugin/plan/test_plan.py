"""`--six-plan`: what a run of the selected tests makes, listed by what makes it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
import yaml

from tests.plugin.conftest import ROOT
from tests.plugin.simulated.cluster import SimulatedCluster
from tests.plugin.simulated.objects import Where
from tests.unit.kube.server import FakeApi, kubeconfig, listed, refused, serve

LEVEL = "pod-security.kubernetes.io/enforce"


def node(name: str, os: str = "linux") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/os": os}},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"operatingSystem": os},
        },
    }


@dataclasses.dataclass(frozen=True)
class Printed:
    """A plan as it is printed."""

    status: int
    text: str
    api: FakeApi

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The objects, the ClusterRole among them."""
        return [o for o in yaml.safe_load_all(self.text) if o]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The objects of a kind."""
        return [o for o in self.objects if o["kind"] == kind]

    def levels(self) -> dict[str, str]:
        """The Pod Security level of each namespace, by what follows the run in its name."""
        return {
            o["metadata"]["name"].split("-", 2)[2]: o["metadata"]["labels"][LEVEL]
            for o in self.of("Namespace")
        }


@pytest.fixture
def api() -> FakeApi:
    """An API server with two nodes that can run probes and one that cannot."""
    made = FakeApi()
    made.on("GET", "/api/v1/nodes", listed(node("one"), node("two"), node("win", "windows")))
    return made


def printed(
    api: FakeApi, tmp_path: Path, *arguments: str, output: IO[str] | int = subprocess.PIPE
) -> Printed:
    """The plan that a command line gives."""
    with serve(api) as url:
        config = kubeconfig(tmp_path / "kubeconfig", url)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--six-plan"]
        ran = subprocess.run(
            [*command, "--six-kubeconfig", str(config), *arguments],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )
    return Printed(ran.returncode, (ran.stdout or "") + ran.stderr, api)


def changes(api: FakeApi) -> Iterator[str]:
    """What was asked of the API server that may change something."""
    for seen in api.seen:
        if seen.method != "GET" and "dryRun" not in seen.query:
            yield f"{seen.method} {seen.path}"


def test_the_plan_of_one_suite_is_that_suites(api: FakeApi, tmp_path: Path) -> None:
    """Pods only: the probe topology, its lease and new pods; no policy, no service, nothing raw."""
    plan = printed(api, tmp_path, "suites/pods", "-n", "2")
    assert plan.status == 0
    kinds = {o["kind"] for o in plan.objects}
    assert kinds == {"Namespace", "Lease", "ConfigMap", "Secret", "Pod", "ClusterRole"}
    assert plan.levels() == dict.fromkeys("abc", "restricted") | {"host": "privileged"}
    assert "win (runs windows; probe pods need linux)" in plan.text
    assert list(changes(api)) == []


def test_the_plan_of_everything_names_what_is_beyond_restricted(
    api: FakeApi, tmp_path: Path
) -> None:
    """NET_RAW as root, the HostPort, services, policies and accounts, for each process."""
    plan = printed(
        api,
        tmp_path,
        *("suites", "-n", "2", "--six-raw", "on", "--six-generate", "5"),
        *("--six-pull-secret", "mirror"),
    )
    assert plan.status == 0
    privileged = {role for role, level in plan.levels().items() if level == "privileged"}
    assert privileged == {"host", "hostport", "raw-gw0", "raw-gw1"}
    raw = [p for p in plan.of("Pod") if "-raw-" in p["metadata"]["namespace"]]
    assert len(raw) == 8
    assert all(p["spec"]["securityContext"]["runAsUser"] == 0 for p in raw)
    assert "4 Pod (NET_RAW as root)" in plan.text
    assert "1 Pod (HostPort 28088)" in plan.text
    kinds = {o["kind"] for o in plan.objects}
    assert {"Service", "EndpointSlice", "NetworkPolicy", "ServiceAccount", "Secret"} <= kinds
    drawn = {p["metadata"]["name"] for p in plan.of("NetworkPolicy")}
    assert "g0" in drawn
    for name in ("mirror", "sixproof-key"):
        homes = [
            s["metadata"]["namespace"]
            for s in plan.of("Secret")
            if s["metadata"]["name"] == name and set(s["data"].values()) <= {"(not shown)"}
        ]
        assert len(homes) == len(set(homes)) == len(plan.levels())
    (role,) = plan.of("ClusterRole")
    verbs = {
        (r["apiGroups"][0], r["resources"][0]): set(r["verbs"])
        for r in role["rules"]
        if "resourceNames" not in r
    }
    assert {"get", "create"} <= verbs["", "pods/exec"]
    copied = [r["verbs"] for r in role["rules"] if r.get("resourceNames") == ["mirror"]]
    assert copied == [["get"]]
    for made in {o["kind"].lower() for o in plan.objects} - {"clusterrole", "endpointslice"}:
        (granted,) = [
            {v for rule in role["rules"] if rule["resources"] == [plural] for v in rule["verbs"]}
            for plural in (made.replace("policy", "policie") + "s",)
        ]
        assert {"create", "patch"} <= granted, made
    assert list(changes(api)) == []


@pytest.mark.parametrize(
    ("workers", "processes"),
    [
        (("--tx", "3*popen", "-d"), {"gw0", "gw1", "gw2"}),
        (("--tx", "3*popen"), {"master"}),
        (("-p", "no:xdist"), {"master"}),
    ],
    ids=["tx", "tx that nothing is distributed to", "no xdist"],
)
def test_each_process_that_would_run_tests_is_planned(
    api: FakeApi, tmp_path: Path, workers: tuple[str, ...], processes: set[str]
) -> None:
    """However xdist is asked for them."""
    plan = printed(api, tmp_path, "suites/mtu", "--six-raw", "on", *workers)
    assert plan.status == 0, plan.text
    raw = {role.removeprefix("raw-") for role in plan.levels() if role.startswith("raw-")}
    assert raw == processes


def test_no_plan_is_made_of_what_cannot_be_collected(api: FakeApi, tmp_path: Path) -> None:
    """The file is named, with what is wrong with it, and nothing else is printed."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "test_broken.py").write_text("def test_broken(:\n", encoding="utf-8")
    plan = printed(api, tmp_path, "suites/pods", str(folder))
    assert plan.status == 2
    assert "not all tests could be collected: " in plan.text
    assert "test_broken.py (SyntaxError: invalid syntax)" in plan.text
    assert "Traceback" not in plan.text
    assert api.seen == []


def test_a_plan_that_cannot_be_written_is_one_line(api: FakeApi, tmp_path: Path) -> None:
    """A full disk: no traceback, and not the status of a plan that was printed."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        plan = printed(api, tmp_path, "suites/pods", output=full)
    assert plan.status == 4
    assert "error: standard output cannot be written: No space left on device" in plan.text
    assert "Traceback" not in plan.text


@pytest.mark.parametrize(("disruptive", "pools"), [("auto", 0), ("on", 8), ("off", 0)])
def test_own_pools_are_planned_where_they_may_be_made(
    tmp_path: Path, disruptive: str, pools: int
) -> None:
    """With their pods, the namespace, and the rules; otherwise none of it."""
    plan = printed(
        SimulatedCluster(), tmp_path, "suites/calico/test_pools.py", "--six-disruptive", disruptive
    )
    assert plan.status == 0, plan.text
    made = plan.of("IPPool")
    assert len(made) == pools
    (role,) = plan.of("ClusterRole")
    verbs = {v for r in role["rules"] if r["resources"] == ["ippools"] for v in r["verbs"]}
    assert ({"create", "patch", "delete"} <= verbs) is bool(pools)
    asking = [p for p in plan.of("Pod") if p["metadata"]["namespace"].endswith("-pools-master")]
    assert bool(asking) is bool(pools)
    assert any("annotations" in p["metadata"] for p in asking) is bool(pools)
    roles = {p["metadata"]["name"].split("-")[0] for p in asking}
    wanted = {"masked", "bare", "unasked", "holder", "plain", "missing", "disabled"}
    assert roles == (wanted if pools else set())
    assert list(changes(plan.api)) == []


@pytest.mark.parametrize(("disruptive", "services"), [("auto", 0), ("on", 10)])
def test_load_balancers_are_planned_where_they_may_be_made(
    tmp_path: Path, disruptive: str, services: int
) -> None:
    """With the services and backends that they share; otherwise none of it."""
    chosen = ("suites/loadbalancer", "--six-disruptive", disruptive)
    plan = printed(SimulatedCluster(), tmp_path, *chosen)
    assert plan.status == 0, plan.text
    made = [s for s in plan.of("Service") if s["spec"].get("type") == "LoadBalancer"]
    assert len(made) == services
    assert bool(plan.of("Service")) is bool(services)
    assert list(changes(plan.api)) == []


@pytest.mark.parametrize(("disruptive", "made"), [("auto", 0), ("on", 1)])
def test_a_host_is_guarded_only_where_it_may_be(tmp_path: Path, disruptive: str, made: int) -> None:
    """One worker, by one process, with its policy and the rule; otherwise none of it."""
    suite = "suites/felix/test_failsafe.py"
    asked = (suite, "-n", "2", "--six-disruptive", disruptive)
    plan = printed(SimulatedCluster(), tmp_path, *asked)
    assert plan.status == 0, plan.text
    guarded = plan.of("HostEndpoint")
    assert len(guarded) == len(plan.of("GlobalNetworkPolicy")) == made
    assert all(one["spec"]["node"] != "six-control-plane" for one in guarded)
    (role,) = plan.of("ClusterRole")
    verbs = {v for r in role["rules"] if r["resources"] == ["hostendpoints"] for v in r["verbs"]}
    assert ({"create", "delete"} <= verbs) is bool(made)
    assert list(changes(plan.api)) == []


@pytest.mark.parametrize("metrics", [False, True])
def test_pods_that_felix_is_to_take_over_are_planned_where_it_serves_metrics(
    tmp_path: Path, metrics: bool
) -> None:
    """One a node; without metrics nothing would be made."""
    api = SimulatedCluster()
    where = Where("/apis/projectcalico.org/v3", "felixconfigurations", "", "default")
    spec = {"prometheusMetricsEnabled": metrics}
    api.objects.keep(where, {"metadata": {"name": "default"}, "spec": spec})
    plan = printed(api, tmp_path, "suites/felix/test_state.py")
    assert plan.status == 0, plan.text
    names = [one["metadata"]["name"] for one in plan.of("Pod")]
    started = [name for name in names if name.startswith("new")]
    assert len(started) == (3 if metrics else 0)


def test_where_nodes_cannot_be_read_the_rules_are_printed(api: FakeApi, tmp_path: Path) -> None:
    """Whoever has no rights yet gets the rules to ask for."""
    api.on("GET", "/api/v1/nodes", refused(403, "Forbidden", "nodes is forbidden"))
    plan = printed(api, tmp_path, "suites/pods")
    assert plan.status == 0
    assert plan.of("ClusterRole")
    assert "no node can be seen" in plan.text
    assert {p["metadata"]["name"] for p in plan.of("Pod")} >= {"a-node", "host-node"}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("suites", "-k", "typo"), 5), (("suites", "--six-nodes", "three"), 4), (("nowhere",), 4)],
)
def test_a_plan_of_nothing_is_none(
    api: FakeApi, tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    """What a run would refuse its plan refuses as well."""
    plan = printed(api, tmp_path, *arguments)
    assert (plan.status, "kind: Pod" in plan.text) == (status, False)
