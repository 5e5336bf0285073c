"""The cluster as Kubernetes objects describe it: namespaces, nodes, pods and what makes them,
services, service accounts.

Sources: k8s.io/api core/v1 and apps/v1 (fields); libcalico-go, k8s/conversion (the ports of all
containers count, pods that have ended do not; a node's tunnel addresses are in annotations).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sixproof.model import Endpoint, EndpointKind, IPAddress, Protocol
from sixproof.policy.manifests.manifest import LONGEST_NAME, Field, Fields, read_labels
from sixproof.policy.snapshot.address import read_address
from sixproof.policy.snapshot.snapshot import NamedPort, Node, ServicePortSnapshot, ServiceSnapshot

TEMPLATES = frozenset(
    {
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("v1", "ReplicationController"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
    }
)
"""What makes pods from a template."""

CLUSTER = TEMPLATES | {
    ("v1", kind) for kind in ("Namespace", "Node", "Pod", "Service", "ServiceAccount")
}
"""The kinds of which the cluster is made."""

_TUNNELS = (
    "IPv4IPIPTunnelAddr",
    "IPv4VXLANTunnelAddr",
    "IPv6VXLANTunnelAddr",
    "IPv4WireguardInterfaceAddr",
    "IPv6WireguardInterfaceAddr",
)
_PROTOCOLS = ("TCP", "UDP", "SCTP")
Labels = Mapping[str, str]
Name = tuple[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class _Chosen:
    """A service whose endpoints are not known yet: those that its labels choose."""

    service: ServiceSnapshot
    labels: tuple[tuple[str, str], ...]


@dataclasses.dataclass(slots=True)
class Roster:
    """What objects say about a cluster, by name. `templates` are the pods of Deployments and the
    like, which have no address; `ended` are pods that have ended, with their phase; `home` is the
    namespace of objects that name none, which are `homeless`. `repeated` are objects that are
    given twice and differ."""

    home: str = "default"
    namespaces: dict[str, Labels] = dataclasses.field(default_factory=dict)
    nodes: dict[str, Node] = dataclasses.field(default_factory=dict)
    pods: dict[Name, Endpoint] = dataclasses.field(default_factory=dict)
    templates: dict[Name, Endpoint] = dataclasses.field(default_factory=dict)
    ended: dict[Name, str] = dataclasses.field(default_factory=dict)
    ports: dict[Name, tuple[NamedPort, ...]] = dataclasses.field(default_factory=dict)
    accounts: dict[Name, Labels] = dataclasses.field(default_factory=dict)
    chosen: list[_Chosen] = dataclasses.field(default_factory=list)
    homeless: dict[Name, str] = dataclasses.field(default_factory=dict)
    repeated: list[str] = dataclasses.field(default_factory=list)
    _seen: dict[tuple[str, Name], Mapping[str, object]] = dataclasses.field(default_factory=dict)

    def take(self, value: Mapping[str, object]) -> bool:
        """Take in one object of the kinds in `CLUSTER`; whether it says anything of the cluster: a
        patch of a Deployment need not.

        Raises:
            ManifestError: a part of it that matters is malformed.
        """
        top = Field(value).mapping()
        kind, meta = top.need("kind").text(), top.need("metadata").mapping()
        labels = read_labels(meta.get("labels"))
        name = meta.text("name") or meta.text("generateName")
        namespace = meta.text("namespace") or self.home
        for key, text in (("name", name), ("namespace", namespace)):
            if not text or len(text) > LONGEST_NAME:
                wrong = f"is longer than {LONGEST_NAME} characters" if text else "is required"
                raise meta.here.child(key, None).error(wrong)
        where = ("", name) if kind in ("Namespace", "Node") else (namespace, name)
        called = f"{kind} {'/'.join(filter(None, where))}"
        if self._seen.setdefault((kind, where), value) != value and meta.text("name"):
            self.repeated.append(called)
        if where[0] and not meta.text("namespace"):
            self.homeless[where] = called
        match kind:
            case "Namespace":
                self.namespaces[name] = dict(labels)
            case "Node":
                self.nodes[name] = Node(name, _node_addresses(top, meta), labels)
            case "ServiceAccount":
                self.accounts[where] = dict(labels)
            case "Service":
                self.chosen.append(_service(top, where))
            case "Pod":
                self._pod(top, where, labels)
            case _:
                return self._template(top, where)
        return True

    def _pod(self, top: Fields, where: Name, labels: tuple[tuple[str, str], ...]) -> None:
        status = _object(top, "status")
        if (phase := status.text("phase")) in ("Succeeded", "Failed"):
            self.ended[where] = phase
            return
        ips = [_object_at(field).need("ip") for field in status.list("podIPs")]
        single = status.get("podIP")
        addresses = _addresses(ips or ([single] if single else []))
        self.pods[where] = self._endpoint(_object(top, "spec"), where, labels, addresses)

    def _template(self, top: Fields, where: Name) -> bool:
        spec = _object(top, "spec")
        job = spec.get("jobTemplate")
        spec = spec if job is None else _object(job.mapping(), "spec")
        if spec.get("template") is None:
            return False
        template = spec.need("template").mapping()
        labels = read_labels(_object(template, "metadata").get("labels"))
        self.templates[where] = self._endpoint(_object(template, "spec"), where, labels, ())
        return True

    def _endpoint(
        self,
        spec: Fields,
        where: Name,
        labels: tuple[tuple[str, str], ...],
        addresses: tuple[IPAddress, ...],
    ) -> Endpoint:
        containers = [*spec.list("containers"), *spec.list("initContainers")]
        self.ports[where] = tuple(port for one in containers for port in _named_ports(one))
        namespace, name = where
        return Endpoint(
            name=f"{namespace}/{name}",
            kind=EndpointKind.HOST if spec.flag("hostNetwork") else EndpointKind.POD,
            addresses=addresses,
            namespace=namespace,
            pod=name,
            node=spec.text("nodeName"),
            labels=labels,
            service_account=spec.text("serviceAccountName")
            or spec.text("serviceAccount")
            or "default",
        )

    def pods_of(self, template: Endpoint) -> list[Endpoint]:
        """The pods that a template made, as their labels say."""
        wanted = set(template.labels)
        return [
            pod
            for pod in self.pods.values()
            if pod.namespace == template.namespace
            and wanted
            and wanted <= set(pod.labels)
            and pod.pod.startswith(template.pod)
        ]

    def services(self) -> list[ServiceSnapshot]:
        """The services, with the pods that they choose; where no pod is known, with the templates
        of pods."""
        found = []
        for one in self.chosen:
            backends = _with_labels(self.pods.values(), one)
            backends = backends or _with_labels(self.templates.values(), one)
            found.append(dataclasses.replace(one.service, backends=tuple(backends)))
        return found


def _with_labels(endpoints: Iterable[Endpoint], one: _Chosen) -> list[Endpoint]:
    wanted = set(one.labels)
    here = one.service.namespace
    return [e for e in endpoints if e.namespace == here and wanted and wanted <= set(e.labels)]


def _object(top: Fields, key: str) -> Fields:
    """The object below a key, an empty one where it is absent."""
    return (top.get(key) or top.here.child(key, {})).mapping()


def _object_at(field: Field) -> Fields:
    return field.mapping()


def _addresses(fields: Iterable[Field]) -> tuple[IPAddress, ...]:
    return tuple(map(_address, fields))


def _address(field: Field) -> IPAddress:
    try:
        return read_address(field.text())
    except ValueError as bad:
        raise field.error(str(bad)) from None


def _node_addresses(top: Fields, meta: Fields) -> tuple[IPAddress, ...]:
    listed = [_object_at(field) for field in _object(top, "status").list("addresses")]
    known = ("InternalIP", "ExternalIP")
    found = [one.need("address") for one in listed if one.text("type") in known]
    marks = _object(meta, "annotations")
    tunnels = [marks.get(f"projectcalico.org/{name}") for name in _TUNNELS]
    return _addresses([*found, *(field for field in tunnels if field is not None)])


def _named_ports(container: Field) -> list[NamedPort]:
    found = []
    for port in map(_object_at, container.mapping().list("ports")):
        if name := port.text("name"):
            number = port.need("containerPort").integer(1, 65535)
            found.append(NamedPort(name, _protocol(port), number))
    return found


def _protocol(port: Fields) -> Protocol:
    field = port.get("protocol")
    return Protocol.TCP if field is None else Protocol(field.choice(*_PROTOCOLS))


def _service(top: Fields, where: Name) -> _Chosen:
    spec = _object(top, "spec")
    ips = spec.list("clusterIPs") or [f for f in [spec.get("clusterIP")] if f is not None]
    balancer = _object(_object(top, "status"), "loadBalancer")
    ingress = [_object_at(field).get("ip") for field in balancer.list("ingress")]
    outside = [*spec.list("externalIPs"), *(field for field in ingress if field is not None)]
    namespace, name = where
    service = ServiceSnapshot(
        namespace=namespace,
        name=name,
        addresses=_addresses(f for f in ips if f.value not in ("None", "")),
        external=_addresses(outside),
        ports=tuple(map(_service_port, spec.list("ports"))),
        local=spec.text("externalTrafficPolicy") == "Local",
        headless=any(f.value == "None" for f in ips),
        alias=spec.text("externalName") if spec.text("type") == "ExternalName" else "",
    )
    return _Chosen(service, read_labels(spec.get("selector")))


def _service_port(field: Field) -> ServicePortSnapshot:
    found = _object_at(field)
    target, node = found.get("targetPort"), found.get("nodePort")
    named = target is not None and isinstance(target.value, str)
    return ServicePortSnapshot(
        port=found.need("port").integer(1, 65535),
        protocol=_protocol(found),
        target=None if target is None else target.text() if named else target.integer(1, 65535),
        node_port=None if node is None else node.integer(1, 65535),
        name=found.text("name"),
    )
