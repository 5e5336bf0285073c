import ipaddress
from pathlib import Path

import pytest

from testbed.cluster import health, metallb
from testbed.cluster.kind import KindCommand
from testbed.cluster.kube import Kubectl
from testbed.errors import BedError
from testbed.network import bridge
from testbed.variants import variant
from tests.unit.testbed.test_teardown import FakeEngine, said

LB = variant.load("lb")
SUBNETS = (ipaddress.ip_network("172.31.66.0/24"), ipaddress.ip_network("fd5e:7e57:abed::/64"))


def test_its_addresses_are_the_last_ones_of_the_nodes_networks() -> None:
    """Containers get theirs from the beginning."""
    assert list(metallb.ranges(SUBNETS)) == [
        "172.31.66.224/28",
        "fd5e:7e57:abed:0:ffff:ffff:ffff:ffe0/124",
    ]
    for text, subnet in zip(metallb.ranges(SUBNETS), SUBNETS, strict=True):
        found = ipaddress.ip_network(text)
        assert found.num_addresses == 16
        assert found.subnet_of(subnet)  # type: ignore[arg-type]
        assert found[-1] != subnet[-1]


def test_they_are_announced_on_the_link() -> None:
    pool, announced = metallb.objects(SUBNETS)
    assert pool["spec"]["addresses"] == list(metallb.ranges(SUBNETS))
    assert announced["spec"]["ipAddressPools"] == [pool["metadata"]["name"]]


def test_networks_are_read_from_the_engine() -> None:
    engine = FakeEngine({"network inspect": [said("fd5e:7e57:abed::/64 172.31.66.0/24 ")]})
    assert bridge.subnets(engine, LB) == SUBNETS


def test_an_archive_is_imported_into_every_node(tmp_path: Path) -> None:
    engine = FakeEngine({})
    KindCommand(tmp_path / "kind", engine, LB, tmp_path).import_(tmp_path / "images.tar")
    commands: list[str] = engine.commands  # type: ignore[attr-defined]
    for node in LB.nodes:
        assert f"exec {node} ctr --namespace k8s.io images import /root/images.tar" in commands
        assert f"exec {node} rm /root/images.tar" in commands


@pytest.mark.parametrize(("there", "ok"), [("ipaddresspool.metallb.io/bed", True), ("", False)])
def test_without_its_addresses_the_bed_is_not_whole(there: str, ok: bool) -> None:
    engine = FakeEngine({f"exec {LB.control_plane} kubectl": [said(there)]})
    (check,) = health.balancing(Kubectl(engine, LB.control_plane), LB)
    assert (check.name, check.ok) == ("MetalLB's addresses", ok)


def test_a_bed_has_one_provider_of_load_balancer_addresses() -> None:
    text = (variant.FOLDER / "bgp.toml").read_text()
    with pytest.raises(BedError, match="one provider of load balancer addresses"):
        variant.parse("bgp", f"metallb = true\n{text}")
