"""The policy namespaces: its pods' manifests, its snapshot, its flows, and a flow as a kubectl
line."""

from __future__ import annotations

import shlex
from ipaddress import ip_address

import pytest

from sixproof.checks.policy.timeline import kubectl
from sixproof.model import Endpoint, EndpointKind, Family, Protocol
from sixproof.workloads.policy.frontends import ServiceFrontends
from sixproof.workloads.policy.policy_namespaces import PARTS, POLICY_NAMESPACES, pod_manifest
from sixproof.workloads.probe_pods.ports import ICMP, POD_PORTS, TCP, UDP, PortSpec
from sixproof.workloads.probe_pods.probe_pod import PodOptions
from sixproof.workloads.services.routing import FrontendType, ServiceTarget
from tests.unit.workloads.policy.policy_snapshot_sample import HOMES, RUN, SCENE, SERVICE, WORLD

ONE = (TCP, UDP)


def test_ports_bear_the_names_of_their_part() -> None:
    made = pod_manifest(RUN, "gw0", HOMES["shop"], PARTS[1], "n1", PodOptions("image"))
    ports = {
        p["name"]: (p["protocol"], p["containerPort"])
        for p in made["spec"]["containers"][0]["ports"]
    }
    assert ports == {
        "tcp-8080": ("TCP", 8080),
        "http": ("TCP", 8081),
        "udp-8080": ("UDP", 8080),
        "feed": ("UDP", 8081),
    }
    assert made["metadata"]["labels"][POLICY_NAMESPACES] == "abc123-gw0"
    assert made["spec"]["serviceAccountName"] == "default"


def test_what_the_oracle_knows_is_what_was_made() -> None:
    labels = WORLD.namespace_labels(HOMES["bank"])
    assert (labels["team"], labels[POLICY_NAMESPACES], labels["sixproof.dev/run"]) == (
        "blue",
        "abc123-gw0",
        "abc123",
    )
    assert {p.name for p in WORLD.ports_of(SCENE.pod("shop/db"))} == {"sql", "http"}
    assert WORLD.service_accounts[HOMES["blog"], "front"]["access"] == "public"


def test_flows_are_pods_with_pods_and_nodes_but_no_echo_of_nodes() -> None:
    flows = SCENE.flows((*ONE, ICMP), Family)
    kinds = {(f.source.kind, f.destination.kind, f.protocol) for f in flows}
    pod, host = EndpointKind.POD, EndpointKind.HOST
    assert kinds == {
        *((pod, pod, p) for p in (Protocol.TCP, Protocol.UDP, Protocol.ICMP)),
        *((host, pod, p) for p in (Protocol.TCP, Protocol.UDP)),
        *((pod, host, p) for p in (Protocol.TCP, Protocol.UDP)),
    }
    assert len(SCENE.flows(POD_PORTS, Family)) == (9 + 3) * 9 * 4 * 2 + 9 * 3 * 2 * 2


def test_one_namespace_at_a_time() -> None:
    assert [p.name for p in SCENE.in_namespace("blog")] == ["blog/web", "blog/api", "blog/db"]


def test_a_service_behind_its_doors_is_witnessed_by_its_backend() -> None:
    frontends = ServiceFrontends(SERVICE, SCENE.pod("shop/web"), ())
    assert frontends.witnesses() == {}
    assert frontends.flows(SCENE.pods, Family) == ()


def test_a_machine_outside_dials_node_ports_by_one_of_its_addresses() -> None:
    """Its kernel chooses the source address: two endpoints of it would be one client."""
    kind = EndpointKind.OUTSIDE
    here = Endpoint("outside", kind, (ip_address("192.0.2.9"), ip_address("fd00::9")), pod="o")
    there = Endpoint("outside at 2001:db8::9", kind, (ip_address("2001:db8::9"),), pod="o")
    node = Endpoint("n1", EndpointKind.NODE, (ip_address("fd00::1"),), node="n1")
    port_spec = PortSpec(Protocol.TCP, 30080)
    targets = tuple(
        ServiceTarget(node, frontend, (port_spec,), (SCENE.pod("shop/web"),))
        for frontend in (FrontendType.NODE_PORT, FrontendType.CLUSTER_IP)
    )
    frontends = ServiceFrontends(SERVICE, SCENE.pod("shop/web"), targets)
    flows = frontends.flows_from_outside((here, there), Family)
    assert [(f.source.name, f.family) for f in flows] == [("outside", Family.IPV6)]


@pytest.mark.parametrize("port_spec", [*ONE, ICMP], ids=str)
@pytest.mark.parametrize("family", Family, ids=str)
def test_a_flow_as_a_kubectl_line_is_a_program_that_compiles(
    family: Family, port_spec: PortSpec
) -> None:
    flow = next(
        f
        for f in SCENE.flows((*ONE, ICMP), [family])
        if f.protocol is port_spec.protocol and f.source is not f.destination
    )
    words = shlex.split(kubectl(flow))
    assert words[:7] == ["kubectl", "exec", "-n", HOMES["shop"], "web", "--", "python3"]
    compile(words[8], "line", "exec")
    assert str(flow.address) in words[8]
    sealed = "/sixproof/sixproof/agent/key" in words[8]
    assert sealed is (flow.protocol is Protocol.UDP), (
        "a probe without the run's tag is not answered"
    )
