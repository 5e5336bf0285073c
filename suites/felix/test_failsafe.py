"""Fail-safe ports of a host under a policy that denies them."""

from __future__ import annotations

import pytest

from sixproof.checks.calico.failsafe_checks import FailsafeChecks

pytestmark = [
    pytest.mark.feature("Felix"),
    pytest.mark.story("fail-safe ports"),
    pytest.mark.disruptive,
]


@pytest.mark.covers("F1")
def test_no_policy_closes_fail_safe_ports_of_a_host(failsafe_checks: FailsafeChecks) -> None:
    """A policy that denies a fail-safe port of a guarded host does not close it, to the host or
    from it, over each family; another port it closes.

    Why: fail-safe ports keep a node manageable under a wrong policy; a list with networks of one
    family does so over that family only.
    """
    failsafe_checks.must_stay_open()
