import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from testbed.cluster import health
from testbed.cluster.kube import Kubectl
from testbed.host.command import Result
from testbed.variants import variant
from tests.unit.testbed.test_teardown import FakeEngine


def deployment(ready: int, updated: int, observed: int = 3) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "coredns", "generation": 3},
        "spec": {"replicas": 2},
        "status": {
            "readyReplicas": ready,
            "updatedReplicas": updated,
            "observedGeneration": observed,
        },
    }


@pytest.mark.parametrize(
    ("ready", "updated", "observed", "ok"),
    [(2, 2, 3, True), (1, 2, 3, False), (2, 1, 3, False), (2, 2, 2, False), (3, 2, 3, False)],
)
def test_a_deployment_is_whole_when_all_of_its_newest_pods_are_ready(
    ready: int, updated: int, observed: int, ok: bool
) -> None:
    check = health.workload_check(deployment(ready, updated, observed))
    assert (check.ok, check.seen) == (ok, f"{ready} of 2 ready")


def test_a_daemon_set_without_a_status_is_not_whole() -> None:
    item = {"kind": "DaemonSet", "metadata": {"name": "calico-node", "generation": 1}}
    assert not health.workload_check(item).ok


@pytest.mark.parametrize(("status", "ok"), [("True", True), ("False", False), ("Unknown", False)])
def test_a_node_counts_when_it_is_ready(status: str, ok: bool) -> None:
    node = {
        "metadata": {"name": "six-worker"},
        "spec": {"podCIDRs": ["10.244.1.0/24", "fd00:10:244:1::/64"]},
        "status": {"conditions": [{"type": "Ready", "status": status}]},
    }
    assert health.node_check(node).ok is ok


def test_calicos_api_counts_when_the_aggregator_reaches_it() -> None:
    served = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
    assert health.api_check(served).ok
    assert not health.api_check({"status": {}}).ok


def seen_of(name: str) -> list[health.Check]:
    """What is checked of a variant's cluster of which the API server knows nothing."""
    nothing = Result((), 0, json.dumps({"items": []}), "")
    engine = FakeEngine({"exec": [nothing]})
    return list(health.cluster(Kubectl(engine, "node"), variant.load(name)))


def test_what_must_run_follows_from_the_network_plugin() -> None:
    assert {check.name for check in seen_of("dual") if not check.ok} == {
        *("kube-proxy", "coredns", "calico-node", "calico-kube-controllers", "calico-apiserver"),
        "projectcalico.org/v3",
    }
    absent = {check.name for check in seen_of("kindnet") if not check.ok}
    assert absent == {"kube-proxy", "coredns", "kindnet"}


@pytest.mark.parametrize(
    ("name", "listed", "seen"),
    [
        ("bgp", "ippool.x/load-balancer-ipv4\nippool.x/load-balancer-ipv6\n", [True, True]),
        ("bgp", "ippool.x/load-balancer-ipv6\nippool.x/default-ipv4-ippool\n", [False, True]),
        ("rr", "", []),
    ],
)
def test_a_bed_with_load_balancer_addresses_has_their_pools(
    name: str, listed: str, seen: list[bool]
) -> None:
    engine = FakeEngine({"exec cp kubectl": [Result((), 0, listed, "")]})
    checks = health.balancing(Kubectl(engine, "cp"), variant.load(name))
    assert [check.ok for check in checks] == seen


def pinged(places: Sequence[str], workers: int) -> list[str]:
    """What nodes ping when DNS pods run on these of a bed's nodes."""
    pods = [
        {
            "spec": {"nodeName": name},
            "status": {"podIPs": [{"ip": f"10.0.0.{n}"}, {"ip": f"::{n}"}]},
        }
        for n, name in enumerate(places)
    ]
    listed = Result((), 0, json.dumps({"items": pods}), "")
    engine = FakeEngine({"exec six-control-plane kubectl": [listed]})
    kubectl = Kubectl(engine, "six-control-plane")
    bed = replace(variant.load(), workers=workers)
    assert all(check.ok for check in health.across(engine, kubectl, bed))
    commands: list[str] = engine.commands[1:]  # type: ignore[attr-defined]
    return [line.removeprefix("exec ").replace(" ping -c1 -W1", "") for line in commands]


def test_every_node_reaches_dns_pods_on_others_over_both_families() -> None:
    assert pinged(["six-worker", "six-control-plane"], workers=1) == [
        "six-control-plane 10.0.0.0",
        "six-control-plane ::0",
        "six-worker 10.0.0.1",
        "six-worker ::1",
    ]


def test_a_node_that_is_alone_reaches_its_own() -> None:
    assert pinged(["six-control-plane"] * 2, workers=0) == [
        "six-control-plane 10.0.0.0",
        "six-control-plane ::0",
        "six-control-plane 10.0.0.1",
        "six-control-plane ::1",
    ]
