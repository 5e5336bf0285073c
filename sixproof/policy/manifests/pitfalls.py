"""Errors often copied into the objects around policies: pools, Felix, kubelets, sysctls."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterator

from sixproof.errors import brief
from sixproof.model import Finding, FindingType, Severity
from sixproof.policy.manifests.manifest import shown
from sixproof.policy.manifests.manifest_compiler import subject_of
from sixproof.policy.manifests.tree import at, leaves, listed, text_at, written

ULA_WITHOUT_NAT = FindingType(
    "ula-without-nat",
    "Traffic from unique local pod addresses to the outside is translated",
    "RFC 4193 section 4.3",
)
FEATURE_GATE_GONE = FindingType("feature-gate-gone", "No removed feature gate is set", "KEP-563")
MTU_WITHOUT_ROOM = FindingType(
    "mtu-without-room", "MTUs leave room for the VXLAN headers", "RFC 7348 section 4.3"
)
FAILSAFE_ONE_FAMILY = FindingType(
    "failsafe-one-family",
    "Fail-safe ports are open over both families",
    "Calico API reference: FelixConfiguration",
)
ROUTER_ADVERTISEMENTS_IGNORED = FindingType(
    "router-advertisements-ignored",
    "Router advertisements are accepted where forwarding is on",
    "Linux ip-sysctl: accept_ra",
)

_GATE = "IPv6DualStack"

_ULA = ipaddress.IPv6Network("fc00::/7")

_VXLAN_MTU = {"vxlanMTU": 1450, "vxlanMTUV6": 1430}
"""What VXLAN leaves of a 1500-byte network: 50 bytes less over IPv4, 70 over IPv6."""

_SYSCTL = re.compile(r"net[./]ipv6[./]conf[./][\w*-]+[./](accept_ra|forwarding)\s*=\s*(\d+)")


@dataclasses.dataclass(frozen=True, slots=True)
class WrittenPool:
    """A pool of pod addresses, of an IPPool or of an Installation."""

    owner: object
    cidr: str
    nat_outgoing: bool
    vxlan: bool


def pitfalls(values: list[object]) -> Iterator[Finding]:
    """Findings about objects of any kind."""
    pools = [pool for value in values for pool in _pools(value)]
    vxlan = any(pool.vxlan for pool in pools)
    yield from map(_ula_without_nat, filter(_stuck_ula, pools))
    for value in values:
        yield from _feature_gate(value)
        yield from _router_advertisements(value)
        if at(value, "kind") == "FelixConfiguration":
            yield from _felix_mtu(value, vxlan=vxlan)
            yield from _failsafe(value)
        elif vxlan and at(value, "kind") == "Installation":
            mtu = at(value, "spec", "calicoNetwork", "mtu")
            yield from _mtu(value, "spec.calicoNetwork.mtu", mtu, 1430)


def _pools(value: object) -> Iterator[WrittenPool]:
    if at(value, "kind") == "IPPool":
        spec = at(value, "spec")
        mode = at(spec, "vxlanMode")
        yield WrittenPool(value, text_at(spec, "cidr"), at(spec, "natOutgoing") is True,
                   mode not in (None, "", "Never"))  # fmt: skip
    elif at(value, "kind") == "Installation":
        for pool in listed(at(value, "spec", "calicoNetwork", "ipPools")):
            nat, encapsulation = at(pool, "natOutgoing"), text_at(pool, "encapsulation")
            yield WrittenPool(
                value, text_at(pool, "cidr"), nat != "Disabled", "VXLAN" in encapsulation
            )


def _stuck_ula(pool: WrittenPool) -> bool:
    try:
        network = ipaddress.ip_network(pool.cidr)
    except ValueError:
        return False
    inside = isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_ULA)
    return inside and not pool.nat_outgoing


def _ula_without_nat(pool: WrittenPool) -> Finding:
    return ULA_WITHOUT_NAT.found(
        severity=Severity.WARNING,
        subject=subject_of(pool.owner),
        seen=f"{pool.cidr} holds unique local addresses, and natOutgoing is off: its pods reach "
        "nothing outside that does not route them back",
        wanted="natOutgoing, or global addresses for pods that must reach the outside",
    )


def _feature_gate(value: object) -> Iterator[Finding]:
    for leaf in leaves(value):
        if leaf.key == _GATE or _GATE in written(leaf.field.value):
            yield FEATURE_GATE_GONE.found(
                severity=Severity.ERROR,
                subject=subject_of(value, leaf.field.place),
                seen=f"feature gate {_GATE} is not known after Kubernetes 1.24: what is given it "
                "does not start",
                remedy="leave it out, dual stack is always on since 1.23",
            )


def _felix_mtu(value: object, *, vxlan: bool) -> Iterator[Finding]:
    for key, most in _VXLAN_MTU.items():
        yield from _mtu(value, f"spec.{key}", at(value, "spec", key), most)
    if vxlan:
        yield from _mtu(value, "spec.mtu", at(value, "spec", "mtu"), 1430)


def _mtu(value: object, path: str, mtu: object, most: int) -> Iterator[Finding]:
    if isinstance(mtu, int) and most < mtu <= 1500:
        yield MTU_WITHOUT_ROOM.found(
            severity=Severity.WARNING,
            subject=subject_of(value, path),
            seen=f"{mtu} leaves VXLAN no room on a network of 1500 bytes",
            wanted=f"{most} there",
            remedy="leave it out, Felix finds it by itself",
        )


def _failsafe(value: object) -> Iterator[Finding]:
    for key in ("failsafeInboundHostPorts", "failsafeOutboundHostPorts"):
        versions: dict[tuple[str, str], set[int]] = {}
        for entry in listed(at(value, "spec", key)):
            port_spec = brief(text_at(entry, "protocol"), 20), shown(at(entry, "port"))
            found = versions.setdefault(port_spec, set())
            net = text_at(entry, "net")
            found |= {6 if ":" in net else 4} if net else {4, 6}
        for (protocol, port), seen in versions.items():
            if len(seen) == 1:
                yield FAILSAFE_ONE_FAMILY.found(
                    severity=Severity.WARNING,
                    subject=subject_of(value, f"spec.{key}"),
                    seen=f"{protocol} {port} is kept open over IPv{seen.pop()} only",
                    wanted="an entry of each family, or one without net",
                )


def _router_advertisements(value: object) -> Iterator[Finding]:
    if {"accept_ra=1", "forwarding=1"} <= set(_sysctls(value)):
        yield ROUTER_ADVERTISEMENTS_IGNORED.found(
            severity=Severity.WARNING,
            subject=subject_of(value),
            seen="accept_ra is 1 where forwarding is on: Linux then ignores router "
            "advertisements, and a default route learned by one expires",
            wanted="accept_ra=2",
        )


def _sysctls(value: object) -> Iterator[str]:
    """Settings of accept_ra and forwarding: as text, or as a pair of name and value."""
    name = ""
    for leaf in leaves(value):
        text = written(leaf.field.value)
        if leaf.key == "name":
            name = text
        elif leaf.key == "value":
            text = f"{name}={text}"
        elif "ipv6" in leaf.key:
            text = f"{leaf.key}={text}"
        for key, number in _SYSCTL.findall(text):
            yield f"{key}={number}"
