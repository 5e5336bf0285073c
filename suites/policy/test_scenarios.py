"""Policies as they are written in practice, several at once: those of the guide, over all its
pods."""

from __future__ import annotations

import pytest

from fixtures.policy import case
from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.policy import ClusterSnapshot
from sixproof.workloads.policy.frontends import ServiceFrontends
from sixproof.workloads.probe_pods.ports import POD_PORTS, TCP, UDP

pytestmark = pytest.mark.feature("Policy scenarios")


@pytest.mark.story("three tiers by NetworkPolicy")
@pytest.mark.covers("N1")
def test_three_tiers_talk_along_their_chain_only(policy_checker: PolicyChecker) -> None:
    """Under default deny, web reaches api and api reaches db at their named ports, and nothing else
    is allowed."""
    policy_checker.must_hold(case("81-guide-three-tiers"), POD_PORTS)


@pytest.mark.story("Calico policy with selectors and IPv6 nets")
@pytest.mark.covers("N2")
def test_calico_policy_rules_by_selector_net_port_and_namespace(
    policy_checker: PolicyChecker,
) -> None:
    """One Calico policy allows traffic to api by pod label, by IPv6 net and by another namespace's
    label, and denies the rest."""
    policy_checker.must_hold(case("82-guide-calico"), POD_PORTS)


@pytest.mark.story("global egress policy")
@pytest.mark.covers("N3")
def test_egress_stays_within_unique_local_addresses_but_for_a_label(
    policy_checker: PolicyChecker,
) -> None:
    """Under a global egress policy, pods reach only unique local IPv6 addresses and DNS; pods with
    an exempt label are not restricted."""
    policy_checker.must_hold(case("83-guide-global"), (TCP, UDP))


@pytest.mark.story("tiers")
@pytest.mark.covers("N4")
def test_a_security_tier_decides_before_the_teams_own_policies(
    policy_checker: PolicyChecker,
) -> None:
    """A security tier denies sources by namespace label, allows ICMPv6 echo requests, and passes
    the rest to the next tier."""
    policy_checker.must_hold(case("84-guide-tiers"), (TCP, UDP, *policy_checker.echo))


@pytest.mark.story("complete deployment")
@pytest.mark.covers("X1")
def test_a_deployment_is_reached_through_its_service_by_allowed_clients_alone(
    policy_checker: PolicyChecker,
    frontends: ServiceFrontends,
    snapshot_with_frontends: ClusterSnapshot,
) -> None:
    """Pods behind a dual-stack service answer exactly the clients that their policies allow,
    through every service frontend."""
    policy_checker.must_hold_at(case("85-guide-deployment"), frontends, snapshot_with_frontends)
