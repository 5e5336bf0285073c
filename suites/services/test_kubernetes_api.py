"""The Kubernetes API is a service too."""

from __future__ import annotations

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.model import Endpoint, Family, Protocol
from sixproof.probes.connect.probe import ProbeOptions
from sixproof.workloads.existing.policies import Expect
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.probe_pods.topology import flows

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("P2")]

HTTPS = PortSpec(Protocol.TCP, 443)


@pytest.mark.story("kubernetes.default")
def test_the_api_answers_at_kubernetes_default(
    ip_family: Family,
    kubernetes_api: Endpoint,
    clients: tuple[Endpoint, ...],
    connectivity: Connectivity,
    api_answers: Expect,
) -> None:
    """From the pods and the host network of every node, the API server answers at the clusterIP of
    `kubernetes.default`, in each family that it offers.

    The probe sends plain HTTP; the server's error message shows that it read the request.
    """
    to_api = flows(clients, [kubernetes_api], [ip_family], [HTTPS])
    options = ProbeOptions(timeout=connectivity.patience, foreign=True)
    matrix = connectivity.measure("kubernetes.default", to_api, options)
    connectivity.check(matrix, api_answers)
