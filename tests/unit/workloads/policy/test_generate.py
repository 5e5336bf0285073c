"""Generated policies: the same each time, accepted by the strict reader, and worth measuring; and
a disagreement is shrunk to what matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixproof.errors import ManifestError
from sixproof.model import Family, Flow, Outcome
from sixproof.policy import CALICO_3_31, Oracle
from sixproof.workloads.policy import cases, generate, shrink
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.probe_pods.ports import POD_PORTS
from tests.unit.workloads.policy.policy_snapshot_sample import FACTS, HOMES, SCENE, WORLD

VALUES = cases.values(SCENE, FACTS)
FLOWS = SCENE.flows(POD_PORTS, SCENE.families())

seeds, numbers = st.integers(0, 10**9), st.integers(1, 1000)
calm = settings(deadline=None, derandomize=True, database=None, max_examples=200)


def drawn(seed: int, number: int = 1, *, calico: bool = True) -> list[Manifest]:
    """The policies of a seed."""
    return generate.draw(seed, number, SCENE, VALUES, calico=calico)


def outcomes(policies: Sequence[Manifest]) -> dict[Flow, frozenset[Outcome]]:
    """What the oracle expects."""
    oracle = Oracle.of(policies, WORLD, CALICO_3_31)
    return {flow: oracle.judge(flow).expectation().outcomes for flow in FLOWS}


def valid(policies: Sequence[Manifest]) -> bool:
    """Whether the oracle reads them."""
    try:
        Oracle.of(policies, WORLD, CALICO_3_31)
    except ManifestError:
        return False
    return True


@calm
@given(seeds, numbers)
def test_drawn_policies_are_the_same_each_time_and_stay_in_their_namespaces(
    seed: int, number: int
) -> None:
    policies = drawn(seed, number)
    assert policies == drawn(seed, number)
    assert 1 <= len(policies) <= 3
    assert {p["metadata"]["namespace"] for p in policies} <= set(HOMES.values())
    assert valid(policies)


@calm
@given(seeds)
def test_without_calico_only_the_kubernetes_api_is_drawn(seed: int) -> None:
    apis = {p["apiVersion"] for p in drawn(seed, calico=False)}
    assert apis == {"networking.k8s.io/v1"}


def test_most_sets_deny_something_and_allow_something_else() -> None:
    outcome_sets = [set(outcomes(drawn(7, n)).values()) for n in range(1, 61)]
    both = [
        s for s in outcome_sets if {frozenset({Outcome.ALLOWED}), frozenset({Outcome.DROPPED})} <= s
    ]
    assert len(both) > 45


def test_families_part_ways_in_some_sets() -> None:
    def parted(policies: Sequence[Manifest]) -> bool:
        seen = outcomes(policies)
        places: dict[Any, set[frozenset[Outcome]]] = {}
        for flow, outcome in seen.items():
            key = flow.source.name, flow.destination.name, flow.protocol, flow.port
            places.setdefault(key, set()).add(outcome)
        return any(len(s) > 1 for s in places.values())

    assert sum(parted(drawn(7, n)) for n in range(1, 61)) > 10


def leaking(policies: Sequence[Manifest]) -> bool:
    """A faked measurement of a cluster that enforces nothing into ``shop`` over IPv6."""
    return any(
        Outcome.ALLOWED not in outcome
        for flow, outcome in outcomes(policies).items()
        if flow.family is Family.IPV6 and flow.destination.namespace == HOMES["shop"]
    )


def test_a_disagreement_is_shrunk_to_one_policy_without_rules() -> None:
    policies = next(
        p for n in range(1, 99) if len(p := drawn(3, n)) == 3 and leaking(p) and ingress(p)
    )
    shrunk = shrink.shrink(policies, valid, leaking, 200)
    assert shrunk.minimal
    assert leaking(shrunk.policies)
    (left,) = shrunk.policies
    assert not left["spec"].get("ingress")
    assert not left["spec"].get("egress")
    assert "nothing more can be left out" in str(shrunk)


def ingress(policies: Sequence[Manifest]) -> bool:
    """Whether some policy into the shop has rules to leave out."""
    return any(
        p["spec"].get("ingress") and p["metadata"]["namespace"] == HOMES["shop"] for p in policies
    )


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_shrinking_stops_when_its_steps_are_used_up(steps: int) -> None:
    policies = next(p for n in range(1, 99) if len(p := drawn(3, n)) == 3 and leaking(p))
    asked: list[int] = []

    def ask(some: Sequence[Manifest]) -> bool:
        asked.append(1)
        return leaking(some)

    shrunk = shrink.shrink(policies, valid, ask, steps)
    assert shrunk.steps == len(asked) == steps
    assert not shrunk.minimal
    assert leaking(shrunk.policies)


@calm
@given(seeds)
def test_what_is_left_disagrees_still_and_nothing_can_be_left_out(seed: int) -> None:
    policies = drawn(seed)
    kinds = {p["apiVersion"] for p in policies}

    def disagrees(some: Sequence[Manifest]) -> bool:
        return kinds <= {p["apiVersion"] for p in some}

    shrunk = shrink.shrink(policies, valid, disagrees, 500)
    assert shrunk.minimal
    assert len(shrunk.policies) == len(kinds)
    assert valid(shrunk.policies)
