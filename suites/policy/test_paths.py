"""Policies where addresses are translated on the way: clusterIPs, NodePorts, a pod to itself.

With kube-proxy, policy at the source sees the pod behind a clusterIP, but the node behind another
node's NodePort; policy at the destination sees the client, unless a node masquerades on the way.
"""

from __future__ import annotations

import pytest

from fixtures.policy_arena import case, cases
from fixtures.policy_lab import Lab
from sixproof.policy import World
from sixproof.workloads.policy.cases import Case
from sixproof.workloads.policy.doors import Doors

pytestmark = [pytest.mark.feature("Policy and services"), pytest.mark.covers("N1")]


@pytest.mark.story("clusterIP and NodePort")
@pytest.mark.parametrize("case", cases(36, 37), ids=str)
def test_policies_see_addresses_after_translation(
    case: Case, lab: Lab, doors: Doors, world_with_doors: World
) -> None:
    """Ports and peers of a rule are those of the pods behind a service, not the service's own."""
    lab.must_hold_at(case, doors, world_with_doors)


@pytest.mark.story("a pod to itself")
def test_a_pod_reaches_its_own_address_whatever_isolates_it(
    lab: Lab, doors: Doors, world_with_doors: World
) -> None:
    """An isolated pod still reaches its own address.

    By its own service it may or may not: the API leaves that open.
    """
    lab.must_hold_at(case("40-hairpin"), doors, world_with_doors)


@pytest.mark.story("a pod to itself")
def test_an_administrator_rules_on_a_pod_that_reaches_itself_by_its_service(
    lab: Lab, doors: Doors, world_with_doors: World
) -> None:
    """A pod's own service leads it through the policies of the administrator."""
    lab.must_hold_at(case("70-hairpin"), doors, world_with_doors)


@pytest.mark.story("clusterIP and NodePort")
@pytest.mark.covers("N2")
def test_a_rule_for_a_service_means_the_pods_behind_it(
    lab: Lab, doors: Doors, world_with_doors: World
) -> None:
    """Calico's rule for a service opens its endpoints and their ports, at every door."""
    lab.must_hold_at(case("59-to-service"), doors, world_with_doors)
