"""kube-proxy's settings, from the ConfigMap that kubeadm writes."""

from __future__ import annotations

import pytest

from sixproof.workloads.services.kube_proxy import KubeProxy, parse
from tests.unit.workloads.two_nodes import A1, NODES, POOLS, addresses

CONFIG = """
clusterCIDR: 10.244.0.0/16,fd00:10:244::/56
detectLocalMode: {mode}
iptables: {{masqueradeAll: {iptables}}}
nftables: {{masqueradeAll: {nftables}}}
"""


def written(mode: str = '""', iptables: str = "null", nftables: str = "null") -> dict[str, object]:
    """The ConfigMap."""
    text = CONFIG.format(mode=mode, iptables=iptables, nftables=nftables)
    return {"data": {"config.conf": text}}


def test_what_is_left_out_has_its_default() -> None:
    assert parse(written(), "iptables") == KubeProxy("iptables", "ClusterCIDR", POOLS)


def test_each_mode_has_its_own_section() -> None:
    config = written(iptables="true")
    assert parse(config, "iptables").masquerade_all
    assert not parse(config, "nftables").masquerade_all
    assert parse(written(nftables="true"), "nftables").masquerade_all


@pytest.mark.parametrize("config", [{}, {"data": {"config.conf": "{"}}, {"data": {}}])
def test_without_a_configuration_nothing_is_known(config: dict[str, object]) -> None:
    assert not parse(config, "iptables").known


@pytest.mark.parametrize(
    ("mode", "known", "drops"),
    [("iptables", True, True), ("nftables", True, True), ("ipvs", True, False),
     ("none", False, False), ("", False, False)],
)  # fmt: skip
def test_modes(mode: str, known: bool, drops: bool) -> None:
    proxy = parse(written(), mode)
    assert (proxy.known, proxy.drops_without_local_backend) == (known, drops)


def test_local_pods() -> None:
    node, ours = NODES["n1"], A1.addresses[1]
    assert parse(written(), "iptables").takes_for_local(ours, node)
    assert not parse(written(), "iptables").takes_for_local(node.addresses[1], node)
    by_node = parse(written("NodeCIDR"), "iptables")
    assert not by_node.takes_for_local(ours, node)
    assert by_node.takes_for_local(addresses("fd00:9:0:1::5")[0], node)
    assert parse(written("BridgeInterface"), "iptables").takes_for_local(ours, node)
