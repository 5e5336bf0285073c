"""Policies follow changes: of their own rules, of labels of pods and namespaces, and new pods.

Every change must show in the whole matrix, over each family; the time it took is in the report.
"""

from __future__ import annotations

import pytest

from fixtures.policy import case
from sixproof.checks.policy.changes import EstablishedFlows, NewPods, Relabel
from sixproof.checks.policy.policy_checker import ENFORCED, LIFTED, PolicyChecker
from sixproof.workloads.probe_pods.ports import TCP, UDP

pytestmark = [pytest.mark.feature("Policy changes"), pytest.mark.covers("N1")]

PORT_SPECS = (TCP, UDP)


@pytest.mark.story("update")
def test_an_updated_policy_takes_the_place_of_the_old_one(policy_checker: PolicyChecker) -> None:
    """After a policy is updated, flows that the new rules allow work, and flows that only the old
    rules allowed are denied."""
    old, new = (
        policy_checker.manifests(case("16-from-web")),
        policy_checker.manifests(case("46-from-api")),
    )
    flows = policy_checker.flows(PORT_SPECS)
    with policy_checker.applied("from web", old, flows):
        policy_checker.follow(
            "from api instead", lambda: policy_checker.apply(new), new, flows, "policy updated"
        )


@pytest.mark.story("delete and create again")
def test_a_policy_that_is_made_again_is_enforced_again(policy_checker: PolicyChecker) -> None:
    """A policy that is deleted and created again with the same name is enforced as before."""
    policy, flows = policy_checker.manifests(case("04-deny-both")), policy_checker.flows(PORT_SPECS)
    with policy_checker.applied("cut off", policy, flows):
        policy_checker.follow(
            "open again", lambda: policy_checker.delete(policy), (), flows, LIFTED
        )
        policy_checker.follow(
            "cut off again", lambda: policy_checker.apply(policy), policy, flows, ENFORCED
        )


@pytest.mark.story("labels of pods")
def test_a_relabelled_pod_is_the_peer_that_its_new_labels_make_it(
    policy_checker: PolicyChecker, relabel: Relabel
) -> None:
    """A pod that gets a label named by a rule is allowed in, and denied again when it loses the
    label."""
    policy, flows = policy_checker.manifests(case("16-from-web")), policy_checker.flows(PORT_SPECS)
    with (
        policy_checker.applied("from web", policy, flows),
        relabel.pod("blog/db", {"app": "web"}) as (policy_namespaces, put_on),
    ):
        renamed = policy_checker.flows(PORT_SPECS, policy_namespaces)
        policy_checker.follow("blog/db is a web now", put_on, policy, renamed, "pod relabelled")


@pytest.mark.story("labels of pods")
def test_a_relabelled_pod_comes_under_the_policy_that_selects_it_now(
    policy_checker: PolicyChecker, relabel: Relabel
) -> None:
    """A pod that gets the label that a policy selects is isolated by this policy."""
    policy, flows = policy_checker.manifests(case("16-for-back")), policy_checker.flows(PORT_SPECS)
    with (
        policy_checker.applied("tier back is shut", policy, flows),
        relabel.pod("shop/db", {"tier": "back"}) as (policy_namespaces, put_on),
    ):
        moved = policy_checker.flows(PORT_SPECS, policy_namespaces)
        policy_checker.follow(
            "shop/db is in tier back now", put_on, policy, moved, "pod relabelled"
        )


@pytest.mark.story("labels of namespaces")
def test_a_relabelled_namespace_is_the_peer_that_its_new_labels_make_it(
    policy_checker: PolicyChecker, relabel: Relabel
) -> None:
    """When a namespace loses a label named by a rule, its pods are denied."""
    policy, flows = policy_checker.manifests(case("16-from-web")), policy_checker.flows(PORT_SPECS)
    with (
        policy_checker.applied("from web of team blue", policy, flows),
        relabel.namespace("bank", {"team": "green"}) as (snapshot, put_on),
    ):
        policy_checker.follow(
            "bank is of team green now", put_on, policy, flows, "namespace relabelled", snapshot
        )


@pytest.mark.story("new pods")
def test_policies_apply_to_a_new_pod_from_its_first_packet(
    policy_checker: PolicyChecker, new_pods: NewPods
) -> None:
    """Existing policies apply to a new pod from its first packet: they let no denied flow through
    while it starts, and block no allowed flow once it is Ready.

    No neighbour cache has the pod's address yet.

    Why: new pods are isolated before they start, allow rules may come later (NetworkPolicy, "Pod
    lifecycle"); neighbour discovery must work under a policy that denies all (RFC 4890).
    """
    policies = policy_checker.manifests(case("49-before-the-pod"))
    node = policy_checker.policy_namespaces.pod("blog/api").node
    new_pods.must_be_ruled_from_birth("a new pod", policies, "shop", "db", node)


@pytest.mark.story("open flows")
def test_an_open_flow_goes_on_when_new_ones_are_denied(
    policy_checker: PolicyChecker, established_flows: EstablishedFlows
) -> None:
    """When a policy isolates a namespace, established TCP and UDP flows continue in each family,
    and no new ones are possible.

    Why: the API leaves it open; Calico accepts packets of tracked connections before it evaluates
    policies.
    """
    policy, flows = policy_checker.manifests(case("47-cut-off")), policy_checker.flows(PORT_SPECS)
    established_flows.must_begin("before")
    with established_flows.held() as held, policy_checker.applied("blog is cut off", policy, flows):
        established_flows.must_go_on("flows that were open before the policy came")
        held.must_end_well("connections that were open before the policy came")
