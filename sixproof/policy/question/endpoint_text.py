"""Endpoints and ports described by hand, on one line each."""

from __future__ import annotations

import dataclasses
import re

from sixproof.errors import UsageError
from sixproof.model import Endpoint, EndpointKind, Family, IPAddress, Protocol
from sixproof.policy.manifests.manifest import LONGEST_LABEL, LONGEST_NAME, shown
from sixproof.policy.snapshot.address import looks_like_one, read_address
from sixproof.policy.snapshot.snapshot import NamedPort

INLINE = (
    "NAMESPACE/POD (or host:NAMESPACE/POD, node:NAME, svc:NAMESPACE/NAME, outside), and after "
    "commas: addresses, labels (key=value), @NODE, sa:SERVICEACCOUNT, ns:KEY=VALUE (a label of "
    "the namespace), port:NAME=tcp/8080 (a named port)"
)
"""How an endpoint is written on one line."""

_PROTOCOLS = "|".join(p.value.lower() for p in Protocol if p.has_ports)
_PORT = re.compile(
    rf"(?:(?P<before>{_PROTOCOLS})/)?(?P<port>[a-z0-9-]{{1,63}})(?:/(?P<after>{_PROTOCOLS}))?",
    re.IGNORECASE,
)
_PORT_FORMS = "write tcp/80, udp/53, sctp/9, 80/tcp, 80 (TCP), the name of a port, or icmp"
_HEAD = re.compile(r"(?:(?P<prefix>host|svc):)?(?P<namespace>[^/:,\s]+)/(?P<name>[^/:,\s]+)")


@dataclasses.dataclass(frozen=True, slots=True)
class AskedPort:
    """A protocol and a port: its number, or its name (then `protocol` is None unless said); no
    port for ICMP."""

    protocol: Protocol | None
    port: int | str | None = None


def parse_port(text: str) -> AskedPort:
    """``tcp/80``, ``80/tcp``, ``80`` (TCP), ``http``, ``udp/dns`` or ``icmp``.

    Raises:
        UsageError: the text is none of them.
    """
    if text.lower() in ("icmp", "icmpv6"):
        return AskedPort(Protocol.ICMP)
    found = _PORT.fullmatch(text)
    if found is None or (found["before"] and found["after"]):
        raise UsageError(f"{shown(text)} is no port: {_PORT_FORMS}")
    said, port = found["before"] or found["after"], found["port"]
    protocol = Protocol(said.upper()) if said else None
    if port.isdecimal() and port.isascii():
        if not 1 <= int(port[:6]) <= 65535:
            raise UsageError(f"{shown(text)} is no port: numbers go from 1 to 65535")
        return AskedPort(protocol or Protocol.TCP, int(port))
    if port.upper() in Protocol.__members__ or not re.search("[a-zA-Z]", port):
        raise UsageError(f"{shown(text)} is no port: {_PORT_FORMS}")
    return AskedPort(protocol, port)


