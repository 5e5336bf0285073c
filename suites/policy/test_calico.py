"""Calico's own policies: order, tiers, entities, protocols, and how they combine with
NetworkPolicy.

Sources: the type documentation of projectcalico.org/v3. Global policies and tiers select only pods
of the policy namespaces.
"""

from __future__ import annotations

import pytest

from fixtures.policy import cases
from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.workloads.policy.cases import PolicyCase
from sixproof.workloads.probe_pods.ports import POD_PORTS, TCP, UDP

pytestmark = pytest.mark.feature("Calico policy")

ONE_PORT = (TCP, UDP)


@pytest.mark.story("order and tiers")
@pytest.mark.covers("N4")
@pytest.mark.parametrize("case", cases(51, 53), ids=str)
def test_policies_are_asked_in_their_order(case: PolicyCase, policy_checker: PolicyChecker) -> None:
    """Tiers are evaluated by order, and policies by order within a tier; the first rule that
    matches decides."""
    policy_checker.must_hold(case, ONE_PORT)


@pytest.mark.story("entities")
@pytest.mark.covers("N2", "N3")
@pytest.mark.parametrize("case", cases(54, 55), ids=str)
def test_rules_match_the_entities_that_they_name(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """Selectors match pods; nets match addresses of their own family.

    Why: a rule whose nets are all of one family is not programmed for the other at all.
    """
    policy_checker.must_hold(case, ONE_PORT)


@pytest.mark.story("ports")
@pytest.mark.covers("N2")
@pytest.mark.parametrize("case", cases(56, 56), ids=str)
def test_rules_match_the_ports_that_they_name(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """A Calico rule matches ports by number, range and name, and excludes those in notPorts."""
    policy_checker.must_hold(case, POD_PORTS)


@pytest.mark.story("protocols")
@pytest.mark.covers("N4")
@pytest.mark.parametrize("case", cases(57, 57), ids=str)
def test_rules_match_the_protocols_that_they_name(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """A Calico rule matches TCP and UDP by name and number, and ICMP and ICMPv6 only in their own
    family."""
    policy_checker.must_hold(case, (*ONE_PORT, *policy_checker.echo))


@pytest.mark.story("echo requests")
@pytest.mark.covers("N1")
@pytest.mark.parametrize("case", cases(42, 42), ids=str)
def test_isolation_holds_for_echo_requests(case: PolicyCase, policy_checker: PolicyChecker) -> None:
    """If the network plugin applies policy to ICMP, isolated pods answer no echo request.

    Why: ICMPv6 also carries neighbour discovery, which must continue to work (RFC 4890).
    """
    policy_checker.must_hold(case, (*ONE_PORT, *policy_checker.echo))


@pytest.mark.story("namespaces and accounts")
@pytest.mark.covers("N2", "N3")
@pytest.mark.parametrize("case", cases(58, 59, but=("59-to-service",)), ids=str)
def test_rules_match_namespaces_sets_and_accounts(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """A selector matches pods of the policy's own namespace, unless the rule or a global policy
    says otherwise."""
    policy_checker.must_hold(case, ONE_PORT)


@pytest.mark.story("beside NetworkPolicy")
@pytest.mark.covers("N3", "N4")
@pytest.mark.parametrize("case", cases(60, 62), ids=str)
def test_calico_policies_take_their_place_beside_network_policies(
    case: PolicyCase, policy_checker: PolicyChecker
) -> None:
    """NetworkPolicies are evaluated in tier default at order 1000; staged policies are not
    enforced."""
    policy_checker.must_hold(case, ONE_PORT)
