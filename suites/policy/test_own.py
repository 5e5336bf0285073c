"""Your own policies (--six-policies DIR, --six-policies-of LIST), on stand-ins for the pods that
they select."""

from __future__ import annotations

import pytest

from sixproof.checks.policy.own import OwnPolicies

pytestmark = [pytest.mark.feature("Your own policies"), pytest.mark.covers("N1")]


@pytest.mark.story("policies of your own")
def test_your_policies_do_what_the_oracle_says(own_policies: OwnPolicies) -> None:
    """On pods with the labels that they select, your policies allow and deny each flow as the
    oracle says, over each family."""
    own_policies.must_hold()