@dataclasses.dataclass(frozen=True, slots=True)
class EndpointSpec:
    """An endpoint as one line describes it; what the line does not say is empty."""

    kind: EndpointKind
    namespace: str = ""
    name: str = ""
    addresses: tuple[IPAddress, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    node: str = ""
    service_account: str = ""
    namespace_labels: tuple[tuple[str, str], ...] = ()
    ports: tuple[NamedPort, ...] = ()

    def on(self, known: Endpoint) -> Endpoint:
        """A known endpoint with what the line says besides."""
        return dataclasses.replace(
            known,
            kind=self.kind if self.kind is EndpointKind.HOST else known.kind,
            addresses=self.addresses or known.addresses,
            node=self.node or known.node,
            labels=tuple(sorted({**dict(known.labels), **dict(self.labels)}.items())),
            service_account=self.service_account or known.service_account,
        )

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that the line alone describes."""
        in_namespace = self.kind in (EndpointKind.POD, EndpointKind.HOST)
        bare = Endpoint(
            name=f"{self.namespace}/{self.name}" if in_namespace else self.name,
            kind=self.kind,
            namespace=self.namespace,
            pod=self.name if in_namespace else "",
            node=self.name if self.kind is EndpointKind.NODE else "",
            service_account="default" if in_namespace else "",
        )
        return self.on(bare)


def parse_endpoint(text: str) -> EndpointSpec:
    """The endpoint that a line describes (`INLINE` says how).

    Raises:
        UsageError: a part of the line cannot be read.
    """
    who, _, _ = text.partition(",")
    return parse_parts(text, _head(who.strip()))


def parse_parts(text: str, head: EndpointSpec) -> EndpointSpec:
    """What a line says after its first comma, about `head`.

    Raises:
        UsageError: a part of it cannot be read.
    """
    found: dict[str, list[str]] = {}
    addresses: list[IPAddress] = []
    for part in map(str.strip, text.split(",")[1:]):
        if looks_like_one(part):
            addresses.append(_address(part))
        else:
            key, value = _part(part)
            found.setdefault(key, []).append(value)
    return dataclasses.replace(
        head,
        addresses=_one_each(addresses, text),
        node=found.get("@", [""])[-1],
        labels=tuple(sorted(_pairs(found.get("=", []), "label"))),
        service_account=found.get("sa", [""])[-1],
        namespace_labels=tuple(_pairs(found.get("ns", []), "label of the namespace")),
        ports=tuple(map(named_port, found.get("port", []))),
    )


def _address(text: str) -> IPAddress:
    try:
        return read_address(text)
    except ValueError as bad:
        raise UsageError(str(bad)) from None


def _head(who: str) -> EndpointSpec:
    if who == "outside":
        return EndpointSpec(EndpointKind.OUTSIDE, name=who)
    if who.startswith("node:") and len(who) > len("node:"):
        name = who.removeprefix("node:")
        return EndpointSpec(EndpointKind.NODE, name=_named(name, who, LONGEST_NAME))
    found = _HEAD.fullmatch(who)
    if found is None:
        raise UsageError(f"{shown(who)} is no endpoint: write {INLINE}")
    kinds = {"host": EndpointKind.HOST, "svc": EndpointKind.SERVICE}
    kind = kinds.get(found["prefix"], EndpointKind.POD)
    namespace = _named(found["namespace"], who, LONGEST_LABEL)
    if "." in namespace:
        hint = (
            ": a range of addresses is no endpoint, give one" if found["name"].isdecimal() else ""
        )
        raise UsageError(f"{shown(who)} is no endpoint: a namespace has no dots{hint}")
    return EndpointSpec(kind, namespace, _named(found["name"], who, LONGEST_NAME))


def _named(name: str, who: str, longest: int) -> str:
    if len(name) > longest:
        raise UsageError(f"{shown(who)}: a name there has at most {longest} characters")
    return name


def _part(part: str) -> tuple[str, str]:
    if part.startswith("@") and len(part) > 1:
        return "@", part[1:]
    prefix, colon, rest = part.partition(":")
    if colon and prefix in ("sa", "ns", "port") and rest:
        return prefix, rest
    if "=" in part and not part.startswith("="):
        return "=", part
    raise UsageError(f"{shown(part)} cannot be read: write {INLINE}")


def _pairs(texts: list[str], what: str) -> list[tuple[str, str]]:
    pairs = [(key, value) for key, _, value in (text.partition("=") for text in texts)]
    keys = [key for key, _ in pairs]
    if twice := next((key for key in keys if keys.count(key) > 1), ""):
        raise UsageError(f"the {what} {shown(twice)} is given twice")
    return pairs


def named_port(text: str) -> NamedPort:
    """``http=tcp/8080`` as a named port.

    Raises:
        UsageError: the text is none.
    """
    name, _, port_spec = text.partition("=")
    found = parse_port(port_spec)
    if found.protocol is None or not isinstance(found.port, int):
        raise UsageError(f"{shown(text)}: a named port has a number, as in http=tcp/8080")
    return NamedPort(name, found.protocol, found.port)


def _one_each(addresses: list[IPAddress], text: str) -> tuple[IPAddress, ...]:
    if len({Family.of(a) for a in addresses}) < len(addresses):
        raise UsageError(f"{shown(text)} has two addresses of one family")
    return tuple(addresses)
