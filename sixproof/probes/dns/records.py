"""What the DNS must say of services: the Kubernetes DNS specification, schema 1.1.0, by section.

What it leaves open (NODATA, transports, sizes) is of the RFCs. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sixproof.model import Family, IPAddress
from sixproof.probes.dns.judge import DnsExpectation
from sixproof.probes.dns.message import DnsQuestion, RecordType
from sixproof.probes.dns.truth import TrueEndpoint, TrueService
from sixproof.probes.dns.verdict import LOST, DnsOutcome

Answers = dict[DnsQuestion, DnsExpectation]


def addresses(services: Iterable[TrueService], zone: str, family: Family) -> Answers:
    """Every service's name must lead to exactly its addresses of a family.

    2.3.1 for clusterIPs, 2.4.1 for headless services: a name without any ready endpoint does not
    exist, one whose endpoints are of the other family has no data (RFC 4074 section 3).
    """
    kind = RecordType.of(family)
    return {DnsQuestion(s.fqdn(zone), kind): expected(s, family) for s in services}


def expected(service: TrueService, family: Family) -> DnsExpectation:
    """What the name of a service must say of a family."""
    if service.headless and not service.ready():
        return DnsExpectation.only(DnsOutcome.NXDOMAIN, f"{service} has no ready endpoint")
    return DnsExpectation.records(map(str, service.addresses(family)), service.source)


def found(service: TrueService, family: Family | None) -> DnsExpectation:
    """What a resolver must find for the name of a service; None asks for every family."""
    if family is not None:
        return expected(service, family)
    every = [str(a) for known in Family for a in service.addresses(known)]
    if every:
        return DnsExpectation.records(every, service.source)
    return DnsExpectation.only(DnsOutcome.NXDOMAIN, f"{service} has no address")


def hostnames(services: Iterable[TrueService], zone: str, family: Family) -> Answers:
    """Every endpoint with a host name must be found under it: exactly its address (2.4.1)."""
    answers: Answers = {}
    for service in services:
        named: dict[str, list[TrueEndpoint]] = defaultdict(list)
        for endpoint in service.endpoints:
            if endpoint.hostname:
                named[endpoint.hostname].append(endpoint)
        for name, known in named.items():
            ready = [e for e in known if e.ready]
            of_family = [str(e.address) for e in ready if Family.of(e.address) is family]
            because = f"endpoint {name} of {service}"
            answers[DnsQuestion(f"{name}.{service.fqdn(zone)}", RecordType.of(family))] = (
                DnsExpectation.records(of_family, because)
                if ready
                else DnsExpectation.only(DnsOutcome.NXDOMAIN, f"{because} is not ready")
            )
    return answers


def aliases(services: Iterable[TrueService], zone: str) -> Answers:
    """Every ExternalName must be an alias of its target (2.5)."""
    return {
        DnsQuestion(s.fqdn(zone), RecordType.CNAME): DnsExpectation.records(
            [f"{s.alias.lower().rstrip('.')}."], f"externalName of {s}"
        )
        for s in services
    }


def ports(services: Iterable[TrueService], zone: str) -> Answers:
    """Every named port of a service with clusterIPs has one SRV record, its own name (2.3.2)."""
    return {
        _port_question(s, zone, port.name, port.protocol): DnsExpectation.records(
            [f"{port.number} {s.fqdn(zone)}"], f"port {port.name} of {s}"
        )
        for s in services
        for port in s.ports
        if port.name
    }


def endpoint_ports(services: Iterable[TrueService], zone: str) -> Answers:
    """Every named port of a headless service has a record for each ready endpoint's host name
    (2.4.2); all endpoints must have one."""
    return {
        _port_question(s, zone, port.name, port.protocol): DnsExpectation.records(
            {f"{port.number} {e.hostname}.{s.fqdn(zone)}" for e in s.ready()},
            f"{len({e.hostname for e in s.ready()})} ready endpoints of {s}",
        )
        for s in services
        for port in s.ports
        if port.name
    }


def any_ports(services: Iterable[TrueService], zone: str) -> Answers:
    """Every named port of a headless service has records, whatever their targets are called."""
    return {
        _port_question(s, zone, port.name, port.protocol): DnsExpectation.only(
            DnsOutcome.NOERROR, f"{len(s.ready())} ready endpoints of {s}"
        )
        for s in services
        for port in s.ports
        if port.name
    }


def _port_question(service: TrueService, zone: str, port: str, protocol: str) -> DnsQuestion:
    return DnsQuestion(f"_{port}._{protocol}.{service.fqdn(zone)}", RecordType.SRV)


def targets(names: Iterable[str], family: Family) -> Answers:
    """Every target of SRV records must have an address of the family."""
    return {
        DnsQuestion(name, RecordType.of(family)): DnsExpectation.only(
            DnsOutcome.NOERROR, "an SRV record names it"
        )
        for name in names
    }


def reverse_of_services(services: Iterable[TrueService], zone: str, family: Family) -> Answers:
    """Every clusterIP must lead back to its service (2.3.3)."""
    return {
        _reverse(address): DnsExpectation.records([s.fqdn(zone)], f"clusterIP of {s}")
        for s in services
        for address in s.addresses(family)
    }


def reverse_of_endpoints(services: Iterable[TrueService], zone: str, family: Family) -> Answers:
    """Every ready endpoint with a host name must lead back to it (2.4.3), perhaps among others:
    an address may be an endpoint of several services."""
    return {
        _reverse(e.address): DnsExpectation.records(
            [f"{e.hostname}.{s.fqdn(zone)}"], f"endpoint {e.hostname} of {s}", at_least=True
        )
        for s in services
        for e in s.ready()
        if e.hostname and Family.of(e.address) is family
    }


def unassigned(addresses: Iterable[IPAddress]) -> Answers:
    """Addresses that are not in use have no name."""
    return {
        _reverse(a): DnsExpectation.only(DnsOutcome.NXDOMAIN, f"{a} is not in use")
        for a in addresses
    }


def _reverse(address: IPAddress) -> DnsQuestion:
    return DnsQuestion(reverse_name(address), RecordType.PTR)


def reverse_name(address: IPAddress) -> str:
    """The name to ask for an address: all 32 nibbles for IPv6 (RFC 3596 section 2.5)."""
    return f"{address.reverse_pointer}."


def unknown(names: Iterable[str], family: Family, because: str) -> Answers:
    """Names of no object must not exist."""
    return {
        DnsQuestion(name, RecordType.of(family)): DnsExpectation.only(DnsOutcome.NXDOMAIN, because)
        for name in names
    }


def silent(answers: Answers, because: str) -> Answers:
    """The same questions, none of which may get through."""
    return {question: DnsExpectation(LOST, None, because) for question in answers}
