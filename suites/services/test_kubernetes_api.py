"""Kubernetes' own API is a service too."""

from __future__ import annotations

import pytest

from fixtures.probing import Connectivity
from sixproof.model import Endpoint, Expectation, Family, Flow, Protocol
from sixproof.probes.connect import Load
from sixproof.workloads.lanes import Lane
from sixproof.workloads.mesh import flows

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("P2")]

HTTPS = Lane(Protocol.TCP, 443)


@pytest.mark.story("kubernetes.default")
def test_the_api_answers_at_kubernetes_default(
    ip_family: Family,
    kubernetes_api: Endpoint,
    clients: tuple[Endpoint, ...],
    connectivity: Connectivity,
) -> None:
    """From every node's pods and host network, the API server answers at the clusterIP of
    `kubernetes.default`, in each family that it offers.

    What is sent is HTTP in clear; that the server refuses it in words shows that it read it.
    """
    to_api = flows(clients, [kubernetes_api], [ip_family], [HTTPS])
    load = Load(timeout=connectivity.patience, foreign=True)
    matrix = connectivity.measure("kubernetes.default", to_api, load)
    connectivity.check(matrix, api_answers)


def api_answers(flow: Flow) -> Expectation:
    """The API server must answer: everything in the cluster depends on it."""
    return Expectation.allowed("an API server stands behind kubernetes.default")
