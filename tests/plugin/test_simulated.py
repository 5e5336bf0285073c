"""Runs of the suites against a simulated cluster: what is right is green, and what the cluster does
wrong is red in the tests that are about it, in the family that it concerns, and nowhere else."""

from __future__ import annotations

import copy
import dataclasses
import functools
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import ROOT
from tests.plugin.simulated.cluster import SimulatedCluster
from tests.plugin.simulated.network import Sent
from tests.plugin.simulated.objects import Manifest, Where
from tests.plugin.simulated.streams import ExecSide
from tests.unit.kube.server import kubeconfig, serve

QUICK = ("--six-nodes=2", "--six-deny-timeout=0.4", "--six-settle-timeout=20", "--six-raw=off")
"""The cluster answers at once; who is slow is the machine that plays it."""


@dataclasses.dataclass(frozen=True)
class Ran:
    """A run, by its exit status, its terminal and its results."""

    status: int
    text: str
    results: dict[str, Any]

    def outcomes(self) -> Counter[str]:
        """How many tests ended how."""
        return Counter(str(case["outcome"]) for case in self.results["tests"])

    def of(self, outcome: str) -> set[str]:
        """The tests that ended so, by name."""
        return {
            case["nodeid"].rpartition("::")[2]
            for case in self.results["tests"]
            if case["outcome"] == outcome
        }

    @property
    def bad(self) -> set[str]:
        """The tests that ended badly."""
        return self.of("failed") | self.of("broken") | self.of("not proven")


@pytest.fixture
def simulated() -> SimulatedCluster:
    """A cluster in which everything is as it should be."""
    return SimulatedCluster()


def run(
    cluster: SimulatedCluster,
    home: Path,
    *arguments: str,
    only: str = "",
    at: str = "reports/latest",
) -> Ran:
    """A run of suites (``suites/...``) in a folder of its own; `only` is ``-k``, `at` the place of
    its report there."""
    chosen = [f"{ROOT}/{a}" if a.startswith("suites") else a for a in arguments]
    with serve(cluster) as url:
        config = kubeconfig(home / "kubeconfig", url)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *QUICK, *chosen]
        done = subprocess.run(
            [*command, "--six-kubeconfig", str(config), *(("-k", only) if only else ())],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
        )
    results = home / at / "results.json"
    assert results.exists(), done.stdout + done.stderr
    assert cluster.objects.list("namespaces") == []
    return Ran(done.returncode, done.stdout, json.loads(results.read_text()))


Test = Callable[..., None]


def with_a_second_try(test: Test) -> Test:
    """A busy machine gets one (decision 48): the cluster is played here, with time-outs that are
    short for a quiet one. What is wrong in the plugin is wrong both times."""

    @functools.wraps(test)
    def twice(**given: Any) -> None:
        try:
            test(**given)
        except AssertionError:
            home = given["tmp_path"] / "again"
            home.mkdir()
            test(**{**given, "simulated": SimulatedCluster(), "tmp_path": home})

    return twice


@pytest.mark.parametrize(
    ("suites", "passed"),
    [
        pytest.param(("suites/pods", "suites/preflight"), 50, id="pods"),
        pytest.param(("suites/nodes",), 10, id="nodes"),
        pytest.param(("suites/services",), 60, id="services"),
        pytest.param(("suites/dns",), 60, id="dns"),
        pytest.param(("suites/mtu",), 50, id="mtu"),
    ],
)
@with_a_second_try
def test_a_healthy_cluster_is_green(
    suites: tuple[str, ...],
    passed: int,
    simulated: SimulatedCluster,
    tmp_path: Path,
) -> None:
    """Every test passes, or says why this cluster cannot be asked; `passed` of them at least."""
    ran = run(simulated, tmp_path, *suites)
    assert (ran.status, ran.bad) == (0, set()), ran.text
    assert ran.outcomes()["passed"] >= passed, ran.text
    for family in ("IPv4", "IPv6"):
        assert f"  {family}  works " in ran.text


def crosses_nodes_over_ipv6(sent: Sent, met: Manifest) -> bool:
    """What a broken IPv6 tunnel loses."""
    return sent.family == "IPv6" and sent.source["spec"]["nodeName"] != met["spec"]["nodeName"]


