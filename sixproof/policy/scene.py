"""Endpoints and worlds described by hand: as one line, or as a small file (parsed YAML)."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping

from sixproof.errors import UsageError
from sixproof.model import Endpoint, EndpointKind, Family, IPAddress, Protocol
from sixproof.policy.manifest import Field, Fields, read_labels
from sixproof.policy.world import NamedPort, Node, Service, ServicePort, World

INLINE = (
    "NAMESPACE/POD (or host:NAMESPACE/POD, node:NAME, outside), and after commas:\n"
    "  addresses, labels (key=value), @NODE, sa:SERVICEACCOUNT, ns:KEY=VALUE (a label of the\n"
    "  namespace), port:NAME=tcp/8080 (a named port)"
)
"""How an endpoint is written on one line."""

_LANE = re.compile(r"(?P<protocol>tcp|udp|sctp)/(?P<port>\d{1,5})", re.IGNORECASE)

_KINDS = [kind.value for kind in EndpointKind if kind is not EndpointKind.SERVICE]


def parse_lane(text: str) -> tuple[Protocol, int | None]:
    """``tcp/80``, ``80`` (TCP) or ``icmp`` as protocol and port.

    Raises:
        UsageError: the text is none of them.
    """
    if text.lower() in ("icmp", "icmpv6"):
        return Protocol.ICMP, None
    found = _LANE.fullmatch(text if "/" in text else f"tcp/{text}")
    if found is None or not 1 <= int(found["port"]) <= 65535:
        raise UsageError(f"{text!r} is no port: write tcp/80, udp/53, sctp/9, 80 or icmp")
    return Protocol(found["protocol"].upper()), int(found["port"])


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """An endpoint described on one line, with what that says of its namespace and its ports."""

    endpoint: Endpoint
    namespace_labels: tuple[tuple[str, str], ...] = ()
    ports: tuple[NamedPort, ...] = ()


def parse_endpoint(text: str) -> Described:
    """The endpoint that a line describes (`INLINE` says how).

    Raises:
        UsageError: a part of the line cannot be read.
    """
    who, *parts = (part.strip() for part in text.split(","))
    head = _head(who)
    found: dict[str, list[str]] = {}
    addresses: list[IPAddress] = []
    for part in parts:
        try:
            addresses.append(ipaddress.ip_address(part))
        except ValueError:
            key, value = _part(part)
            found.setdefault(key, []).append(value)
    endpoint = dataclasses.replace(
        head,
        addresses=_one_each(addresses, text),
        node=found.get("@", [head.node])[-1],
        labels=tuple(sorted(map(_pair, found.get("=", [])))),
        service_account=found.get("sa", [head.service_account])[-1],
    )
    spaces = tuple(map(_pair, found.get("ns", [])))
    return Described(endpoint, spaces, tuple(map(_named, found.get("port", []))))


def _head(who: str) -> Endpoint:
    if who == "outside":
        return Endpoint(who, EndpointKind.OUTSIDE)
    prefix, _, rest = who.rpartition(":")
    if prefix == "node" and rest:
        return Endpoint(rest, EndpointKind.NODE, node=rest)
    namespace, slash, pod = rest.partition("/")
    if prefix not in ("", "host") or not slash or not namespace or not pod or "/" in pod:
        raise UsageError(f"{who!r} is no endpoint: write {INLINE}")
    kind = EndpointKind.HOST if prefix else EndpointKind.POD
    return Endpoint(pod, kind, namespace=namespace, pod=pod, service_account="default")


def _part(part: str) -> tuple[str, str]:
    if part.startswith("@") and len(part) > 1:
        return "@", part[1:]
    prefix, colon, rest = part.partition(":")
    if colon and prefix in ("sa", "ns", "port") and rest:
        return prefix, rest
    if "=" in part and not part.startswith("="):
        return "=", part
    raise UsageError(f"{part!r} cannot be read: write {INLINE}")


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _named(text: str) -> NamedPort:
    name, _, lane = text.partition("=")
    protocol, port = parse_lane(lane)
    if port is None:
        raise UsageError(f"{text!r}: a named port has a number, as in http=tcp/8080")
    return NamedPort(name, protocol, port)


def _one_each(addresses: list[IPAddress], text: str) -> tuple[IPAddress, ...]:
    if len({Family.of(a) for a in addresses}) < len(addresses):
        raise UsageError(f"{text!r} has two addresses of one family")
    return tuple(addresses)


def read_world(value: object) -> World:
    """The world that a file describes: ``namespaces``, ``endpoints``, ``nodes``, ``services`` and
    ``serviceAccounts``, each by name.

    Raises:
        ManifestError: the file is not of that shape; the path says where.
    """
    top = Field(value).fields("namespaces", "endpoints", "nodes", "services", "serviceAccounts")
    endpoints, ports = {}, {}
    for name, field in _named_fields(top, "endpoints"):
        endpoint, named = _endpoint(name, field)
        endpoints[name] = endpoint
        ports[endpoint.namespace, endpoint.pod] = named
    return World.of(
        {name: dict(read_labels(field)) for name, field in _named_fields(top, "namespaces")},
        ports=ports,
        nodes=[_node(name, field) for name, field in _named_fields(top, "nodes")],
        services=[_service(n, field, endpoints) for n, field in _named_fields(top, "services")],
        service_accounts={
            _slashed(name, field): dict(read_labels(field))
            for name, field in _named_fields(top, "serviceAccounts")
        },
        endpoints=endpoints.values(),
    )


def _named_fields(top: Fields, key: str) -> list[tuple[str, Field]]:
    field = top.get(key)
    if field is None:
        return []
    return [(name, field.child(name, value)) for name, value in field.mapping().values.items()]


def _endpoint(name: str, field: Field) -> tuple[Endpoint, tuple[NamedPort, ...]]:
    found = field.fields(
        "kind", "namespace", "pod", "labels", "addresses", "node", "serviceAccount", "ports"
    )
    kind = found.get("kind")
    chosen = EndpointKind.POD if kind is None else EndpointKind(kind.choice(*_KINDS))
    in_namespace = chosen in (EndpointKind.POD, EndpointKind.HOST)
    endpoint = Endpoint(
        name=name,
        kind=chosen,
        addresses=_addresses(found),
        namespace=found.need("namespace").text() if in_namespace else "",
        pod=(found.text("pod") or name) if in_namespace else "",
        node=found.text("node"),
        labels=read_labels(found.get("labels")),
        service_account=found.text("serviceAccount") or ("default" if in_namespace else ""),
    )
    named = read_labels(found.get("ports"))
    return endpoint, tuple(_named(f"{key}={lane}") for key, lane in named)


def _addresses(found: Fields, key: str = "addresses") -> tuple[IPAddress, ...]:
    read = []
    for field in found.list(key):
        try:
            read.append(ipaddress.ip_address(field.text()))
        except ValueError:
            raise field.error(f"{field.text()!r} is not an IP address") from None
    return tuple(read)


def _node(name: str, field: Field) -> Node:
    found = field.fields("addresses", "labels")
    return Node(name, _addresses(found), read_labels(found.get("labels")))


def _slashed(name: str, field: Field) -> tuple[str, str]:
    namespace, slash, rest = name.partition("/")
    if not slash:
        raise field.error("is named NAMESPACE/NAME")
    return namespace, rest


def _service(name: str, field: Field, endpoints: Mapping[str, Endpoint]) -> Service:
    found = field.fields("addresses", "external", "ports", "backends", "local")
    namespace, short = _slashed(name, field)
    for backend in found.list("backends"):
        if backend.text() not in endpoints:
            raise backend.error(f"{backend.text()!r} is no endpoint of this file")
    return Service(
        namespace=namespace,
        name=short,
        addresses=_addresses(found),
        external=_addresses(found, "external"),
        ports=tuple(map(_service_port, found.list("ports"))),
        backends=tuple(endpoints[b.text()] for b in found.list("backends")),
        local=found.flag("local"),
    )


def _service_port(field: Field) -> ServicePort:
    found = field.fields("port", "protocol", "target", "nodePort")
    protocol, target, node = found.get("protocol"), found.get("target"), found.get("nodePort")
    named = target is not None and isinstance(target.value, str)
    return ServicePort(
        port=found.need("port").integer(1, 65535),
        protocol=Protocol.TCP if protocol is None else Protocol(protocol.choice(*_PROTOCOLS)),
        target=None if target is None else target.text() if named else target.integer(1, 65535),
        node_port=None if node is None else node.integer(1, 65535),
    )


_PROTOCOLS = [protocol.value for protocol in Protocol if protocol.has_ports]
