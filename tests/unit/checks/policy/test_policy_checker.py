"""The policy checker: the same checks in other namespaces."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.checks.policy.surroundings import Surroundings
from sixproof.model import Family, Timing
from sixproof.policy import CALICO_3_31
from sixproof.workloads.probe_pods.ports import POD_PORTS
from tests.unit.workloads.policy.policy_snapshot_sample import SCENE, WORLD

NONE: Any = None


def test_other_namespaces_are_judged_by_what_is_known_of_them() -> None:
    """By their snapshot and the policies around them; the checker itself stays where it is."""
    around = Surroundings(WORLD, CALICO_3_31, (), {"a": "b"}, tuple(Family))
    checker = PolicyChecker(NONE, SCENE, around, NONE, NONE, NONE, Timing())
    fewer = dataclasses.replace(SCENE, pods=SCENE.pods[:2])
    policy = {"kind": "NetworkPolicy"}
    snapshot = cast(Any, "those namespaces")
    moved = checker.moved_to(fewer, snapshot, (policy,))
    assert len(moved.flows(POD_PORTS)) < len(checker.flows(POD_PORTS))
    assert moved.around == dataclasses.replace(around, snapshot=snapshot, existing=(policy,))
    assert (checker.policy_namespaces, checker.around) == (SCENE, around)