@with_a_second_try
def test_a_broken_ipv6_tunnel_is_an_ipv6_only_failure(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """Tests of IPv6 between nodes fail, those of IPv4 and of one node pass."""
    simulated.network.faults.append(crosses_nodes_over_ipv6)
    only = "across_nodes or other_nodes or own_node or edge_of_the_full_mesh"
    ran = run(simulated, tmp_path, "suites/pods/test_reachability.py", only=only)
    across = "test_pods_reach_pods_on_other_nodes"
    lost = {f"{across}[IPv6-{protocol}]" for protocol in ("TCP", "UDP", "ICMP")}
    assert ran.status == 1
    assert ran.bad == {*lost, "test_families_agree_on_every_edge_of_the_full_mesh"}
    assert f"{across}[IPv4-TCP]" in ran.of("passed")
    assert "test_pods_reach_pods_on_their_own_node[IPv6-TCP]" in ran.of("passed")
    assert "class: IPv6-only failure" in ran.text
    assert "  IPv4  works " in ran.text
    assert "  IPv6  broken " in ran.text


def swallows_large_ipv6(sent: Sent, met: Manifest) -> bool:
    """What a tunnel does whose MTU is wrong and never reported to anybody."""
    return sent.size > 1300 and crosses_nodes_over_ipv6(sent, met)


@with_a_second_try
def test_a_path_that_swallows_large_packets_is_a_black_hole(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """Full packets, fragments and bulk of its family fail; small packets and IPv4 pass."""
    simulated.network.faults.append(swallows_large_ipv6)
    mtu = ("suites/mtu/test_path.py", "suites/mtu/test_bulk.py", "suites/pods/test_payload.py")
    ran = run(simulated, tmp_path, *mtu, "--six-connect-timeout=1", only="test_path or test_bulk")
    assert ran.status == 1
    assert {name for name in ran.bad if "IPv6" not in name} == set(), ran.text
    assert {name for name in ran.of("passed") if "IPv4" in name} >= {
        name.replace("IPv6", "IPv4") for name in ran.bad
    }
    assert "  IPv6  broken " in ran.text


@with_a_second_try
def test_without_a_service_proxy_no_service_answers(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """Backends answer at their own addresses, nobody does at a service's."""
    simulated.network.proxied = False
    quick = "--six-settle-timeout=1"
    only = "headless or host_network_take or a_cluster_ip or node_port or last_endpoint"
    ran = run(simulated, tmp_path, "suites/services", quick, only=only)
    assert ran.status == 1
    assert "test_backends_of_a_headless_service_answer_at_their_own_addresses" in ran.of("passed")
    assert "test_backends_on_the_host_network_take_their_share" in ran.of("failed")
    assert "test_without_its_last_endpoint_a_service_refuses" in ran.of("failed")


POLICIES = ("suites/policy/test_kubernetes.py", "suites/policy/test_changes.py")


@with_a_second_try
def test_policies_hold_at_every_frontend_of_a_service(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """They are matched against the pods behind it."""
    only = "after_translation or its_own_address or for_a_service"
    ran = run(simulated, tmp_path, "suites/policy/test_paths.py", only=only)
    assert (ran.status, ran.bad) == (0, set()), ran.text
    assert ran.outcomes() == Counter(passed=7), ran.text


@with_a_second_try
def test_no_policy_passes_where_nobody_enforces_any(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """Not even one that denies nothing: it is not shown to be in force."""
    simulated.network.enforces = False
    asked = ("suites/policy/test_generated.py", "--six-generate=1", "--six-settle-timeout=1")
    only = "02-allow-all or 04-deny-both or relabelled_namespace or set-1"
    ran = run(simulated, tmp_path, *POLICIES, *asked, only=only)
    isolate = "test_policies_isolate_the_pods_that_they_select"
    changed = "test_a_relabelled_namespace_is_the_peer_that_its_new_labels_make_it"
    random = "test_random_policies_do_what_the_oracle_says[set-1]"
    denying = {f"{isolate}[02-allow-all]", f"{isolate}[04-deny-both]", changed, random}
    assert ran.of("failed") == denying, ran.text
    assert ran.outcomes() == Counter(failed=4)
    assert "class: Policy leak" in ran.text
    assert "shrunk to " in ran.text, ran.text


@with_a_second_try
def test_policies_that_are_enforced_hold(simulated: SimulatedCluster, tmp_path: Path) -> None:
    """In the whole matrix, and whatever is changed while they stand."""
    only = "04-deny-both or 18- or test_changes"
    ran = run(simulated, tmp_path, *POLICIES, only=only)
    assert (ran.status, ran.bad) == (0, set()), ran.text
    assert ran.outcomes() == Counter(passed=10)


CLOSED = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "GlobalNetworkPolicy",
    "metadata": {"name": "closed"},
    "spec": {"selector": "all()", "types": ["Ingress", "Egress"]},
}


@with_a_second_try
def test_where_the_owner_closes_everything_nothing_is_proven(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """No test of flows is green, none blames the network, and the policy is named."""
    where = Where("/apis/projectcalico.org/v3", "globalnetworkpolicies", "", "closed")
    simulated.objects.keep(where, CLOSED)
    only = "own_node or first_full or nameserver or lookups or headless_name or at_all_or_by_name"
    ran = run(simulated, tmp_path, "suites/pods", "suites/dns", "suites/mtu", only=only)
    assert ran.status == 1
    assert ran.of("failed") | ran.of("broken") == set(), ran.text
    assert "test_pods_reach_pods_on_their_own_node[IPv6-TCP]" in ran.of("not proven")
    assert "GlobalNetworkPolicy closed" in ran.text
    kept = (tmp_path / "reports/latest/allure-results").glob("*-globals.json")
    (errors,) = (
        content["errors"]
        for content in (json.loads(p.read_text()) for p in kept)
        if "errors" in content
    )
    assert "GlobalNetworkPolicy closed" in errors[0]["message"]


@with_a_second_try
def test_where_the_owner_closes_everything_no_policy_is_shown_to_hold(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """Be it a case, one that changes, the user's own, a drawn one, or one at a service; nor is it
    known how pods leave a pool, whose addresses are judged all the same."""
    where = Where("/apis/projectcalico.org/v3", "globalnetworkpolicies", "", "closed")
    simulated.objects.keep(where, CLOSED)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/web.yaml").write_text(OWN, encoding="utf-8")
    asked = (f"--six-policies={tmp_path / 'own'}", "--six-generate=1", "--six-settle-timeout=1")
    cases = "02-allow or 04-deny or sees-the"
    only = f"{cases} or test_changes or test_own or set-1 or {SIZED} or {LEAVING}"
    ran = run(simulated, tmp_path, "suites/policy", *POOLS, *asked, only=only)
    assert ran.status == 1
    assert ran.of("failed") | ran.of("broken") == set(), ran.text
    assert {name.partition("[")[0] for name in ran.of("passed")} == {SIZED}, ran.text
    assert ran.outcomes()["not proven"] == 16, ran.text
    unproven = [case for case in ran.results["tests"] if case["outcome"] == "not proven"]
    assert all("by GlobalNetworkPolicy closed" in case["reason"] for case in unproven), ran.text


OWN = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-from-shop, namespace: store}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: shop}}}]
    ports: [{protocol: TCP, port: 8080}]
"""


@with_a_second_try
def test_policies_of_the_user_and_generated_ones_are_tried(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """On stand-ins for what they select, and as many random sets as are asked for."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "web.yaml").write_text(OWN, encoding="utf-8")
    asked = (f"--six-policies={own}", "--six-generate=1")
    ran = run(
        simulated, tmp_path, "suites/policy/test_own.py", "suites/policy/test_generated.py", *asked
    )
    assert (ran.status, ran.bad) == (0, set()), ran.text
    assert ran.outcomes() == Counter(passed=2), ran.text


POOLS = ("suites/calico/test_pools.py", "--six-disruptive=on", "--six-ready-timeout=8")


@with_a_second_try
def test_own_pools_do_what_they_say(simulated: SimulatedCluster, tmp_path: Path) -> None:
    """They serve who asks, by the way and the blocks that are theirs, and nobody else; no pool is
    left."""
    ran = run(simulated, tmp_path, *POOLS, "suites/calico/test_addresses.py", only=ASKED)
    assert (ran.status, ran.bad) == (0, set()), ran.text
    assert ran.outcomes()["passed"] >= 25, ran.text
    left = {pool["metadata"]["name"] for pool in simulated.objects.list("ippools")}
    assert left == {"default-ipv4-ippool", "default-ipv6-ippool"}


ASKED = "test_pools or api_server or route_to_every or ipam_blocks or that_select"
SERVED = "test_a_pod_gets_an_address_of_the_pool_that_its_annotation_names"
SIZED = "test_blocks_of_a_pool_have_its_block_size"
ALONE = "test_a_pool_of_manual_assignment_serves_only_pods_that_ask_for_it"
ROUTED = "test_packets_for_a_pool_take_the_way_that_its_encapsulation_means"
SEGMENT = "test_a_pool_that_selects_a_node_serves_it_and_no_other"
REFUSED = "test_a_pod_that_names_a_missing_or_disabled_pool_gets_no_address"
LEAVING = "test_pods_leave_their_pool_as_its_nat_outgoing_says"


def without_annotations(cluster: SimulatedCluster) -> None:
    """IPAM gives every pod what it gives any."""
    cluster.objects.ipam.heeds = False


def generous(cluster: SimulatedCluster) -> None:
    """IPAM gives anybody addresses of pools for those that ask, and no pod leaves its pool under
    its node's address."""
    cluster.objects.ipam.generous = True
    cluster.network.masks = False


def careless(cluster: SimulatedCluster) -> None:
    """Blocks are too small, pools serve nodes that they do not select, who asks for a pool that
    serves nobody gets another's address, all pods leave their pools under their node's address, and
    routes lead past the tunnels."""
    ipam = cluster.objects.ipam
    ipam.odd_size, ipam.selects, ipam.lenient = 1, False, True
    cluster.network.masks, cluster.network.tunnels = True, False


@pytest.mark.parametrize(
    ("broken", "red", "green"),
    [
        (without_annotations, {SERVED}, {ROUTED}),
        (generous, {ALONE, LEAVING}, {SERVED, SIZED}),
        (careless, {SIZED, ROUTED, SEGMENT, REFUSED, LEAVING}, {SERVED, ALONE}),
    ],
    ids=["annotations", "generous", "careless"],
)
@with_a_second_try
def test_what_calico_does_wrong_with_pools_is_red_in_its_test(
    broken: Callable[[SimulatedCluster], None],
    red: set[str],
    green: set[str],
    simulated: SimulatedCluster,
    tmp_path: Path,
) -> None:
    """In both families, and no test of something else."""
    broken(simulated)
    chosen = " or ".join({*red, *green})
    ran = run(simulated, tmp_path, *POOLS, only=chosen)
    assert ran.status == 1
    assert ran.of("broken") == set(), ran.text
    assert {name.partition("[")[0] for name in ran.of("failed")} == red, ran.text
    assert {name.partition("[")[0] for name in ran.of("passed")} >= green, ran.text
    for family in ("IPv4", "IPv6"):
        assert any(family in name for name in ran.of("failed")), ran.text


@with_a_second_try
def test_pools_are_made_only_where_they_may_be(simulated: SimulatedCluster, tmp_path: Path) -> None:
    """On a live cluster not unless asked for; the skip says how."""
    ran = run(simulated, tmp_path, "suites/calico/test_pools.py", only="block_size")
    assert ran.outcomes() == Counter(skipped=2), ran.text
    assert "enable: --six-disruptive on" in ran.text


FELIX = "suites/felix"
HEALTHY = "test_felix_says_on_every_node_that_it_is_healthy"
SCRAPED = "test_metrics_of_felix_can_be_scraped_on_every_node"
FOLLOWS = "test_felix_takes_a_change_over_on_every_node"
RULES = "test_felix_has_rules_of_each_family_in_the_backend_it_is_set_to"


def listening(cluster: SimulatedCluster) -> None:
    """Felix's endpoints are on, on every address."""
    where = Where("/apis/apps/v1", "daemonsets", "kube-system", "calico-node")
    daemon = copy.deepcopy(cluster.objects.get(where))
    assert daemon is not None
    daemon["spec"]["template"]["spec"]["containers"][0]["env"] += [
        {"name": "FELIX_HEALTHHOST", "value": "0.0.0.0"},  # noqa: S104
        {"name": "FELIX_PROMETHEUSMETRICSENABLED", "value": "true"},
    ]
    cluster.objects.keep(where, daemon)


@with_a_second_try
def test_felix_is_asked_over_both_families(simulated: SimulatedCluster, tmp_path: Path) -> None:
    """All that is on is green, what is off says how to switch it on."""
    listening(simulated)
    ran = run(simulated, tmp_path, FELIX)
    assert (ran.status, ran.bad) == (0, set()), ran.text
    asked = {f"{test}[{f}]" for test in (HEALTHY, SCRAPED, RULES) for f in ("IPv4", "IPv6")}
    assert ran.of("passed") == {*asked, FOLLOWS}
    assert len(ran.of("skipped")) == 4
    for enable in ("wireguardEnabledV6: true", "bpfEnabled: true", "--six-disruptive on"):
        assert f"enable: {enable}" in ran.text


@with_a_second_try
def test_felix_that_is_wrong_on_a_node_is_red_where_it_is(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """Deaf over IPv6 alone, and without rules of IPv6: neither touches IPv4. One of another node
    takes nothing over, though it answers and says that it is well."""
    listening(simulated)
    simulated.network.felix.deaf.add(("six-worker", "IPv6"))
    simulated.network.felix.bare.add(("six-worker", "IPv6"))
    simulated.network.felix.stuck.add("six-control-plane")
    quick = ("--six-settle-timeout=1", "--six-connect-timeout=0.5")
    ran = run(simulated, tmp_path, FELIX, *quick)
    assert ran.status == 1
    assert ran.bad == {*(f"{test}[IPv6]" for test in (HEALTHY, SCRAPED, RULES)), FOLLOWS}, ran.text
    assert "six-worker" in ran.text
    assert "took no update of the datastore" in ran.text


@with_a_second_try
def test_felix_as_it_is_installed_is_asked_for_what_is_on(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """Health on localhost, over IPv4; the rest says why not and how."""
    ran = run(simulated, tmp_path, FELIX)
    assert (ran.status, ran.of("passed")) == (0, {f"{HEALTHY}[IPv4]"}), ran.text
    for enable in ("FELIX_HEALTHHOST=0.0.0.0", "FELIX_PROMETHEUSMETRICSENABLED=true"):
        assert enable in ran.text


def test_a_stream_that_was_closed_takes_no_answer() -> None:
    """The cluster's side says so by the error that it ends on, at whatever moment it is closed."""
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(OSError, match="closed"):
        ExecSide(io.BytesIO(), closed).say(b"{}")


ADDRESSES = "test_load_balancers_have_an_address_of_each_family"
INSIDE = "test_load_balancers_answer_from_inside"


@pytest.mark.parametrize(
    ("given", "passed", "failed"),
    [
        (("IPv4", "IPv6"), {ADDRESSES, INSIDE}, set()),
        (("IPv4",), set(), {ADDRESSES, INSIDE}),
        ((), set(), set()),
    ],
    ids=["both", "IPv4 alone", "none"],
)
@with_a_second_try
def test_load_balancers_are_asked_where_somebody_gives_addresses(
    given: tuple[str, ...],
    passed: set[str],
    failed: set[str],
    simulated: SimulatedCluster,
    tmp_path: Path,
) -> None:
    """A family without an address is red; a cluster that gives none is not asked. No client stands
    outside of this one."""
    simulated.objects.balances = given
    arguments = ("suites/loadbalancer", "--six-disruptive=on", "--six-settle-timeout=3")
    ran = run(simulated, tmp_path, *arguments)
    assert (ran.of("passed"), ran.bad) == (passed, failed), ran.text
    if not given:
        assert "services of type LoadBalancer are given no address" in ran.text
    if failed:
        assert "has no IPv6 address" in ran.text


@with_a_second_try
def test_the_quick_profile_says_what_it_does_not_ask(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    """One policy alone; the rest is in the report, with how to ask it. Two processes leave out the
    same tests."""
    suites = ("suites/preflight", "suites/policy/test_kubernetes.py", "suites/services")
    ran = run(simulated, tmp_path, *suites, "-n", "2", "--six-profile=quick", only="isolate or aff")

    assert ran.status == 0, ran.text[-3000:]
    assert ran.of("passed") == {
        "test_policies_isolate_the_pods_that_they_select[01-ingress-absent]"
    }
    left = [case for case in ran.results["tests"] if "test_affinity" in case["nodeid"]]
    assert {(case["outcome"], case["reason"], case["enable"]) for case in left} == {
        ("skipped", "the quick profile does not ask this", "--six-profile full")
    }
    assert "the quick profile does not ask this" in ran.text
