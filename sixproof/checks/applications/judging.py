"""Judging applications: what keeps each of them from working over every family, and what to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sixproof.checks.applications.asking import DialResult, Way
from sixproof.errors import Subject
from sixproof.model import EndpointKind, Family, Finding, FindingType, Outcome, Severity
from sixproof.reporting.results.application_record import ApplicationRow, Readiness
from sixproof.workloads.existing import applications
from sixproof.workloads.existing.applications import Application, ReadyPod
from sixproof.workloads.services import load_balancers
from sixproof.workloads.services.manifests import ServicePort

_SERVICE_API = "Service v1, KEP-563"
SINGLE_STACK = FindingType(
    "application-single-stack", "Services have every family of the cluster", _SERVICE_API
)
NO_ADDRESS = FindingType(
    "application-pod-family", "Pods behind services have an address of every family", "KEP-563"
)
NOT_LISTED = FindingType(
    "application-endpoints",
    "EndpointSlices list the pods of a service in each of its families",
    "EndpointSlice v1",
)
LISTENS = FindingType(
    "application-listens", "Applications listen on every family", "RFC 3493 section 5.3"
)
LOST = FindingType("application-lost", "Applications are reached over every family")
POLICY = FindingType(
    "application-policy", "Policies admit every family to an application", "NetworkPolicy v1"
)
SERVICE = FindingType(
    "application-service", "Services carry every family to their pods", _SERVICE_API
)
LOAD_BALANCER = FindingType(
    "application-load-balancer", "Load balancers have an address of every family", _SERVICE_API
)
NOT_LISTENING = FindingType("application-not-listening", "Pods that are ready accept connections")

OF_THE_NETWORK = (LOST, SERVICE)
"""Those that the network may be at fault for."""
SHOWN = 3
"""Addresses, and pods, that a sentence names."""

Judged = tuple[tuple[ApplicationRow, ...], tuple[Finding, ...]]


def judge(
    application: Application,
    dialled: Iterable[DialResult],
    families: Sequence[Family],
    service_families: Sequence[Family],
) -> Judged:
    """A row for each port of an application, and what is wrong with it. `families` are those that
    are measured, `service_families` those of them that the cluster gives to services."""
    came: defaultdict[ServicePort, list[DialResult]] = defaultdict(list)
    for one in dialled:
        came[one.dial.port].append(one)
    refusing: set[Family] = set()
    findings: list[Finding] = []
    by_port: dict[ServicePort, tuple[Finding, ...]] = {}
    for port in application.service.ports:
        own = tuple(_of_port(application, port, came[port], families))
        by_port[port] = own
        refusing.update(f for found in own if found.code == LISTENS.code for f in found.families)
        findings += own
    of_all = tuple(_of_service(application, families, service_families, refusing))
    rows = tuple(
        _row(application, port, came[port], (*of_all, *by_port[port]), families)
        for port in application.service.ports
    )
    return rows, tuple(dict.fromkeys((*of_all, *findings)))


def _of_service(
    application: Application,
    families: Sequence[Family],
    service_families: Sequence[Family],
    refusing: Iterable[Family],
) -> Iterator[Finding]:
    """What objects alone show."""
    service, subject = application.service, Subject("Service", application.called)
    pods = [b for b in application.backends if b.endpoint.kind is EndpointKind.POD]
    without = {f: [b for b in pods if b.endpoint.address(f) is None] for f in families}
    lacking = [f for f in service_families if f not in service.families]
    if lacking and application.backends:
        # An AAAA record for what refuses IPv6 breaks what works.
        first = any(f in refusing or without.get(f) for f in lacking)
        yield SINGLE_STACK.found(
            Severity.ERROR,
            subject,
            f"has {_listed(service.families) or 'no family'} alone "
            f"(ipFamilyPolicy {service.policy or 'not set'})",
            _listed(service_families),
            f"{f'first have its pods accept {_listed(lacking)}, then ' if first else ''}"
            f"set ipFamilyPolicy to PreferDualStack: it keeps its address and gets one of "
            f"{_listed(lacking)}",
            families=lacking,
        )
    for family in families:
        if without[family]:
            yield NO_ADDRESS.found(
                Severity.ERROR,
                subject,
                f"{_pods(without[family])} without an {family} address",
                "",
                "make them again: a pod keeps the families that the cluster had when it began",
                families=[family],
            )
        unlisted = [
            b
            for b in application.backends
            if b.endpoint.address(family) is not None and family not in b.families
        ]
        if unlisted and family in service.families:
            yield NOT_LISTED.found(
                Severity.ERROR,
                subject,
                f"no EndpointSlice lists {_pods(unlisted)} over {family}",
                "",
                "see who writes its EndpointSlices (kubectl get endpointslices)",
                families=[family],
            )
    none = [f for f in load_balancers.lacking(service) if f in families] if service.ingress else []
    if none:
        yield LOAD_BALANCER.found(
            Severity.ERROR,
            subject,
            f"its load balancer has no {_listed(none)} address",
            "",
            "give its provider a range of that family",
            families=none,
        )


def _of_port(
    application: Application,
    port: ServicePort,
    came: Sequence[DialResult],
    families: Sequence[Family],
) -> Iterator[Finding]:
    """What connections to one port show, family against family."""
    about = Subject("Service", application.called), _port(port)
    at_pods = [one for one in came if one.dial.way is Way.POD]
    by_pod: defaultdict[str, dict[Family, DialResult]] = defaultdict(dict)
    for one in at_pods:
        by_pod[one.dial.flow.destination.name][one.family] = one
    for family in families:
        yield from _against_the_other(*about, family, by_pod)
        yield from _through_the_service(*about, family, came, at_pods)
    nobody = [
        pair
        for pair in by_pod.values()
        if pair and all(one.asked and not one.accepted for one in pair.values())
    ]
    if nobody:
        # Where there is one family, a server that listens on the other one looks like this.
        alone = len(families) == 1
        yield NOT_LISTENING.found(
            Severity.ERROR if alone else Severity.WARNING,
            about[0],
            f"{about[1]}: {len(nobody)} of {len(by_pod)} pods that are Ready accept no connection "
            f"over {_listed(families)}: {_said(next(iter(nobody[0].values())))}",
            "",
            "see what listens there, on which address, and what its readiness probe asks",
            families=families if alone else (),
        )


def _against_the_other(
    subject: Subject, port: str, family: Family, by_pod: Mapping[str, Mapping[Family, DialResult]]
) -> Iterator[Finding]:
    """Pods at which this family fails although the other one is accepted, or open."""
    refused: list[DialResult] = []
    lost: list[DialResult] = []
    closed: list[DialResult] = []
    for pair in by_pod.values():
        mine, other = pair.get(family), pair.get(family.other)
        if mine is None or other is None:
            continue
        if mine.dial.closed_by and not other.dial.closed_by:
            closed.append(mine)
        elif other.accepted and mine.asked and not mine.accepted:
            seen = mine.seen
            (refused if seen and seen.outcome is Outcome.REFUSED else lost).append(mine)
    if refused:
        wanted = "::" if family is Family.IPV6 else "0.0.0.0"  # noqa: S104 - what the owner binds
        yield LISTENS.found(
            Severity.ERROR,
            subject,
            f"{port}: {len(refused)} of {len(by_pod)} pods accept {family.other} and refuse "
            f"{family}: {_addresses(refused)}",
            "",
            f"have it listen on {wanted} too (one socket on :: serves both, unless it is "
            "IPV6_V6ONLY)",
            families=[family],
        )
    if lost:
        yield LOST.found(
            Severity.ERROR,
            subject,
            f"{port}: {len(lost)} of {len(by_pod)} pods accept {family.other} and do not answer "
            f"over {family}: {_said(lost[0])}",
            "",
            "see whether probe pods reach each other there; else a packet filter of the pod",
            families=[family],
        )
    if closed:
        yield POLICY.found(
            Severity.ERROR,
            subject,
            f"{port}: policies admit {family.other} and no {family} to {len(closed)} of "
            f"{len(by_pod)} pods: {closed[0].dial.closed_by}",
            "",
            f"give its rules the {family} networks that match those of {family.other}",
            families=[family],
        )


def _through_the_service(
    subject: Subject,
    port: str,
    family: Family,
    came: Sequence[DialResult],
    at_pods: Sequence[DialResult],
) -> Iterator[Finding]:
    """A clusterIP that fails although each pod behind it accepts."""
    mine = [one for one in at_pods if one.family is family]
    failed = [
        one
        for one in came
        if one.dial.way is Way.CLUSTER_IP
        if one.family is family and one.asked and not one.accepted
    ]
    if failed and all(one.accepted for one in mine):
        yield SERVICE.found(
            Severity.ERROR,
            subject,
            f"{port}: its pods accept {family}, its clusterIP does not: {_said(failed[0])}",
            "",
            "see suites/services: what fails there fails here too; else kube-proxy on "
            f"{failed[0].dial.flow.source.node}",
            families=[family],
        )


def _row(
    application: Application,
    port: ServicePort,
    came: Sequence[DialResult],
    findings: Sequence[Finding],
    families: Sequence[Family],
) -> ApplicationRow:
    asked = [one for one in came if one.asked]
    met = {one.family for one in asked if one.dial.way is Way.POD}
    why = ""
    if any(f.severity is Severity.ERROR for f in findings):
        readiness = Readiness.NOT_READY
    elif asked and any(not one.accepted for one in asked):
        readiness = Readiness.NO_ANSWER
    elif met == set(families) and not any(one.dial.closed_by for one in came):
        readiness = Readiness.READY
    else:
        readiness, why = Readiness.NOT_ASKED, _why_not(application, port, came)
    return ApplicationRow(
        namespace=application.service.namespace,
        service=application.service.name,
        port=_port(port),
        readiness=readiness,
        ways=tuple(_ways(came)),
        problems=tuple(f.seen.removeprefix(f"{_port(port)}: ") for f in findings)
        or ((why,) if why else ()),
        remedies=tuple(dict.fromkeys(f.remedy for f in findings if f.remedy)),
    )


def _why_not(application: Application, port: ServicePort, came: Sequence[DialResult]) -> str:
    """Why it is not known whether a port is ready."""
    if port not in applications.tcp_ports(application.service):
        return f"{port.protocol} servers answer only what they understand"
    if not application.backends:
        others = application.others
        return f"{others} endpoints, none a Ready pod" if others else "no pod behind it is ready"
    closed = next((one.dial.closed_by for one in came if one.dial.closed_by), "")
    return f"closed to probe pods: {closed}" if closed else "not measured over each family"


def _ways(came: Iterable[DialResult]) -> Iterator[tuple[str, str]]:
    """How many connections were accepted, by way and family: ``pod IPv6``, ``3 of 3``."""
    asked: Counter[tuple[Way, Family]] = Counter()
    accepted: Counter[tuple[Way, Family]] = Counter()
    for one in came:
        if one.asked:
            asked[one.dial.way, one.family] += 1
            accepted[one.dial.way, one.family] += one.accepted
    for way in Way:
        for family in Family:
            if number := asked[way, family]:
                yield f"{way} {family}", f"{accepted[way, family]} of {number}"


def _port(port: ServicePort) -> str:
    name = f" ({port.name})" if port.name else ""
    return f"{port.protocol.lower()}/{port.port}{name}"


def _listed(families: Iterable[Family]) -> str:
    return " and ".join(families)


def _pods(backends: Sequence[ReadyPod]) -> str:
    names = [b.endpoint.pod for b in backends[:SHOWN]]
    more = f" and {len(backends) - SHOWN} more" if len(backends) > SHOWN else ""
    return f"{'pod' if len(backends) == 1 else 'pods'} {', '.join(names)}{more}"


def _addresses(refused: Sequence[DialResult]) -> str:
    said = [f"{one.dial.flow.address} port {one.dial.flow.port}" for one in refused[:SHOWN]]
    more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
    return f"{', '.join(said)}{more}"


def _said(one: DialResult) -> str:
    flow, seen = one.dial.flow, one.seen
    what = ", ".join(filter(None, (seen.outcome, seen.reason))) if seen else "not asked"
    return f"{flow.address} port {flow.port} from {flow.source.called}: {what}"
