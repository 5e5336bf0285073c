"""Every policy case, against the oracle: readable, harmless to others, and proving something."""

from __future__ import annotations

import ipaddress

import pytest

from fixtures.policy import case, cases
from sixproof.errors import ManifestError
from sixproof.model import Outcome
from sixproof.policy import CALICO_3_31, Oracle
from sixproof.workloads.policy import cases as policy_cases
from sixproof.workloads.policy.cases import PolicyCase
from sixproof.workloads.policy.policy_namespaces import POLICY_NAMESPACES
from sixproof.workloads.probe_pods.ports import ICMP, POD_PORTS
from tests.unit.workloads.policy.policy_snapshot_sample import FACTS, SCENE, WORLD

VALUES = policy_cases.values(SCENE, FACTS)
EVERYTHING_STAYS_OPEN = {
    "02-allow-all", "08-selects-no-pod", "29-everything", "52-selects-nothing", "62-staged"
}  # fmt: skip


def outcomes(of: PolicyCase) -> set[frozenset[Outcome]]:
    """What the oracle expects of all flows of the policy namespaces under a case."""
    oracle = Oracle.of(of.manifests(SCENE, VALUES), WORLD, CALICO_3_31)
    flows = SCENE.flows((*POD_PORTS, ICMP), SCENE.families())
    return {oracle.judge(flow).expectation().outcomes for flow in flows}


@pytest.mark.parametrize("of", cases(0, 99), ids=str)
def test_a_case_is_read_by_the_oracle_and_denies_what_it_says(of: PolicyCase) -> None:
    assert of.title
    assert not of.lacks(VALUES)
    seen = outcomes(of)
    assert {Outcome.ALLOWED} in seen
    assert ({Outcome.DROPPED} in seen) != (of.name in EVERYTHING_STAYS_OPEN)


def test_one_case_is_open_by_the_api() -> None:
    undefined = {Outcome.ALLOWED, Outcome.DROPPED}
    assert [c.name for c in cases(0, 99) if undefined in outcomes(c)] == ["66-equal-priority"]


def test_a_case_says_what_a_cluster_lacks() -> None:
    assert case("26-v4-block-only").lacks({}) == ("shop",)
    assert case("28-both-in-one-rule").lacks({"shop": "x", "blog/web.v4": "192.0.2.1"}) == (
        "blog/web.v6",
    )


def test_objects_carry_the_run_and_the_policy_namespaces() -> None:
    (policy,) = case("01-ingress-absent").manifests(SCENE, VALUES)
    labels = policy["metadata"]["labels"]
    assert (labels["sixproof.dev/run"], labels[POLICY_NAMESPACES]) == ("abc123", "abc123-gw0")
    assert policy["metadata"]["namespace"] == "six-abc123-gw0-shop"


CALICO = "projectcalico.org/v3"
ADMIN = "policy.networking.k8s.io/v1alpha1"
MINE = f"{POLICY_NAMESPACES} == 'abc123-gw0'"


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        pytest.param(
            {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "default"}},
            "its namespace is none of the policy namespaces",
            id="namespace",
        ),
        pytest.param(
            {"kind": "GlobalNetworkPolicy", "metadata": {"name": "p"}},
            "its name does not name the policy namespaces",
            id="name",
        ),
        pytest.param(
            {
                "kind": "GlobalNetworkPolicy",
                "metadata": {"name": "six-abc123-gw0-p"},
                "spec": {"selector": "all()"},
            },
            "it has no selector with",
            id="selector",
        ),
        pytest.param(
            {
                "kind": "GlobalNetworkPolicy",
                "metadata": {"name": "six-abc123-gw0-p"},
                "spec": {"selector": f"{MINE} || all()"},
            },
            "it has no selector with",
            id="either-selector",
        ),
        pytest.param(
            {
                "kind": "AdminNetworkPolicy",
                "metadata": {"name": "six-abc123-gw0-p"},
                "spec": {"subject": {"namespaces": {}}},
            },
            "its subject's namespaces",
            id="subject",
        ),
        pytest.param(
            {
                "kind": "BaselineAdminNetworkPolicy",
                "metadata": {"name": "default"},
                "spec": {"subject": {"pods": {"podSelector": {}}}},
            },
            "its subject's namespaces",
            id="subject-pods",
        ),
    ],
)
def test_a_policy_that_could_touch_others_is_refused(manifest: dict[str, object], why: str) -> None:
    with pytest.raises(ManifestError, match=why):
        policy_cases.own(manifest, SCENE)


def test_the_nodes_block_is_the_smallest_that_holds_them() -> None:
    block = ipaddress.ip_network(VALUES["nodes.v6"])
    assert str(block) == "2001:db8::/126"
    assert ipaddress.ip_network(VALUES["nodes.v4"]).prefixlen == 30


def test_every_pair_of_nodes_meets_in_every_pair_of_namespaces() -> None:
    pairs = {(a.node, b.node, a.namespace, b.namespace) for a in SCENE.pods for b in SCENE.pods}
    assert len(pairs) == 81
