"""Who is asked about: the two ends of a question, found in the files or described by hand, and
their cluster."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping

from sixproof.errors import UsageError
from sixproof.model import Endpoint, EndpointKind, Protocol
from sixproof.policy.manifests.manifest import shown
from sixproof.policy.question.endpoint_text import (
    INLINE,
    AskedPort,
    EndpointSpec,
    parse_endpoint,
    parse_parts,
)
from sixproof.policy.snapshot.cluster_objects import Roster
from sixproof.policy.snapshot.snapshot import (
    ClusterSnapshot,
    NamedPort,
    ServicePortSnapshot,
    ServiceSnapshot,
)

_IN_NAMESPACE = (EndpointKind.POD, EndpointKind.HOST)
_LENT = {4: ipaddress.ip_address("198.18.0.0"), 6: ipaddress.ip_address("2001:db8::")}
"""The first of the addresses that replace unknown ones: RFC 2544 and RFC 3849."""
_MOST_LENT = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """One end of the question. `has_object`: an object describes it, so that labels and ports that
    are not there are absent, not unknown. `remark` says what it represents."""

    endpoint: Endpoint
    said: EndpointSpec
    has_object: bool = False
    remark: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """Endpoints that the files describe: by objects (`roster`) and by names of the cluster file."""

    snapshot: ClusterSnapshot
    roster: Roster
    named: Mapping[str, Endpoint]

    @classmethod
    def of(cls, written: ClusterSnapshot, roster: Roster) -> Known:
        """What a cluster file and objects say together; the file takes precedence."""
        by_name = {(s.namespace, s.name): s for s in roster.services()}
        by_name |= {(s.namespace, s.name): s for s in written.services}
        snapshot = ClusterSnapshot.of(
            {**roster.namespaces, **written.namespaces},
            ports={**roster.ports, **written.ports},
            nodes={**roster.nodes, **written.nodes}.values(),
            services=by_name.values(),
            service_accounts={**roster.accounts, **written.service_accounts},
            endpoints=(*roster.pods.values(), *roster.templates.values(), *written.endpoints),
        )
        return cls(snapshot, roster, {endpoint.name: endpoint for endpoint in written.endpoints})

    def find(self, text: str, home: str) -> End:
        """The end that a text means: a name of the cluster file, or an endpoint inline, of which
        objects may say more. A NAME alone is looked for in namespace `home`, then in all.

        Raises:
            UsageError: it cannot be read, or no endpoint has that name.
        """
        who, comma, rest = (part.strip() for part in text.partition(","))
        if known := self._written(who):
            said = parse_parts(text, EndpointSpec(known.kind, known.namespace, known.pod))
            if known.kind in _IN_NAMESPACE:
                known = dataclasses.replace(known, name=f"{known.namespace}/{known.pod}")
            return End(said.on(known), said)
        if "/" not in who and ":" not in who and who != "outside":
            text = f"{self._called(who, home)}{comma}{rest}"
        said = parse_endpoint(text)
        if said.kind is EndpointKind.SERVICE:
            return self._service(said)
        if said.kind is EndpointKind.NODE and said.name in self.snapshot.nodes:
            node = self.snapshot.nodes[said.name]
            firsts = {a.version: a for a in reversed(node.addresses)}
            bare = dataclasses.replace(said.endpoint, addresses=tuple(firsts.values()))
            return End(said.on(bare), said)
        return self._pod(said)

    def _written(self, who: str) -> Endpoint | None:
        """The endpoint of the cluster file that a text names: by its key, or as NAMESPACE/POD."""
        prefix, colon, place = who.rpartition(":")
        namespace, slash, pod = place.partition("/")
        if who in self.named or not slash or prefix not in ("", "host"):
            return self.named.get(who)
        kinds = (EndpointKind.HOST,) if colon else _IN_NAMESPACE
        return next(
            (
                one
                for one in self.named.values()
                if one.kind in kinds and (one.namespace, one.pod) == (namespace, pod)
            ),
            None,
        )

    def _called(self, name: str, home: str) -> str:
        every = (*self.roster.pods, *self.roster.templates)
        some = dict.fromkeys(where for where in every if where[1] == name)
        if (home, name) in some:
            return f"{home}/{name}"
        if len(some) == 1:
            return "/".join(next(iter(some)))
        if some:
            places = _few("/".join(where) for where in some)
            raise UsageError(f"{shown(name)} is in several namespaces: write one of {places}")
        names = dict.fromkeys([*self.named, *("/".join(where) for where in every)])
        known = f"known: {_few(names)}" if names else "no file has any"
        raise UsageError(f"{shown(name)} is no endpoint ({known}): write {INLINE}")

    def _pod(self, said: EndpointSpec) -> End:
        where = (said.namespace, said.name)
        if phase := self.roster.ended.get(where):
            raise UsageError(f"{'/'.join(where)} has ended (phase {phase}): it sends nothing")
        known = self.roster.pods.get(where)
        if known is not None:
            return End(said.on(known), said, has_object=True)
        template = self.roster.templates.get(where)
        if template is None:
            return End(said.endpoint, said)
        made = self.roster.pods_of(template)
        if not made:
            return End(said.on(template), said, has_object=True)
        count = f", one of {len(made)}" if len(made) > 1 else ""
        remark = f"{template.name} is taken as its pod {made[0].name}{count}"
        return End(said.on(made[0]), said, has_object=True, remark=remark)

    def _service(self, said: EndpointSpec) -> End:
        found = self.snapshot.service(said.namespace, said.name)
        name = f"svc:{said.namespace}/{said.name}"
        if found is None:
            raise UsageError(f"{name}: no file has such a service")
        if found.headless:
            pods = _few(backend.name for backend in found.backends) or "none is known"
            raise UsageError(f"{name} is headless, its name means its pods: ask for one ({pods})")
        if found.alias:
            raise UsageError(
                f"{name} is of type ExternalName, a name for {shown(found.alias)}: it has no pods; "
                "write outside and its address"
            )
        addresses = said.addresses or found.addresses
        end = Endpoint(name, EndpointKind.SERVICE, addresses, said.namespace)
        return End(end, said, has_object=True)


def staged(snapshot: ClusterSnapshot, ends: Iterable[End]) -> ClusterSnapshot:
    """The cluster with both ends in it, as they were described."""
    namespaces, ports = dict(snapshot.namespaces), dict(snapshot.ports)
    services, endpoints = list(snapshot.services), list(snapshot.endpoints)
    for end in ends:
        one, said = end.endpoint, end.said
        space = one.namespace
        if said.namespace_labels:
            namespaces[space] = {**namespaces.get(space, {}), **dict(said.namespace_labels)}
        if said.ports:
            known = (*ports.get((space, one.pod), ()), *said.ports)
            ports[space, one.pod] = tuple({(p.name, p.protocol): p for p in known}.values())
        if one.kind is EndpointKind.SERVICE:
            services = [_with_addresses(service, one) for service in services]
            continue
        endpoints = [_either(one, other) for other in endpoints]
        services = [
            dataclasses.replace(s, backends=tuple(_either(one, b) for b in s.backends))
            for s in services
        ]
    return ClusterSnapshot.of(
        namespaces,
        ports=ports,
        nodes=snapshot.nodes.values(),
        services=services,
        service_accounts=snapshot.service_accounts,
        endpoints=endpoints,
    )


def _with_addresses(service: ServiceSnapshot, end: Endpoint) -> ServiceSnapshot:
    mine = f"svc:{service.namespace}/{service.name}" == end.name
    return dataclasses.replace(service, addresses=end.addresses) if mine else service


def _either(one: Endpoint, other: Endpoint) -> Endpoint:
    """The first where both are one pod, else the other."""
    same = one.kind in _IN_NAMESPACE and (one.namespace, one.pod) == (other.namespace, other.pod)
    return one if same and other.kind in _IN_NAMESPACE else other


def lend(snapshot: ClusterSnapshot, ends: Iterable[End]) -> tuple[ClusterSnapshot, list[End]]:
    """Give an address to every endpoint without one: to the ends, and to the backends of the
    cluster's services."""
    count = iter(range(1, _MOST_LENT))

    def lent(one: Endpoint) -> Endpoint:
        if one.addresses:
            return one
        number = next(count)
        return dataclasses.replace(one, addresses=tuple(a + number for a in _LENT.values()))

    ends = [dataclasses.replace(end, endpoint=lent(end.endpoint)) for end in ends]
    placed = [end.endpoint for end in ends if end.endpoint.kind in _IN_NAMESPACE]
    pods = {(one.namespace, one.pod): one for one in placed}

    def backend(one: Endpoint) -> Endpoint:
        key = one.namespace, one.pod
        if key not in pods:
            pods[key] = lent(one)
        return pods[key]

    services = [
        dataclasses.replace(s, backends=tuple(map(backend, s.backends))) for s in snapshot.services
    ]
    return dataclasses.replace(snapshot, services=tuple(services)), ends


