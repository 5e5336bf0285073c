"""One rule of a Calico policy or profile: what it matches on, besides its two entities.

Sources: projectcalico/calico api/pkg/apis/projectcalico/v3/policy_common.go (fields and their
limits), libcalico-go/lib/validator/v3 (what is refused), felix/rules (what is rendered).
"""

from __future__ import annotations

from sixproof.policy.calico.entity import RuleScope, entity_conditions
from sixproof.policy.engine.packet import Packet
from sixproof.policy.engine.rules import Action, Condition, Direction, Needs, PacketSide, Rule
from sixproof.policy.manifests.manifest import Field, Fields, read_labels, shown

PROTOCOLS = {"TCP": 6, "UDP": 17, "ICMP": 1, "ICMPv6": 58, "SCTP": 132, "UDPLite": 136}

_NAMES = {number: name for name, number in PROTOCOLS.items()}

_WITH_PORTS = (6, 17, 132)

_ICMP = {1: 4, 58: 6}

_FIELDS = [
    "action",
    "ipVersion",
    "protocol",
    "notProtocol",
    "icmp",
    "notICMP",
    "source",
    "destination",
    "http",
    "metadata",
]


def compile_rule(field: Field, index: int, direction: Direction, scope: RuleScope) -> Rule:
    """The rule here.

    Raises:
        ManifestError: Calico would refuse it.
    """
    found = field.fields(*_FIELDS)
    action = Action(found.need("action").choice(*Action))
    protocol = _protocol(found.get("protocol"))
    conditions = [
        *_ip_version(found, protocol, _protocol(found.get("notProtocol"))),
        *_protocols(protocol, negated=False),
        *_protocols(_protocol(found.get("notProtocol")), negated=True),
        *_icmp(found, protocol),
        *_not_icmp(found, protocol),
    ]
    _check_http(found, action, protocol, direction)
    for side in PacketSide:
        entity = found.get(side.value)
        if entity is not None:
            with_ports = protocol if protocol in _WITH_PORTS else None
            conditions += entity_conditions(entity, side, direction, with_ports, scope)
    if metadata := found.get("metadata"):
        read_labels(metadata.fields("annotations").get("annotations"))
    return Rule(index, action, tuple(conditions))


def _protocol(field: Field | None) -> int | None:
    if field is None:
        return None
    text = field.value
    if isinstance(text, str) and not (text.isascii() and text.isdecimal()):
        return PROTOCOLS[field.choice(*PROTOCOLS)]
    number = Field(int(text[:4]), field.path) if isinstance(text, str) else field
    return number.integer(1, 255)


def _ip_version(found: Fields, *protocols: int | None) -> list[Condition]:
    field = found.get("ipVersion")
    if field is None:
        return []
    version = field.integer(4, 6)
    if version == 5:
        raise field.error("5 is not 4 or 6")
    for protocol in protocols:
        if protocol in _ICMP and _ICMP[protocol] != version:
            raise field.error(f"{_NAMES[protocol]} needs ipVersion {_ICMP[protocol]}")

    def test(packet: Packet) -> bool:
        return packet.version == version

    return [Condition(f"IPv{version}", test, Needs.PORT)]


def _protocols(number: int | None, *, negated: bool) -> list[Condition]:
    if number is None:
        return []

    def test(packet: Packet) -> bool:
        return (packet.protocol == number) is not negated

    name = _NAMES.get(number, f"protocol {number}")
    return [Condition(f"not {name}" if negated else name, test, Needs.PORT)]


def _icmp(found: Fields, protocol: int | None) -> list[Condition]:
    field = found.get("icmp")
    if field is None:
        return []
    if protocol not in _ICMP:
        raise field.error("needs protocol ICMP or ICMPv6")
    kind, code = _message(field)
    if kind is None:
        return []

    def test(packet: Packet) -> bool:
        message = packet.icmp
        return message is not None and message.type == kind and code in (None, message.code)

    return [Condition(_message_text(kind, code), test, Needs.PORT)]


def _not_icmp(found: Fields, protocol: int | None) -> list[Condition]:
    """The negated match. Of packets that are no ICMP, nothing is known where the rule names no
    protocol: iptables refuses such a match, nftables limits it to ICMP."""
    field = found.get("notICMP")
    if field is None:
        return []
    kind, code = _message(field)
    if kind is None:
        return []

    def test(packet: Packet) -> bool | None:
        message = packet.icmp
        if message is None:
            return None if protocol is None else True
        return message.type != kind or code not in (None, message.code)

    return [Condition(f"not {_message_text(kind, code)}", test, Needs.PORT)]


def _message(field: Field) -> tuple[int | None, int | None]:
    found = field.fields("type", "code")
    kind, code = found.get("type"), found.get("code")
    if code is not None and kind is None:
        raise code.error("needs a type")
    return (
        None if kind is None else kind.integer(0, 254),
        None if code is None else code.integer(0, 255),
    )


def _message_text(kind: int, code: int | None) -> str:
    return f"ICMP type {kind}" + ("" if code is None else f" code {code}")


def _check_http(found: Fields, action: Action, protocol: int | None, direction: Direction) -> None:
    """HTTP matches narrow a rule only where Calico's application layer policy runs; a connection
    is judged without them."""
    field = found.get("http")
    if field is None:
        return
    http = field.fields("methods", "paths")
    for method in http.list("methods", at_most=20):
        method.text()
    for path in http.list("paths", at_most=20):
        path.fields("exact", "prefix").only_one("exact", "prefix").text()
    if action is not Action.ALLOW or direction is Direction.EGRESS:
        raise field.error("is for Allow rules of ingress only")
    if protocol not in (None, 6):
        raise field.error(f"needs protocol TCP, not {shown(protocol)}")
