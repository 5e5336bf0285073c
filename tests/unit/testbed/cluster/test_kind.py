from dataclasses import replace
from pathlib import Path

from testbed.cluster import kind
from testbed.variants import variant
from testbed.variants.keys import DataPlane

DUAL = variant.load()


def test_kind_installs_its_own_plugin_only_from_its_own_image() -> None:
    bed = variant.load("kindnet")
    assert kind.networking(bed, built=True)["disableDefaultCNI"] is True
    assert kind.networking(bed, built=False)["disableDefaultCNI"] is False
    assert kind.networking(DUAL, built=False)["disableDefaultCNI"] is True


def test_kinds_configuration_leaves_the_network_to_calico() -> None:
    settings = kind.settings(DUAL, True, None)
    assert settings["networking"] == {
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


def test_kube_proxy_has_the_variants_data_plane() -> None:
    assert kind.networking(replace(DUAL, data_plane=DataPlane.NFTABLES)) == {
        **kind.networking(DUAL),
        "kubeProxyMode": "nftables",
    }


def test_a_family_alone_is_passed_to_kind() -> None:
    four, six = DUAL.stacks
    assert kind.networking(replace(DUAL, stacks=(four,)))["ipFamily"] == "ipv4"
    assert kind.networking(replace(DUAL, stacks=(six,)))["ipFamily"] == "ipv6"


def test_own_nodes_get_the_tags_of_own_images_and_upstreams_the_wrapper() -> None:
    own = kind.settings(DUAL, True, Path("/w"))
    upstream = kind.settings(DUAL, False, Path("/w"))
    assert "imageTag" in str(own["kubeadmConfigPatches"])
    assert "containerdConfigPatches" not in own
    assert "runc-nores" in str(upstream["containerdConfigPatches"])
    assert upstream["kubeadmConfigPatches"] == []
