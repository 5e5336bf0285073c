"""Policies follow what changes: their own rules, labels of pods and namespaces, new pods.

Every change must show in the whole matrix, over each family; the time it took is in the report.
"""

from __future__ import annotations

import pytest

from fixtures.policy_arena import case
from fixtures.policy_changes import Conversation, Nursery, Relabel
from fixtures.policy_lab import ENFORCED, LIFTED, Lab
from sixproof.workloads.probe_pods.lanes import POD_LANES

pytestmark = [pytest.mark.feature("Policy changes"), pytest.mark.covers("N1")]

LANES = (POD_LANES[0], POD_LANES[2])


@pytest.mark.story("update")
def test_an_updated_policy_takes_the_place_of_the_old_one(lab: Lab) -> None:
    """What the new rules allow works, and what only the old ones allowed does not."""
    old, new = lab.manifests(case("16-from-web")), lab.manifests(case("46-from-api"))
    flows = lab.flows(LANES)
    with lab.applied("from web", old, flows):
        lab.follow("from api instead", lambda: lab.apply(new), new, flows, "policy updated")


@pytest.mark.story("delete and create again")
def test_a_policy_that_is_made_again_is_enforced_again(lab: Lab) -> None:
    """Deleted and created anew under its old name, a policy holds as it did at first."""
    policy, flows = lab.manifests(case("04-deny-both")), lab.flows(LANES)
    with lab.applied("cut off", policy, flows):
        lab.follow("open again", lambda: lab.delete(policy), (), flows, LIFTED)
        lab.follow("cut off again", lambda: lab.apply(policy), policy, flows, ENFORCED)


@pytest.mark.story("labels of pods")
def test_a_relabelled_pod_is_the_peer_that_its_new_labels_make_it(
    lab: Lab, relabel: Relabel
) -> None:
    """A pod that gets a label that a rule names is let in, and shut out when it loses it."""
    policy, flows = lab.manifests(case("16-from-web")), lab.flows(LANES)
    with (
        lab.applied("from web", policy, flows),
        relabel.pod("blog/db", {"app": "web"}) as (arena, put_on),
    ):
        renamed = lab.flows(LANES, arena)
        lab.follow("blog/db is a web now", put_on, policy, renamed, "pod relabelled")


@pytest.mark.story("labels of pods")
def test_a_relabelled_pod_comes_under_the_policy_that_selects_it_now(
    lab: Lab, relabel: Relabel
) -> None:
    """A pod that gets the label that a policy selects by is isolated by it."""
    policy, flows = lab.manifests(case("16-for-back")), lab.flows(LANES)
    with (
        lab.applied("tier back is shut", policy, flows),
        relabel.pod("shop/db", {"tier": "back"}) as (arena, put_on),
    ):
        moved = lab.flows(LANES, arena)
        lab.follow("shop/db is in tier back now", put_on, policy, moved, "pod relabelled")


@pytest.mark.story("labels of namespaces")
def test_a_relabelled_namespace_is_the_peer_that_its_new_labels_make_it(
    lab: Lab, relabel: Relabel
) -> None:
    """The pods of a namespace that loses a label that a rule names are shut out."""
    policy, flows = lab.manifests(case("16-from-web")), lab.flows(LANES)
    with (
        lab.applied("from web of team blue", policy, flows),
        relabel.namespace("bank", {"team": "green"}) as (world, put_on),
    ):
        lab.follow(
            "bank is of team green now", put_on, policy, flows, "namespace relabelled", world
        )


@pytest.mark.story("new pods")
def test_a_new_pod_is_ruled_from_its_first_packet(lab: Lab, nursery: Nursery) -> None:
    """Policies that stand before a pod does let nothing slip while it starts, nor shut out what
    they allow once it is Ready; nobody has its neighbours in a cache yet.

    Why: new pods are isolated before they start, allow rules may come later (NetworkPolicy, "Pod
    lifecycle"); neighbour discovery must work under a policy that denies all (RFC 4890).
    """
    policies = lab.manifests(case("49-before-the-pod"))
    node = lab.arena.pod("blog/api").node
    nursery.must_be_ruled_from_birth("a new pod", policies, "shop", "db", node)


@pytest.mark.story("open flows")
def test_an_open_flow_goes_on_when_new_ones_are_denied(
    lab: Lab, conversation: Conversation
) -> None:
    """Of two namespaces that are parted, flows that were open go on, in each family, over UDP and
    TCP; no new one comes about.

    Why: the API leaves it open; Calico accepts what connection tracking knows before all policy.
    """
    policy, flows = lab.manifests(case("47-cut-off")), lab.flows(LANES)
    conversation.must_go_on("before")
    with conversation.held() as held, lab.applied("blog is cut off", policy, flows):
        conversation.must_go_on("flows that were open before the policy came")
        held.must_end_well("connections that were open before the policy came")
