"""Policies of the cluster's owner: what they close, who is named, and what the preflight says."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.errors import ApiError
from sixproof.kube.facts import policies as kube_policies
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    Outcome,
    Protocol,
    Severity,
)
from sixproof.workloads.existing import closed_flows
from sixproof.workloads.existing.service_gates import gate
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.probe_pods.topology import flows
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.manifests import ServicePort
from sixproof.workloads.services.routing import FrontendType, ServiceTarget
from tests.unit.workloads.existing.existing import (
    BY_ADMISSION,
    DENY_ALL,
    FROM_A,
    MESH,
    ONLY_IPV4,
    existing,
    host,
    mesh_pod,
)
from tests.unit.workloads.two_nodes import addresses

A1, B2 = mesh_pod("a", "n1"), mesh_pod("b", "n2")
TCP = PortSpec(Protocol.TCP, 8080)
VIP = Endpoint("web", EndpointKind.SERVICE, addresses("10.96.0.7", "fd00:96::7"), "six-abc-b")


def one(source: Endpoint, destination: Endpoint, family: Family = Family.IPV6) -> Flow:
    """The flow over TCP 8080."""
    (flow,) = flows([source], [destination], [family], [TCP])
    return flow


def refused(flow: Flow) -> Expectation:
    """What a closed port must come to."""
    return Expectation(frozenset({Outcome.REFUSED}), f"nobody listens at {flow.destination.name}")


def test_what_no_policy_selects_must_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow is open, and a test's own expectation holds."""
    policies, _ = existing(monkeypatch)
    assert policies(one(A1, B2)).outcomes == {Outcome.ALLOWED}
    assert policies.closes(one(A1, B2)) == ""
    assert policies.first(refused)(one(A1, B2)).outcomes == {Outcome.REFUSED}


def test_a_closed_flow_names_its_policy_and_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that a policy swallows is expected to be silence."""
    policies, _ = existing(monkeypatch, DENY_ALL)
    wanted = policies.first(refused)(one(A1, B2))
    assert wanted.outcomes == {Outcome.DROPPED}
    assert wanted.closed_by == "GlobalNetworkPolicy closed"
    assert not wanted.proven_by(Outcome.DROPPED)


def test_policies_of_a_namespace_are_read_when_it_is_first_touched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Admission may have put one into a namespace that was made a moment ago."""
    policies, api = existing(monkeypatch, BY_ADMISSION % "b")
    assert policies.closes(one(host("n1"), A1)) == ""
    assert policies.closes(one(A1, B2)) == "NetworkPolicy six-abc-b/default-deny"
    assert api.asked == [("six-abc-a",), ("six-abc-a", "six-abc-b")]


def test_calicos_api_server_is_not_waited_for_again_once_it_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is broken between nodes may cut it off: other policies are judged all the same, and no
    test waits anew."""
    policies, api = existing(monkeypatch, BY_ADMISSION % "b")
    tried: list[bool] = []

    def read(_: object, namespaces: tuple[str, ...], *, calico: bool = True) -> tuple[Any, ...]:
        tried.append(calico)
        if calico:
            raise ApiError("list kinds: the server is currently unable", status=503)
        return api.existing(namespaces)

    monkeypatch.setattr(kube_policies, "existing", read)
    assert policies.closes(one(host("n1"), A1)) == ""
    assert policies.closes(one(A1, B2)) == "NetworkPolicy six-abc-b/default-deny"
    assert tried == [True, False, False]
    assert policies.away is not None


def test_policies_that_may_not_be_read_stay_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is no absence: what holds could not be known."""
    policies, _ = existing(monkeypatch)

    def refuse(*_: object, **__: object) -> tuple[Any, ...]:
        raise ApiError("forbidden", status=403)

    monkeypatch.setattr(kube_policies, "existing", refuse)
    with pytest.raises(ApiError, match="forbidden"):
        policies.closes(one(A1, B2))
    assert policies.away is None


