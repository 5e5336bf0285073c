"""Policies as people write them, several at once: the guide's own, over its whole set of pods."""

from __future__ import annotations

import pytest

from fixtures.policy_arena import case
from fixtures.policy_lab import Lab
from sixproof.policy import World
from sixproof.workloads.policy.doors import Doors
from sixproof.workloads.probe_pods.lanes import POD_LANES

pytestmark = pytest.mark.feature("Policy scenarios")


@pytest.mark.story("three tiers by NetworkPolicy")
@pytest.mark.covers("N1")
def test_three_tiers_talk_along_their_chain_only(lab: Lab) -> None:
    """Under default deny, web reaches api and api reaches db at their named ports, and no more."""
    lab.must_hold(case("81-guide-three-tiers"), POD_LANES)


@pytest.mark.story("Calico policy with selectors and IPv6 nets")
@pytest.mark.covers("N2")
def test_calico_policy_rules_by_selector_net_port_and_namespace(lab: Lab) -> None:
    """One Calico policy opens api by label, by IPv6 net and by another namespace's label."""
    lab.must_hold(case("82-guide-calico"), POD_LANES)


@pytest.mark.story("global egress policy")
@pytest.mark.covers("N3")
def test_egress_stays_within_unique_local_addresses_but_for_a_label(lab: Lab) -> None:
    """Pods reach unique local addresses over IPv6 and nothing else; one tier is free."""
    lab.must_hold(case("83-guide-global"), (POD_LANES[0], POD_LANES[2]))


@pytest.mark.story("tiers")
@pytest.mark.covers("N4")
def test_a_security_tier_decides_before_the_teams_own_policies(lab: Lab) -> None:
    """A security tier denies by namespace label, lets ICMPv6 in, and passes the rest on."""
    lab.must_hold(case("84-guide-tiers"), (POD_LANES[0], POD_LANES[2], *lab.echo))


@pytest.mark.story("complete deployment")
@pytest.mark.covers("X1")
def test_a_deployment_is_reached_through_its_service_by_whom_it_allows(
    lab: Lab, doors: Doors, world_with_doors: World
) -> None:
    """Behind a dual-stack service, pods answer whom their policies name, at every door."""
    lab.must_hold_at(case("85-guide-deployment"), doors, world_with_doors)
