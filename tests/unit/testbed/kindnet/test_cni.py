import json
from pathlib import Path
from typing import Any

from testbed.kindnet import cni


def node(name: str, number: int, *, families: tuple[int, ...] = (4, 6)) -> dict[str, Any]:
    addresses = {4: f"172.31.66.{number}", 6: f"fd5e::{number}"}
    cidrs = {4: f"10.251.{number}.0/24", 6: f"fd00:10:251:{number}::/64"}
    return {
        "metadata": {"name": name},
        "spec": {"podCIDRs": [cidrs[family] for family in families]},
        "status": {
            "addresses": [
                *({"type": "InternalIP", "address": addresses[family]} for family in families),
                {"type": "Hostname", "address": name},
            ]
        },
    }


NODES = [node("one", 1), node("two", 2)]


def test_pods_of_other_nodes_are_behind_these_nodes_in_their_own_family() -> None:
    assert cni.routes(NODES, "one") == {
        4: ["route replace 10.251.2.0/24 via 172.31.66.2 metric 100"],
        6: ["route replace fd00:10:251:2::/64 via fd5e::2 metric 100"],
    }


def test_a_node_without_ranges_or_of_one_family_gets_the_routes_it_can_have() -> None:
    bare: dict[str, Any] = {"metadata": {"name": "new"}, "spec": {}}
    six = node("two", 2, families=(6,))
    assert list(cni.routes([NODES[0], six, bare], "one")) == [6]
    assert cni.pod_ranges([bare], "new") == []
    assert cni.pod_ranges(NODES, "two") == ["10.251.2.0/24", "fd00:10:251:2::/64"]


def test_pods_get_an_address_a_default_route_of_each_family_and_the_mtu() -> None:
    found = json.loads(cni.config(["10.251.1.0/24", "fd00:10:251:1::/64"], 1500))
    ptp, portmap = found["plugins"]
    assert (ptp["type"], ptp["mtu"], ptp["ipMasq"]) == ("ptp", 1500, False)
    assert [r["dst"] for r in ptp["ipam"]["routes"]] == ["0.0.0.0/0", "::/0"]
    assert len(ptp["ipam"]["ranges"]) == 2
    assert portmap["capabilities"] == {"portMappings": True}


def test_a_configuration_is_written_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "10-kindnet.conflist"
    cni.write(path, "first")
    before = path.stat().st_ino
    cni.write(path, "first")
    assert path.stat().st_ino == before
    cni.write(path, "second")
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]
