"""Policies where addresses are translated on the way: clusterIPs, NodePorts, a pod to itself.

With kube-proxy, policy at the source sees the pod behind a clusterIP, but the node behind another
node's NodePort; policy at the destination sees the client, unless a node masquerades on the way.
"""

from __future__ import annotations

import pytest

from fixtures.policy import case, cases
from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.policy import ClusterSnapshot
from sixproof.workloads.policy.cases import PolicyCase
from sixproof.workloads.policy.frontends import ServiceFrontends

pytestmark = [pytest.mark.feature("Policy and services"), pytest.mark.covers("N1")]


@pytest.mark.story("clusterIP and NodePort")
@pytest.mark.parametrize("case", cases(36, 37), ids=str)
def test_policies_see_addresses_after_translation(
    case: PolicyCase,
    policy_checker: PolicyChecker,
    frontends: ServiceFrontends,
    snapshot_with_frontends: ClusterSnapshot,
) -> None:
    """The ports and peers of a rule are matched against the pods behind a service, not against the
    service itself."""
    policy_checker.must_hold_at(case, frontends, snapshot_with_frontends)


@pytest.mark.story("a pod to itself")
def test_a_pod_reaches_its_own_address_whatever_isolates_it(
    policy_checker: PolicyChecker,
    frontends: ServiceFrontends,
    snapshot_with_frontends: ClusterSnapshot,
) -> None:
    """An isolated pod still reaches its own address.

    Whether it reaches itself through its own service is left open by the API.
    """
    policy_checker.must_hold_at(case("40-hairpin"), frontends, snapshot_with_frontends)


@pytest.mark.story("a pod to itself")
def test_cluster_wide_policies_apply_to_a_pod_that_reaches_itself_by_its_service(
    policy_checker: PolicyChecker,
    frontends: ServiceFrontends,
    snapshot_with_frontends: ClusterSnapshot,
) -> None:
    """A pod that reaches itself through its own service is subject to the administrator's
    policies."""
    policy_checker.must_hold_at(case("70-hairpin"), frontends, snapshot_with_frontends)


@pytest.mark.story("clusterIP and NodePort")
@pytest.mark.covers("N2")
def test_a_rule_for_a_service_means_the_pods_behind_it(
    policy_checker: PolicyChecker,
    frontends: ServiceFrontends,
    snapshot_with_frontends: ClusterSnapshot,
) -> None:
    """A Calico rule for a service allows the service's endpoints and their ports, through every
    service frontend."""
    policy_checker.must_hold_at(case("59-to-service"), frontends, snapshot_with_frontends)
