"""WireGuard and eBPF are recognised in recorded objects; WireGuard of one family is reported."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Any

from sixproof.calico.audit import audit
from sixproof.calico.felix import modes
from sixproof.calico.felix.settings import felix
from sixproof.calico.nodes import calico_nodes
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.model import ClusterFacts, Family, Finding, NodeFacts, Severity

IPV4, IPV6 = Family
KEY = "bm90IGEga2V5IG9mIGFueWJvZHkgYXQgYWxsLCBqdXN0IDMy"
POOLS = (
    Pool("v4", ipaddress.ip_network("10.0.0.0/16"), 26, "None"),
    Pool("v6", ipaddress.ip_network("fd00:244::/56"), 122, "None"),
)
FACTS = ClusterFacts(server="", version="", nodes=(NodeFacts("w1", ()), NodeFacts("w2", ())))


def node(name: str, **annotations: str) -> dict[str, Any]:
    keys = {f"projectcalico.org/{key}": value for key, value in annotations.items()}
    return {"metadata": {"name": name, "annotations": keys}}


def keyed(name: str) -> dict[str, Any]:
    """A node as calico-node writes it where WireGuard is on for both families."""
    return node(
        name,
        IPv4WireguardInterfaceAddr="10.0.0.9",
        IPv6WireguardInterfaceAddr="fd00:244::9",
        WireguardPublicKey=KEY,
        WireguardPublicKeyV6=KEY,
    )


def state(*nodes: dict[str, Any], **spec: Any) -> CalicoState:
    configured = felix([{"metadata": {"name": "default"}, "spec": spec}], {})
    return CalicoState("v3", POOLS, felix=configured, nodes=calico_nodes(nodes))


def found(calico_state: CalicoState) -> list[Finding]:
    return list(modes.audit(calico_state, FACTS))


def test_wireguard_of_both_families_is_said_and_no_fault() -> None:
    calico_state = state(keyed("w1"), keyed("w2"), wireguardEnabled=True, wireguardEnabledV6=True)
    (one,) = found(calico_state)
    assert (one.code, one.severity) == ("calico-wireguard", Severity.NOTE)
    assert "encrypts IPv4 and IPv6" in one.seen
    assert calico_state.nodes[0].wireguard_keys == (IPV4, IPV6)
    assert calico_state.nodes[0].tunnel("WireGuard", IPV6) == ipaddress.ip_address("fd00:244::9")


def test_a_family_in_clear_text_beside_an_encrypted_one_is_a_warning() -> None:
    _, one = found(state(keyed("w1"), wireguardEnabled=True))
    assert (one.severity, one.families) == (Severity.WARNING, (IPV6,))
    assert "IPv6 between nodes is in clear text" in one.seen
    assert "wireguardEnabledV6: true" in one.remedy
    without = dataclasses.replace(state(keyed("w1"), wireguardEnabled=True), pools=POOLS[:1])
    assert len(found(without)) == 1  # no pod has IPv6


def test_a_node_without_a_key_is_an_error_of_that_family() -> None:
    half = node("w2", WireguardPublicKey=KEY)
    calico_state = state(keyed("w1"), half, wireguardEnabled=True, wireguardEnabledV6=True)
    errors = [one for one in found(calico_state) if one.severity is Severity.ERROR]
    assert [(one.node, one.families) for one in errors] == [("w2", (IPV6,))]
    assert modes.lacks_key(calico_state, "w2", IPV6)
    assert not modes.lacks_key(calico_state, "w2", IPV4)


def test_ebpf_is_said() -> None:
    (one,) = found(state(bpfEnabled=True))
    assert (one.code, one.severity) == ("calico-ebpf", Severity.NOTE)
    assert any(f.code == "calico-ebpf" for f in audit(state(bpfEnabled=True), FACTS))


def test_without_these_modes_nothing_is_said() -> None:
    assert found(state(keyed("w1"))) == []
