"""networking.k8s.io/v1 NetworkPolicy: reading and compiling.

Source of the semantics and of the validation: the API's type documentation and its defaulting and
validation (kubernetes/kubernetes, staging/src/k8s.io/api/networking/v1 and pkg/apis/networking).
"""

from __future__ import annotations

import re

from sixproof.policy.engine.context import Context, PortName, PortRange, pods_of, to_ports
from sixproof.policy.engine.packet import NUMBERS
from sixproof.policy.engine.rules import (
    Action,
    Condition,
    Direction,
    PacketSide,
    PeerTest,
    Policy,
    PolicyRef,
    Rule,
    about,
    any_of,
)
from sixproof.policy.kubernetes.labels import read_label_selector
from sixproof.policy.manifests.manifest import Field, Fields, Manifest, shown
from sixproof.policy.snapshot.networks import Networks, read_cidr

ORDER = 1000.0
"""The order that Calico gives every NetworkPolicy within its default tier."""

PROTOCOLS = {protocol.value: number for protocol, number in NUMBERS.items()}

_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")

_PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


def compile_network_policy(manifest: Manifest, tier: str, context: Context) -> Policy:
    """The policy of a manifest.

    Raises:
        ManifestError: the API server would refuse it.
    """
    spec = manifest.spec.fields("podSelector", "ingress", "egress", "policyTypes")
    pods = read_label_selector(spec.get("podSelector"))
    rules = {
        direction: tuple(
            _rule(field, i, direction, manifest.namespace, context)
            for i, field in enumerate(spec.list(direction.value))
        )
        for direction in Direction
    }
    types = _types(spec, egress=bool(rules[Direction.EGRESS]))
    return Policy(
        ref=PolicyRef("NetworkPolicy", manifest.namespace, manifest.name),
        tier=tier,
        subject=f"pods of namespace {manifest.namespace} with {pods}",
        selects=pods_of(manifest.namespace, pods),
        rules={direction: rules[direction] for direction in Direction if direction in types},
        order=ORDER,
    )


def _types(spec: Fields, *, egress: bool) -> frozenset[Direction]:
    """The directions: as listed; by default ingress, and egress where it has rules."""
    listed = frozenset(
        Direction(field.choice("Ingress", "Egress").lower())
        for field in spec.list("policyTypes", at_most=2)
    )
    default = frozenset(Direction) if egress else frozenset({Direction.INGRESS})
    return listed or default


def _rule(field: Field, i: int, direction: Direction, namespace: str, context: Context) -> Rule:
    found = field.fields(_PEERS[direction], "ports")
    peer = PacketSide.SOURCE if direction is Direction.INGRESS else PacketSide.DESTINATION
    conditions: list[Condition] = []
    if ports := tuple(map(_port, found.list("ports"))):
        conditions.append(to_ports(ports))
    if peers := [_peer(p, namespace, context) for p in found.list(_PEERS[direction])]:
        wanted = f"{peer} is {' or '.join(text for text, _ in peers)}"
        conditions.append(about(peer, wanted, any_of(test for _, test in peers)))
    return Rule(i, Action.ALLOW, tuple(conditions))


def _peer(field: Field, namespace: str, context: Context) -> tuple[str, PeerTest]:
    found = field.fields("podSelector", "namespaceSelector", "ipBlock")
    block = found.get("ipBlock")
    selectors = found.get("podSelector"), found.get("namespaceSelector")
    if block is not None:
        if any(selectors):
            raise field.error("ipBlock excludes podSelector and namespaceSelector")
        return _block(block, context)
    if not any(selectors):
        raise field.error("needs podSelector, namespaceSelector or ipBlock")
    pods = read_label_selector(selectors[0])
    if selectors[1] is None:
        return f"pods of {namespace} with {pods}", pods_of(namespace, pods)
    spaces = read_label_selector(selectors[1])
    return f"pods with {pods} in namespaces with {spaces}", pods_of(spaces, pods)


def _block(field: Field, context: Context) -> tuple[str, PeerTest]:
    """A block, as the API server's legacy validation reads it; `audit` reports what strict
    validation (KEP-4858) would refuse."""
    found = field.fields("cidr", "except")
    cidr = read_cidr(found.need("cidr"), legacy=True)
    excepted = []
    for item in found.list("except"):
        network = read_cidr(item, legacy=True)
        same = network.version == cidr.version
        inside = same and int(network.network_address) & int(cidr.netmask) == int(
            cidr.network_address
        )
        if not inside or network.prefixlen <= cidr.prefixlen:
            raise item.error(f"{network} must lie inside {cidr} and be smaller")
        excepted.append(network)
    without = Networks.of(excepted)
    inside_cidr = context.in_networks(Networks.of((cidr,)))
    text = f"{cidr} except {without}" if excepted else f"{cidr}"
    return (
        text,
        lambda peer: False if without.hold(peer.version, peer.value) else inside_cidr(peer),
    )


def _port(field: Field) -> PortRange | PortName:
    found = field.fields("protocol", "port", "endPort")
    protocol = found.get("protocol")
    number = PROTOCOLS["TCP" if protocol is None else protocol.choice(*PROTOCOLS)]
    port, end = found.get("port"), found.get("endPort")
    if port is None or isinstance(port.value, str):
        if end is not None:
            raise end.error("needs a numeric port")
        return PortRange(number) if port is None else PortName(read_port_name(port), number)
    first = port.integer(1, 65535)
    return PortRange(number, first, first if end is None else end.integer(first, 65535))


def read_port_name(field: Field) -> str:
    """The name of a container port (IANA service name syntax).

    Raises:
        ManifestError: it is none.
    """
    name = field.text()
    if not _PORT_NAME.fullmatch(name):
        raise field.error(f"{shown(name)} is neither a port number nor a port name")
    return name
