"""Modes of Calico's dataplane that change what a check may expect: WireGuard and eBPF. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sixproof.calico.state import CalicoState
from sixproof.errors import Subject
from sixproof.model import ClusterFacts, Family, Finding, FindingType, Severity

WIREGUARD = FindingType(
    "calico-wireguard",
    "WireGuard encrypts both families or none, on every node",
    "Calico documentation: Encrypt in-cluster pod traffic",
)
EBPF = FindingType(
    "calico-ebpf",
    "Policies and services are rules of iptables or nftables",
    "Calico documentation: eBPF dataplane",
)
DEVICES = {Family.IPV4: "wireguard.cali", Family.IPV6: "wg-v6.cali"}
"""The devices that carry a family's encrypted packets, by Felix's default names."""
SETTINGS = {Family.IPV4: "wireguardEnabled", Family.IPV6: "wireguardEnabledV6"}


def audit(state: CalicoState, facts: ClusterFacts) -> Iterator[Finding]:
    """Which of these modes are on, and what is wrong with WireGuard."""
    yield from _wireguard(state, facts)
    if state.felix.bpf:
        yield EBPF.found(
            Severity.NOTE,
            "Felix",
            "the eBPF dataplane is on: policies and services are programs at interfaces, which "
            "the packet filter's rules and counters do not show",
        )


def _wireguard(state: CalicoState, facts: ClusterFacts) -> Iterator[Finding]:
    on = state.felix.wireguard
    if not on:
        return
    yield WIREGUARD.found(
        Severity.NOTE,
        "Felix",
        f"WireGuard encrypts {' and '.join(on)} between nodes",
    )
    for family in Family:
        if family not in on and state.pools_of(family):
            yield WIREGUARD.found(
                Severity.WARNING,
                "Felix",
                f"WireGuard is on for {family.other} alone: {family} between nodes is in clear "
                "text",
                "both families, or none",
                f"set {SETTINGS[family]}: true in FelixConfiguration default",
                families=[family],
            )
    ready = {node.name for node in facts.nodes if node.ready}
    for node in state.nodes:
        for family in on:
            if node.name in ready and lacks_key(state, node.name, family):
                yield WIREGUARD.found(
                    Severity.ERROR,
                    Subject.of_node(node.name),
                    f"it published no WireGuard key for {family}: its packets are in clear text",
                    "the kernel's wireguard module, and a key of each family",
                    "modprobe wireguard there, and look at calico-node's log",
                    families=[family],
                    node=node.name,
                )


def lacks_key(state: CalicoState, node: str, family: Family) -> bool:
    """Whether a node that Calico knows has published no public key for a family."""
    return any(n.name == node and family not in n.wireguard_keys for n in state.nodes)
