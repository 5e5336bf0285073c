"""A plugin that breaks the bed once the namespaces of the policy tests stands.

``SIX_TEST_FAULT`` holds the words of ``python -m testbed faults inject``; ``{pod}`` stands for the
pod that ``SIX_TEST_FAULT_POD`` names (``shop/web``), ``{node}`` for its node.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from sixproof.workloads.policy.policy_namespaces import PolicyNamespaces
from tests.faults.injection import inject_or_exit


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object],
) -> Generator[None, object, object]:
    """Inject the fault before anything is measured in the policy namespaces."""
    made = yield
    if fixturedef.argname == "policy_namespaces" and isinstance(made, PolicyNamespaces):
        _inject(made)
    return made


def _inject(policy_namespaces: PolicyNamespaces) -> None:
    """Inject the fault on the pod, or on its node."""
    pod = policy_namespaces.pod(os.environ["SIX_TEST_FAULT_POD"])
    words = os.environ["SIX_TEST_FAULT"].format(pod=f"{pod.namespace}/{pod.pod}", node=pod.node)
    inject_or_exit(words.split())