def dialled(
    port_spec: AskedPort, end: End, snapshot: ClusterSnapshot
) -> tuple[Protocol, int | None]:
    """The protocol and the number of a port, which the destination may know by name.

    Raises:
        UsageError: it knows none of that name, or several; a service does not have that port.
    """
    one = end.endpoint
    service = snapshot.service(one.namespace, end.said.name)
    if not isinstance(port_spec.port, str):
        asked = port_spec.protocol or Protocol.TCP, port_spec.port
        if one.kind is EndpointKind.SERVICE and service is not None:
            _check_served(asked, one, service)
        return asked
    known: Iterable[NamedPort | ServicePortSnapshot] = snapshot.ports_of(one)
    if one.kind is EndpointKind.SERVICE and service is not None:
        known = service.ports
    ports = {
        (port.protocol, port.port if isinstance(port, ServicePortSnapshot) else port.number)
        for port in known
        if port.name == port_spec.port and port_spec.protocol in (None, port.protocol)
    }
    if len(ports) == 1:
        return ports.pop()
    if ports:
        some = _few(f"{p.lower()}/{n}" for p, n in sorted(ports))
        raise UsageError(f"port {port_spec.port} of {one.name} is several: write one of {some}")
    names = _few(sorted({port.name for port in known if port.name})) or "none is known"
    raise UsageError(
        f"{one.name} has no port named {shown(port_spec.port)} (named ports: {names}): write its "
        f"number, or say it with the endpoint, as in port:{port_spec.port[:15]}=tcp/8080"
    )


def _check_served(
    asked: tuple[Protocol, int | None], one: Endpoint, service: ServiceSnapshot
) -> None:
    protocol, number = asked
    has = [(p.protocol, n) for p in service.ports for n in (p.port, p.node_port) if n]
    if not has or protocol is Protocol.ICMP or asked in has:
        return
    ports = _few(f"{p.lower()}/{n}" for p, n in has)
    raise UsageError(f"{one.name} has no port {protocol.lower()}/{number} (it has {ports})")


def _few(names: Iterable[str]) -> str:
    """Names in a sentence: eight of them, and how many more there are."""
    every = [shown(name)[1:-1] for name in names]
    more = f" and {len(every) - 8} more" if len(every) > 8 else ""
    return ", ".join(every[:8]) + more