def test_the_preflight_names_the_policy_and_what_it_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything between different pods and nodes is closed, but what a node sends its own pods."""
    policies, _ = existing(monkeypatch, DENY_ALL)
    (found,) = closed_flows.findings(policies, MESH)
    assert found.code == closed_flows.EXISTING_POLICIES.code
    assert found.subject == "GlobalNetworkPolicy closed"
    assert "denies egress and ingress of every probe namespace (a, b, c)" in found.seen
    assert "it closes all 300 flows (IPv4 and IPv6 alike) between pods and 132 of 192" in found.seen
    assert found.severity is Severity.ERROR
    assert "app.kubernetes.io/managed-by=sixproof" in found.remedy


def test_the_preflight_says_where_only_one_family_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An allow rule of one IP version closes the other."""
    policies, _ = existing(monkeypatch, ONLY_IPV4)
    (found,) = closed_flows.findings(policies, MESH)
    assert "IPv6 flows, no IPv4 one" in found.seen


def test_policies_of_one_name_in_each_namespace_are_one_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As admission makes them."""
    policies, _ = existing(monkeypatch, *(BY_ADMISSION % role for role in "ab"))
    (found,) = closed_flows.findings(policies, MESH)
    assert found.subject == "NetworkPolicy default-deny"
    assert "denies ingress of probe namespaces a and b" in found.seen


def test_half_open_is_reported_as_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """What namespace a sends is let in."""
    policies, _ = existing(monkeypatch, FROM_A)
    assert policies.closes(one(A1, B2)) == ""
    assert policies.closes(one(B2, A1)) == "GlobalNetworkPolicy half"
    (found,) = closed_flows.findings(policies, MESH)
    assert found.severity is Severity.WARNING


def test_without_policies_there_is_nothing_to_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """No finding."""
    policies, _ = existing(monkeypatch)
    assert closed_flows.findings(policies, MESH) == ()


def test_policies_that_may_not_be_read_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is allowed is not known then."""
    policies, api = existing(monkeypatch)

    def refuse(*_: object) -> tuple[()]:
        raise ApiError("list globalnetworkpolicies: 403 forbidden", status=403)

    monkeypatch.setattr(api, "existing", refuse)
    (found,) = closed_flows.findings(policies, MESH)
    assert (found.severity, "403" in found.seen) == (Severity.ERROR, True)


def test_a_host_endpoint_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it lets in of the node is not judged, and is no denial."""
    text = """
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: n1-auto}
spec: {node: n1, interfaceName: "*"}
"""
    policies, _ = existing(monkeypatch, text)
    (found,) = closed_flows.findings(policies, MESH)
    assert (found.severity, "n1" in found.seen) == (Severity.NOTE, True)


def web(*backends: Endpoint) -> ServiceTarget:
    """A service whose port 80 leads to 8080."""
    ports = (ServicePort("web", Protocol.TCP, 80, "8080"),)
    port_specs = (PortSpec(Protocol.TCP, 80),)
    return ServiceTarget(
        VIP, FrontendType.CLUSTER_IP, port_specs, backends, proxy=KubeProxy(), ports=ports
    )


def dialled(client: Endpoint) -> Flow:
    """A client to the service."""
    address = VIP.address(Family.IPV6)
    assert address is not None
    return Flow(client, VIP, address, Protocol.TCP, 80)


@pytest.mark.parametrize(
    ("text", "client", "opened", "closed"),
    [
        ("", A1, True, False),
        (DENY_ALL, A1, False, True),
        (FROM_A, A1, True, False),
        (FROM_A, B2, False, True),
        (DENY_ALL, host("n1"), False, False),  # its own node's backend is let in, the other not
    ],
    ids=["no policy", "all denied", "from a", "from b", "a node"],
)
def test_a_flow_to_a_service_is_as_open_as_the_ways_to_its_backends(
    monkeypatch: pytest.MonkeyPatch, text: str, client: Endpoint, opened: bool, closed: bool
) -> None:
    """Open where all are, closed where all are, else neither."""
    policies, _ = existing(monkeypatch, text)
    found = gate(policies, dialled(client), web(mesh_pod("c", "n1"), mesh_pod("c", "n2")))
    assert (found.open, found.closed) == (opened, closed)


def test_what_nobody_answers_is_judged_as_it_was_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal of a service without backends never comes where egress is closed; nodes are
    bound by no policy."""
    policies, _ = existing(monkeypatch, DENY_ALL)
    own = web().expectation(A1)
    assert gate(policies, dialled(A1), web()).expectation(own).outcomes == {Outcome.DROPPED}
    assert gate(policies, dialled(host("n1")), web()).expectation(own) == own
