"""The source and the destination of a Calico rule.

How the selectors of an entity work together follows libcalico-go's updateprocessors (rules.go)
and felix/calc (rule_scanner.go); how networks work per family follows felix/rules (policy.go): a
rule whose nets, or whose notNets, are all of the other family is not programmed for a family.
"""

from __future__ import annotations

import dataclasses

from sixproof.policy.calico.selector import (
    NAMESPACE,
    All,
    Compare,
    Comparison,
    Has,
    Not,
    Selector,
    Within,
    both,
)
from sixproof.policy.calico.selector_text import read_selector
from sixproof.policy.engine.context import Context, PortName, PortRange, to_ports
from sixproof.policy.engine.packet import NUMBERS, Packet, PolicyPeer
from sixproof.policy.engine.rules import Condition, Direction, Needs, PacketSide, PeerTest, about
from sixproof.policy.kubernetes.network_policy import read_port_name
from sixproof.policy.manifests.manifest import Field, Fields
from sixproof.policy.snapshot.networks import Networks, read_cidr
from sixproof.policy.snapshot.snapshot import ServiceSnapshot

_FIELDS = [
    "nets",
    "notNets",
    "selector",
    "notSelector",
    "namespaceSelector",
    "ports",
    "notPorts",
    "serviceAccounts",
    "services",
]

_WITHOUT_SERVICES = [
    "nets",
    "notNets",
    "selector",
    "notSelector",
    "namespaceSelector",
    "serviceAccounts",
]


@dataclasses.dataclass(frozen=True, slots=True)
class RuleScope:
    """Where a rule belongs: the namespace of its policy, empty for global ones and profiles."""

    context: Context
    namespace: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Entity:
    """One entity while it is compiled."""

    found: Fields
    side: PacketSide
    direction: Direction
    protocol: int | None
    scope: RuleScope

    @property
    def subject(self) -> PacketSide:
        """The end of the packet at which the policy acts."""
        return PacketSide.DESTINATION if self.direction is Direction.INGRESS else PacketSide.SOURCE

    def about(self, wanted: str, test: PeerTest) -> Condition:
        """A condition on this end."""
        return about(self.side, f"{self.side} {wanted}", test)


def entity_conditions(
    field: Field, side: PacketSide, direction: Direction, protocol: int | None, scope: RuleScope
) -> list[Condition]:
    """The conditions of an entity; `protocol` is the rule's, None where it has no ports.

    Raises:
        ManifestError: Calico would refuse it.
    """
    entity = _Entity(field.fields(*_FIELDS), side, direction, protocol, scope)
    return [*_services(entity), *_selectors(entity), *_nets(entity), *_ports(entity)]


def _nets(entity: _Entity) -> list[Condition]:
    found = []
    inside = [read_cidr(f, bare=True) for f in entity.found.list("nets")]
    outside = [read_cidr(f, bare=True) for f in entity.found.list("notNets")]
    if inside:
        networks = Networks.of(inside)
        test = entity.scope.context.in_networks(networks)
        found.append(entity.about(f"in {networks}", test))
    if outside:
        found.append(_not_in(entity, Networks.of(outside)))
    return found


def _not_in(entity: _Entity, networks: Networks) -> Condition:
    def test(peer: PolicyPeer) -> bool:
        if not networks.has_family(peer.version):
            return False
        return not networks.hold(peer.version, peer.value)

    families = " and ".join(sorted(networks.families()))
    return entity.about(f"not in {networks} (matches {families} only)", test)


def _selectors(entity: _Entity) -> list[Condition]:
    spaces = entity.found.get("namespaceSelector")
    positive = both(_accounts(entity.found), read_selector(entity.found.get("selector")))
    negative = read_selector(entity.found.get("notSelector"))
    space = _namespaces(spaces)
    if space is None and entity.scope.namespace and (positive or negative):
        space = Compare(NAMESPACE, Comparison.EQUALS, entity.scope.namespace)
    positive = both(space, positive)
    if positive is not None and negative is not None:
        positive, negative = both(positive, Not(negative)), None
    found = []
    if positive is not None:
        found.append(entity.about(f"matches {positive}", _known(entity, positive)))
    if negative is not None:
        known = _known(entity, negative)
        found.append(entity.about(f"does not match {negative}", lambda p: not known(p)))
    return found


