import ipaddress
import itertools
from pathlib import Path

import pytest

from testbed import cli
from testbed.cluster import kind as kinds
from testbed.errors import BedError
from testbed.variants import variant


def test_the_default_bed_is_dual_stack_with_the_names_that_kind_gives() -> None:
    bed = variant.load()
    assert bed.dual
    assert bed.nodes == ("six-control-plane", "six-worker", "six-worker2")
    assert (bed.context, bed.network, bed.bridge) == ("kind-six", "six-net", "br-six")


@pytest.mark.parametrize("name", variant.names())
def test_every_variant_can_be_read_and_has_an_interface_name_linux_takes(name: str) -> None:
    bed = variant.load(name)
    assert len(bed.bridge) < 16
    assert bed.calico_env


@pytest.mark.parametrize("name", ["nothere", "../variants/dual", "/etc/passwd", ""])
def test_a_name_of_no_variant_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(BedError, match="dual, jumbo"):
        variant.load(name)


def test_variants_do_not_share_a_cluster() -> None:
    clusters = [variant.load(name).cluster for name in variant.names()]
    assert len(clusters) == len(set(clusters))


def test_variants_share_no_address() -> None:
    """So that two of them can stand beside each other."""
    beds = [variant.load(name) for name in variant.names()]
    ranges = [
        ipaddress.ip_network(text)
        for bed in beds
        for text in (*bed.pod_subnets, *bed.service_subnets, bed.node_network_ipv6)
    ]
    for one, other in itertools.combinations(ranges, 2):
        assert one.version != other.version or not one.overlaps(other)


@pytest.mark.parametrize(("name", "pods"), [("dual", 1430), ("jumbo", 8930)])
def test_pods_have_what_the_wider_tunnel_leaves(name: str, pods: int) -> None:
    assert variant.load(name).pod_mtu == pods


def test_the_environment_chooses_a_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variant.VARIABLE, raising=False)
    assert variant.asked() == variant.DEFAULT
    monkeypatch.setenv(variant.VARIABLE, "jumbo")
    assert variant.asked() == "jumbo"
    assert cli.parser().parse_args(["up"]).variant == "jumbo"


def test_an_unknown_variant_lists_those_there_are() -> None:
    with pytest.raises(BedError, match=r"seen: there are: .*dual"):
        variant.load("triple")


def test_kinds_configuration_leaves_the_network_to_calico() -> None:
    settings = kinds.settings(variant.load(), True, None)
    networking = settings["networking"]
    assert networking == {
        "ipFamily": "dual",
        "disableDefaultCNI": True,
        "podSubnet": "10.244.0.0/16,fd00:10:244::/56",
        "serviceSubnet": "10.96.0.0/16,fd00:10:96::/112",
    }
    assert [node["role"] for node in settings["nodes"]] == [  # type: ignore[attr-defined]
        "control-plane",
        "worker",
        "worker",
    ]


def test_own_nodes_get_the_tags_of_own_images_and_upstreams_the_wrapper() -> None:
    own = kinds.settings(variant.load(), True, Path("/w"))
    upstream = kinds.settings(variant.load(), False, Path("/w"))
    assert "imageTag" in str(own["kubeadmConfigPatches"])
    assert "containerdConfigPatches" not in own
    assert "runc-nores" in str(upstream["containerdConfigPatches"])
    assert upstream["kubeadmConfigPatches"] == []
