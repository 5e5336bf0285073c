"""Randomly generated policies, repeatable by seed and number."""

from __future__ import annotations

import pytest

from sixproof.checks.policy.generated import Generated

pytestmark = [pytest.mark.feature("Generated policies"), pytest.mark.covers("N1")]


@pytest.mark.story("random sets of policies")
def test_random_policies_do_what_the_oracle_says(
    generated: int, generated_policies: Generated
) -> None:
    """Under a random set of policies, every flow of each family is allowed or denied as the oracle
    says."""
    generated_policies.must_hold(generated)
