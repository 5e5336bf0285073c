"""A cluster described by hand, as a small file (parsed YAML)."""

from __future__ import annotations

from collections.abc import Mapping

from sixproof.model import Endpoint, EndpointKind, IPAddress, Protocol
from sixproof.policy.manifests.manifest import Field, Fields, read_labels, shown
from sixproof.policy.question.endpoint_text import named_port
from sixproof.policy.snapshot.address import read_address
from sixproof.policy.snapshot.snapshot import (
    ClusterSnapshot,
    NamedPort,
    Node,
    ServicePortSnapshot,
    ServiceSnapshot,
)

_KINDS = [kind.value for kind in EndpointKind if kind is not EndpointKind.SERVICE]
_PROTOCOLS = [protocol.value for protocol in Protocol if protocol.has_ports]


def read_snapshot(value: object) -> ClusterSnapshot:
    """The cluster that a file describes: ``namespaces``, ``endpoints``, ``nodes``, ``services`` and
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
    return ClusterSnapshot.of(
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
    home, slash, short = name.rpartition("/")
    namespace = found.need("namespace").text() if in_namespace and not slash else home
    if in_namespace and (said := found.text("namespace")) and said != namespace:
        raise field.error(f"is in namespace {shown(namespace)} by its name, in {shown(said)} below")
    endpoint = Endpoint(
        name=name,
        kind=chosen,
        addresses=_addresses(found),
        namespace=namespace if in_namespace else "",
        pod=(found.text("pod") or short) if in_namespace else "",
        node=found.text("node"),
        labels=read_labels(found.get("labels")),
        service_account=found.text("serviceAccount") or ("default" if in_namespace else ""),
    )
    named = read_labels(found.get("ports"))
    return endpoint, tuple(named_port(f"{key}={port_spec}") for key, port_spec in named)


def _addresses(found: Fields, key: str = "addresses") -> tuple[IPAddress, ...]:
    read = []
    for field in found.list(key):
        try:
            read.append(read_address(field.text()))
        except ValueError as bad:
            raise field.error(str(bad)) from None
    return tuple(read)


def _node(name: str, field: Field) -> Node:
    found = field.fields("addresses", "labels")
    return Node(name, _addresses(found), read_labels(found.get("labels")))


def _slashed(name: str, field: Field) -> tuple[str, str]:
    namespace, slash, rest = name.partition("/")
    if not slash:
        raise field.error("is named NAMESPACE/NAME")
    return namespace, rest


def _service(name: str, field: Field, endpoints: Mapping[str, Endpoint]) -> ServiceSnapshot:
    found = field.fields("addresses", "external", "ports", "backends", "local")
    namespace, short = _slashed(name, field)
    for backend in found.list("backends"):
        if backend.text() not in endpoints:
            raise backend.error(f"{shown(backend.text())} is no endpoint of this file")
    return ServiceSnapshot(
        namespace=namespace,
        name=short,
        addresses=_addresses(found),
        external=_addresses(found, "external"),
        ports=tuple(map(_service_port, found.list("ports"))),
        backends=tuple(endpoints[b.text()] for b in found.list("backends")),
        local=found.flag("local"),
    )


def _service_port(field: Field) -> ServicePortSnapshot:
    found = field.fields("port", "protocol", "target", "nodePort")
    protocol, target, node = found.get("protocol"), found.get("target"), found.get("nodePort")
    named = target is not None and isinstance(target.value, str)
    return ServicePortSnapshot(
        port=found.need("port").integer(1, 65535),
        protocol=Protocol.TCP if protocol is None else Protocol(protocol.choice(*_PROTOCOLS)),
        target=None if target is None else target.text() if named else target.integer(1, 65535),
        node_port=None if node is None else node.integer(1, 65535),
    )
