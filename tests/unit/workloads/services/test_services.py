"""Services as values: from a file to what is applied, from what came back to what is dialled."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from sixproof.errors import ManifestError
from sixproof.model import EndpointKind, Family, NodeFacts, Protocol
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.services.manifests import ServicePort, load, service
from tests.unit.workloads.two_nodes import NODES, addresses

MANIFESTS = Path(__file__).parents[4] / "manifests" / "services"
RUN = Run("abc123")

GIVEN: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "type": "NodePort",
        "ipFamilyPolicy": "PreferDualStack",
        "ipFamilies": ["IPv6", "IPv4"],
        "clusterIP": "fd00:96::7",
        "clusterIPs": ["fd00:96::7", "10.96.0.7"],
        "selector": {"tier": "front", "app": "web"},
        "ports": [
            {"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080, "protocol": "TCP"},
            {"name": "dns", "port": 53, "targetPort": "udp-53", "protocol": "UDP"},
        ],
    },
}


def test_service_that_came_back() -> None:
    web = service(GIVEN)
    assert web.families == (Family.IPV6, Family.IPV4)
    assert web.cluster_ips == addresses("fd00:96::7", "10.96.0.7")
    assert web.ports[0] == ServicePort("http", Protocol.TCP, 80, "8080", 30080)
    assert (web.port_specs, web.node_port_specs) == (
        (PortSpec(Protocol.TCP, 80), PortSpec(Protocol.UDP, 53)),
        (PortSpec(Protocol.TCP, 30080),),
    )
    assert (web.labels, web.headless, web.publishes_unready) == ("app=web,tier=front", False, False)
    assert (web.endpoint().kind, web.endpoint().addresses) == (
        EndpointKind.SERVICE,
        web.cluster_ips,
    )


def test_headless_and_nameless_services_have_no_address() -> None:
    headless = service({"spec": {"clusterIPs": ["None"], "ipFamilies": ["IPv4"]}})
    assert (headless.headless, headless.cluster_ips) == (True, ())
    external = service({"spec": {"type": "ExternalName", "externalName": "six.example"}})
    assert (external.headless, external.cluster_ips, external.families) == (False, (), ())


def test_a_node_is_dialled_at_every_address() -> None:
    web = service(GIVEN)
    (at,) = web.at(NODES["n1"])
    assert (at.name, at.node, at.addresses) == ("web at n1", "n1", NODES["n1"].addresses)
    odd = dataclasses.replace(NODES["n1"], addresses=addresses("2001:db8::1", "2001:db8::9"))
    assert [(e.name, e.addresses) for e in web.at(odd)] == [
        ("web at n1", addresses("2001:db8::1")),
        ("web at n1 (2)", addresses("2001:db8::9")),
    ]
    assert web.at(NodeFacts("bare", ())) == ()


def test_a_loaded_service_is_the_run_s_own() -> None:
    loaded = load(MANIFESTS / "web.yaml", RUN, "shop", name="web-64", ipFamilies=["IPv6", "IPv4"])
    assert (loaded["metadata"]["name"], loaded["metadata"]["namespace"]) == ("web-64", "shop")
    assert loaded["metadata"]["labels"] == RUN.labels
    assert loaded["spec"]["ipFamilies"] == ["IPv6", "IPv4"]
    assert loaded["spec"]["ports"]


def test_what_is_no_service_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text("kind: Pod")
    with pytest.raises(ManifestError, match=r"pod\.yaml must hold one Service"):
        load(tmp_path / "pod.yaml", RUN, "shop")


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda p: p.stem)
def test_manifests_are_named_like_their_files_and_say_what_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert load(path, RUN, "shop")["metadata"]["name"] == path.stem
    assert text.startswith("# ")
    assert len(list(yaml.safe_load_all(text))) == 1
