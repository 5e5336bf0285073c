"""A plugin that breaks the bed once the arena of the policy tests stands.

``SIX_TEST_FAULT`` holds the words of ``python -m testbed faults inject``; ``{pod}`` stands for the
pod that ``SIX_TEST_FAULT_POD`` names (``shop/web``), ``{node}`` for its node.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from sixproof.workloads.policy.arena import Arena
from tests.faults.injection import inject_or_exit


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object],
) -> Generator[None, object, object]:
    """Inject the fault before anything is measured in the arena."""
    made = yield
    if fixturedef.argname == "arena" and isinstance(made, Arena):
        _inject(made)
    return made


def _inject(arena: Arena) -> None:
    """Inject the fault on the pod, or on its node."""
    pod = arena.pod(os.environ["SIX_TEST_FAULT_POD"])
    words = os.environ["SIX_TEST_FAULT"].format(pod=f"{pod.namespace}/{pod.pod}", node=pod.node)
    inject_or_exit(words.split())