def _known(entity: _Entity, selector: Selector) -> PeerTest:
    """Whether the selector chooses a peer: its pod, or a network set that holds its address."""
    context = entity.scope.context
    sets = [s.networks for s in context.network_sets if selector.matches(s.labels)]

    def test(peer: PolicyPeer) -> bool:
        if peer.calico is not None and selector.matches(peer.calico):
            return True
        return any(networks.hold(peer.version, peer.value) for networks in sets)

    return test


def _namespaces(field: Field | None) -> Selector | None:
    selector = read_selector(field, may_be_global=True)
    return None if selector is None else selector.in_scope("pcns.", Has(NAMESPACE))


def _accounts(found: Fields) -> Selector | None:
    field = found.get("serviceAccounts")
    if field is None:
        return None
    accounts = field.fields("names", "selector")
    names = tuple(sorted({name.text() for name in accounts.list("names")}))
    selector = read_selector(accounts.get("selector"))
    scoped = None if selector is None else selector.in_scope("pcsa.", All())
    listed = Within("projectcalico.org/serviceaccount", names) if names else None
    return both(scoped, listed)


def _services(entity: _Entity) -> list[Condition]:
    field = entity.found.get("services")
    if field is None:
        return []
    found = field.fields("name", "namespace")
    name = found.need("name").text()
    namespace = found.text("namespace") or entity.scope.namespace
    if entity.side is entity.subject:
        raise field.error("is for the other end: source of ingress, destination of egress")
    if not name:
        raise found.need("name").error("is empty")
    if not namespace:
        raise field.child("namespace", None).error("is required outside a namespaced policy")
    ports = ("ports", "notPorts") if entity.side is PacketSide.DESTINATION else ()
    for key in (*_WITHOUT_SERVICES, *ports):
        other = entity.found.get(key)
        if other is not None and other.value:
            raise other.error("is not allowed beside services")
    service = entity.scope.context.snapshot.service(namespace, name)
    return [_service_condition(entity, f"an endpoint of service {namespace}/{name}", service)]


def _service_condition(entity: _Entity, wanted: str, service: ServiceSnapshot | None) -> Condition:
    """Source: any backend's address. Destination: a backend's address and its port. Of a service
    that the cluster does not hold nothing is known."""
    if service is None:
        return entity.about(f"{wanted}, which is not known", lambda _: None)
    snapshot, backends = entity.scope.context.snapshot, service.backends
    if entity.side is PacketSide.SOURCE:
        addresses = frozenset(a for b in backends for a in b.addresses)
        return entity.about(wanted, lambda peer: peer.address in addresses)
    port_specs = frozenset(
        (address, NUMBERS.get(port.protocol), snapshot.target(port, backend))
        for backend in backends
        for address in backend.addresses
        for port in service.ports
    )

    def test(packet: Packet) -> bool:
        return (packet.destination.address, packet.protocol, packet.port) in port_specs

    return Condition(f"{entity.side} {wanted}", test)


def _ports(entity: _Entity) -> list[Condition]:
    found = []
    for key, negated in (("ports", False), ("notPorts", True)):
        field = entity.found.get(key)
        listed = entity.found.list(key)
        if field is None or not listed:
            continue
        if entity.protocol is None:
            raise field.error("needs protocol TCP, UDP or SCTP")
        ports = tuple(_port(f, entity.protocol) for f in listed)
        found.append(_port_condition(entity, ports, negated=negated))
    return found


def _port_condition(
    entity: _Entity, ports: tuple[PortRange | PortName, ...], *, negated: bool
) -> Condition:
    positive = to_ports(ports)
    word = "not " if negated else ""
    if entity.side is PacketSide.SOURCE:
        return Condition(f"source port {word}{positive.wanted}", lambda _: None, Needs.PORT)
    if not negated:
        return positive
    return Condition(f"not {positive.wanted}", lambda p: not positive.test(p), positive.needs)


def _port(field: Field, protocol: int) -> PortRange | PortName:
    if not isinstance(field.value, str):
        number = field.integer(1, 65535)
        return PortRange(protocol, number, number)
    first, colon, last = field.value.partition(":")
    numeric = first.isdecimal() and first.isascii()
    if numeric and (not colon or (last.isdecimal() and last.isascii())):
        low = Field(int(first[:6]), field.path).integer(1, 65535)
        high = Field(int(last[:6]), field.path).integer(low, 65535) if colon else low
        return PortRange(protocol, low, high)
    return PortName(read_port_name(field), protocol)
