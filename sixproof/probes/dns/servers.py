"""The DNS of a cluster: its zone, its servers, and how pods are configured to use them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sixproof.errors import ApiError, InfrastructureError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.model import Family, IPAddress
from sixproof.probes.dns.truth import SERVICE_NAME
from sixproof.probes.dns.verdict import DnsServer

SYSTEM, LABEL = "kube-system", "k8s-app=kube-dns"
PORT = 53
MAX_NAMESERVERS, MAX_NDOTS, MAX_TIMEOUT = 3, 15, 30  # resolv.conf(5)


@dataclasses.dataclass(frozen=True, slots=True)
class ResolvConf:
    """A pod's resolv.conf(5) as glibc reads it: three nameservers at most, `timeout` in seconds."""

    nameservers: tuple[IPAddress, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: int = 5
    attempts: int = 2

    @classmethod
    def parse(cls, text: str) -> ResolvConf:
        """The file's settings; the last `search` line counts, options add up."""
        servers: list[str] = []
        search: tuple[str, ...] = ()
        options: dict[str, int] = {}
        for line in text.splitlines():
            words = line.split()
            if not words or words[0][0] in "#;":
                continue
            if words[0] == "nameserver":
                servers += words[1:2]
            elif words[0] in ("search", "domain"):
                search = tuple(word.rstrip(".").lower() for word in words[1:])
            elif words[0] == "options":
                pairs = (word.partition(":") for word in words[1:])
                options |= {key: int(value) for key, _, value in pairs if value.isdigit()}
        return cls(
            nameservers=json_fields.addresses(
                s.partition("%")[0] for s in servers[:MAX_NAMESERVERS]
            ),
            search=search,
            ndots=min(options.get("ndots", 1), MAX_NDOTS),
            timeout=min(max(options.get("timeout", 5), 1), MAX_TIMEOUT),
            attempts=options.get("attempts", 2),
        )

    @property
    def zone(self) -> str:
        """The cluster's zone, from the search list ``NAMESPACE.svc.ZONE svc.ZONE ZONE``.

        "" where the list is not of that form.
        """
        zones = [word.removeprefix("svc.") for word in self.search if word.startswith("svc.")]
        return zones[0] if zones else ""

    def families(self) -> frozenset[Family]:
        """The families of the nameservers."""
        return frozenset(map(Family.of, self.nameservers))

    def tries(self, name: str) -> tuple[str, ...]:
        """The absolute names that a lookup asks for, in order, until one has an answer."""
        if name.endswith("."):
            return (name,)
        searched = tuple(f"{name}.{domain}." for domain in self.search)
        if name.count(".") >= self.ndots:
            return (f"{name}.", *searched)
        return (*searched, f"{name}.")


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterDns:
    """The DNS of a cluster. `service` is its Service (``kube-system/kube-dns``), `addresses` that
    service at each of its clusterIPs, `pods` every pod behind it at each address, `selector` the
    labels by which it selects them. `falls_through` says that CoreDNS passes on reverse names that
    it does not know, with no further plugin to pass them to."""

    zone: str
    service: str
    addresses: tuple[DnsServer, ...]
    pods: tuple[DnsServer, ...]
    selector: tuple[tuple[str, str], ...] = ()
    falls_through: bool = False

    @property
    def namespace(self) -> str:
        """Where the service and its pods are."""
        return self.service.partition("/")[0]

    def of(self, family: Family) -> tuple[DnsServer, ...]:
        """The DNS service at its clusterIP of a family, none where it has none."""
        return tuple(s for s in self.addresses if s.family is family)

    def pods_of(self, family: Family) -> tuple[DnsServer, ...]:
        """The DNS pods at their addresses of a family."""
        return tuple(s for s in self.pods if s.family is family)


def find(cluster: Cluster, resolver: ResolvConf) -> ClusterDns:
    """The DNS that pods with this resolv.conf use.

    It is the Service behind one of the nameservers; where none is (NodeLocal DNSCache), kube-dns.

    Raises:
        ApiError: services cannot be read.
        InfrastructureError: there is no such service, or no cluster zone in the search list.
    """
    if not resolver.zone:
        searched = " ".join(resolver.search) or "empty"
        raise InfrastructureError(
            f"no cluster zone in the search list of the probe pods ({searched}); "
            "their dnsPolicy must be ClusterFirst"
        )
    service = _service(cluster.list(resources.SERVICE), resolver.nameservers)
    home, name = json_fields.namespace(service), json_fields.name(service)
    slices = cluster.list(resources.ENDPOINT_SLICE, home, labels=f"{SERVICE_NAME}={name}")
    corefile = _corefile(cluster)
    pods = tuple(server for found in slices for server in _pods(found))
    ports = _ports(json_fields.entries(service, "spec", "ports"), "port")
    replicas = len({pod.name for pod in pods})
    return ClusterDns(
        zone=resolver.zone,
        service=f"{home}/{name}",
        addresses=tuple(
            DnsServer(name, address, *ports, replicas=replicas)
            for address in json_fields.addresses(json_fields.strings(service, "spec", "clusterIPs"))
        ),
        pods=pods,
        selector=tuple(
            sorted((k, str(v)) for k, v in json_fields.mapping(service, "spec", "selector").items())
        ),
        falls_through="fallthrough" in corefile and "forward" not in corefile,
    )


def _corefile(cluster: Cluster) -> str:
    """CoreDNS's configuration where it is in its usual place and may be read, else ""."""
    try:
        found = cluster.find(resources.CONFIG_MAP, "coredns", SYSTEM)
    except ApiError:
        return ""
    return json_fields.text(found, "data", "Corefile")


def _service(services: Iterable[Manifest], nameservers: Iterable[IPAddress]) -> Manifest:
    known = tuple(services)
    wanted = set(nameservers)
    for service in known:
        if wanted & set(json_fields.addresses(json_fields.strings(service, "spec", "clusterIPs"))):
            return service
    key, _, value = LABEL.partition("=")
    for service in known:
        if (
            json_fields.namespace(service) == SYSTEM
            and json_fields.labels(service).get(key) == value
        ):
            return service
    asked = ", ".join(map(str, wanted)) or "none"
    raise InfrastructureError(
        f"no Service has a nameserver of the probe pods ({asked}) as clusterIP, "
        f"and none in {SYSTEM} is labelled {LABEL}"
    )


def _ports(entries: Iterable[Manifest], key: str) -> tuple[int, int]:
    """The UDP and the TCP port of DNS: named ``dns...`` where ports have names, 53 else."""
    found: dict[str, int] = {}
    for entry in entries:
        transport = json_fields.text(entry, "protocol") or "TCP"
        number = json_fields.number(entry, key) or PORT
        if number == PORT or json_fields.text(entry, "name").startswith("dns"):
            found.setdefault(transport, number)
    return found.get("UDP", PORT), found.get("TCP", PORT)


def _pods(found: Manifest) -> tuple[DnsServer, ...]:
    udp, tcp = _ports(json_fields.entries(found, "ports"), "port")
    return tuple(
        DnsServer(
            name=json_fields.text(entry, "targetRef", "name") or str(address),
            address=address,
            udp_port=udp,
            tcp_port=tcp,
            node=json_fields.text(entry, "nodeName"),
        )
        for entry in json_fields.entries(found, "endpoints")
        if json_fields.flag(entry, "conditions", "ready") is not False
        for address in json_fields.addresses(json_fields.strings(entry, "addresses"))
    )
