"""A plugin that breaks the bed in the middle of a run.

``SIX_TEST_FAULT`` holds the words of ``python -m testbed faults inject``. They are said once the
probe pods are ready or, where ``SIX_TEST_FAULT_AFTER`` says ``shared_services``, once those are
that all tests share; where it says ``own_pools`` or ``pool_pods``, once the run's own pools stand,
or the pods that ask for them; where it says ``echo_ports``, once every probe pod was asked. Other
fixtures (``advertised_services``, ``own_peer``) are broken once they have been made, too.
``{pod}`` stands for a pod on the node that ``SIX_TEST_FAULT_NODE`` names: that of namespace a, or
the backend of these services. ``{service}`` is the one of every family.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable

import pytest

from fixtures.run.state import RunState
from sixproof.model import Endpoint
from sixproof.workloads.services.shared_services import SharedServices
from tests.faults.injection import inject_or_exit

AFTER = "SIX_TEST_FAULT_AFTER"


def pytest_sixproof_ready(state: RunState) -> None:
    """Break what stands now."""
    if not os.environ.get(AFTER):
        assert state.topology is not None
        inject(state.topology.in_namespace("a"))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object],
) -> Generator[None, object, object]:
    """Break what a fixture has made."""
    made = yield
    if fixturedef.argname != os.environ.get(AFTER):
        return made
    if isinstance(made, SharedServices):
        service = made.every_family
        inject(made.web, f"{service.namespace}/{service.name}")
    else:
        inject_or_exit(os.environ["SIX_TEST_FAULT"].split())
    return made


def inject(pods: Iterable[Endpoint], service: str = "") -> None:
    """Inject the fault on one of these pods, or on the service."""
    words = os.environ["SIX_TEST_FAULT"].split()
    node = os.environ["SIX_TEST_FAULT_NODE"]
    target = next(p for p in pods if p.node == node)
    pod = f"{target.namespace}/{target.pod}"
    inject_or_exit(word.format(pod=pod, service=service) for word in words)
