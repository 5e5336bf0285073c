"""NodePorts and HostPorts: services at the addresses of nodes."""

from __future__ import annotations

import pytest

from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.model import Endpoint
from sixproof.workloads.services.routing import ServiceTarget

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S3")]


@pytest.mark.quick
@pytest.mark.story("NodePort")
def test_a_node_port_answers_on_every_address_of_every_node(
    node_ports: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """Pods and nodes reach a NodePort at every address of every node, in each family."""
    service_checks.must_answer("NodePort", clients, node_ports, headline=True)


@pytest.mark.story("NodePort")
def test_a_node_port_forwards_to_backends_on_every_node(
    node_ports: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """Whichever node is dialled, connections to a NodePort reach every backend."""
    service_checks.must_reach_every_backend("NodePort, every backend", clients, node_ports)


@pytest.mark.story("HostPort")
def test_a_host_port_answers_on_its_node_alone(
    host_ports: tuple[ServiceTarget, ...],
    clients: tuple[Endpoint, ...],
    service_checks: ServiceChecks,
) -> None:
    """A HostPort answers at its node's address of each family; other nodes refuse it.

    Why: the CNI's portmap plugin writes its rules separately for each family.
    """
    service_checks.must_answer("HostPort", clients, host_ports)
