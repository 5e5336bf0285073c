"""NetworkPolicy: what the API's documentation promises, in the whole matrix and over each family.

Each case applies policies to three namespaces of nine pods, waits until the matrix agrees with the
oracle, compares every cell, deletes them, and waits until everything works again. How long either
took is in the report, by family. Sources: the type documentation of networking.k8s.io/v1.
"""

from __future__ import annotations

import pytest

from fixtures.policy import cases
from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.workloads.policy.cases import PolicyCase
from sixproof.workloads.probe_pods.ports import POD_PORTS, TCP, UDP

pytestmark = [pytest.mark.feature("NetworkPolicy"), pytest.mark.covers("N1")]

ONE_PORT = (TCP, UDP)


@pytest.mark.quick("01-ingress-absent")
@pytest.mark.story("selection")
@pytest.mark.parametrize("case", cases(1, 10), ids=str)
def test_policies_isolate_the_pods_that_they_select(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """A policy isolates the pods that it selects, in its directions, and no others."""
    policy_checker.must_hold(case, ONE_PORT)


@pytest.mark.story("peers")
@pytest.mark.parametrize("case", cases(11, 16), ids=str)
def test_rules_let_in_the_peers_that_they_name(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """A rule allows the pods that its selectors match, from its own and from other namespaces."""
    policy_checker.must_hold(case, ONE_PORT)


@pytest.mark.story("ports")
@pytest.mark.parametrize("case", cases(18, 25), ids=str)
def test_rules_let_in_the_ports_that_they_name(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """A rule allows its ports by number, range and name, for its protocol only."""
    policy_checker.must_hold(case, POD_PORTS)


@pytest.mark.story("blocks")
@pytest.mark.parametrize("case", cases(26, 35), ids=str)
def test_blocks_match_their_own_family_only(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """An ipBlock matches its own family only; a policy with blocks of one family denies the other.

    Why: an IPv4-only policy on a dual-stack cluster cuts off IPv6, and IPv4 users do not notice.
    """
    policy_checker.must_hold(case, ONE_PORT)
