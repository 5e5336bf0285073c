"""Policies of the cluster's administrator: AdminNetworkPolicy and BaselineAdminNetworkPolicy.

Source: the network-policy-api, policy.networking.k8s.io/v1alpha1.
"""

from __future__ import annotations

import pytest

from fixtures.policy import cases
from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.workloads.policy.cases import PolicyCase
from sixproof.workloads.probe_pods.ports import POD_PORTS, TCP, UDP

pytestmark = [pytest.mark.feature("AdminNetworkPolicy"), pytest.mark.covers("N4")]

ONE_PORT = (TCP, UDP)


@pytest.mark.story("administrator over NetworkPolicy over baseline")
@pytest.mark.parametrize("case", cases(64, 67), ids=str)
def test_the_administrator_decides_first_and_the_baseline_last(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """In admin policies, Allow and Deny are final and Pass hands over to the next tier; selecting a
    pod does not isolate it."""
    policy_checker.must_hold(case, ONE_PORT)


@pytest.mark.story("ports")
@pytest.mark.parametrize("case", cases(68, 68), ids=str)
def test_ports_by_number_range_and_name(case: PolicyCase, policy_checker: PolicyChecker) -> None:
    """An AdminNetworkPolicy rule matches exactly the ports that it names, by number, range or name,
    on each destination."""
    policy_checker.must_hold(case, POD_PORTS)


@pytest.mark.story("host network")
@pytest.mark.parametrize("case", cases(69, 69), ids=str)
def test_nodes_are_neither_subjects_nor_peers(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """An AdminNetworkPolicy rule for pods does not apply to host-network pods."""
    policy_checker.must_hold(case, ONE_PORT)
