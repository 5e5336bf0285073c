"""By name: whether a service's name works over each family, or only thanks to another one."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Sequence

from sixproof.checks.connect.carried import must_be_open
from sixproof.checks.connect.connectivity import works
from sixproof.checks.dns.dns_access import DnsAccess
from sixproof.checks.dns.resolution import resolvers_of
from sixproof.checks.dns.resolvers import PATIENCE
from sixproof.checks.judged import expecting_all
from sixproof.checks.recorder import Recorder
from sixproof.kube.channel.agents import Agents
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    Judged,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
    Timing,
    edge_of,
)
from sixproof.policy import ServicePortSnapshot, ServiceSnapshot
from sixproof.probes.connect.convergence import converge
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.probes.dns.fallback import ByName, violations
from sixproof.probes.dns.resolver import LookupObservation, ResolverCall, ResolverProbe
from sixproof.probes.dns.truth import TrueService
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category, one_family
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.probe_pods.ports import TCP

PORT = 80
SERVED = TCP.port
"""At which port of a pod the service's port 80 leads."""


class NameReach:
    """Looks a name up, then dials every address that it may lead to."""

    def __init__(
        self,
        agents: Agents,
        recorder: Recorder,
        zone: str,
        timing: Timing,
        ways: DnsAccess | None = None,
        existing: ExistingPolicies | None = None,
    ) -> None:
        self._agents = agents
        self._ways = ways
        self._existing = existing
        self._connect = ConnectProbe(agents)
        self._resolve = ResolverProbe(agents)
        self._recorder = recorder
        self._zone = zone
        self._timing = timing

    def must_need_no_fallback(
        self,
        sources: Sequence[Endpoint],
        services: Sequence[TrueService],
        backends: Sequence[Endpoint],
    ) -> None:
        """Every service must carry every source over each of its families, by its name.

        Raises:
            VerdictError: one does not, or only thanks to another family.
            InfrastructureError: what is wrong could not be measured.
        """
        __tracebackhide__ = True
        sources = self._unhindered(sources, services, backends)
        found = self._look_up(sources, services)
        seen = self._dial(sources, services, backends)
        clients = [_client(one, s, seen) for s in services for one in found[s.name]]
        lines = [f"{one.found.lookup}: first {one.preferred}, {one.parity}" for one in clients]
        steps.attach_text("clients by name", "\n".join(lines) + "\n")
        self._recorder.matrix(*_by_name(clients, services))
        broken = [one for one in clients if not one.works_throughout]
        if not broken:
            return
        text = f"{len(broken)} of {len(clients)} clients do not reach a service by its name over"
        text = "\n  ".join([f"{text} each of its families", *violations(broken)[:8]])
        outcomes = {one.outcome(f) for one in broken for f in one.families}
        if not any(o.measured and not o.works for o in outcomes):
            raise evidence.not_measured(text)
        raise evidence.wrong(text, _families(broken), *_classes(broken, clients))

    def _unhindered(
        self,
        sources: Sequence[Endpoint],
        services: Sequence[TrueService],
        backends: Sequence[Endpoint],
    ) -> list[Endpoint]:
        """The sources that no policy keeps from their nameservers or from a service; without one
        the test ends as not proven."""
        if self._ways is None or self._existing is None:
            return list(sources)
        known = resolvers_of(self._agents, sources)
        nameservers = {name: conf.nameservers for name, conf in known.items()}
        asking = self._ways.unhindered("services by name", sources, nameservers)
        closed = [
            (flow, why)
            for flow in _flows(asking, services)
            for backend in backends
            if (why := _closed_by(self._existing, flow, backend))
        ]
        shut = {flow.source for flow, _ in closed}
        free = [source for source in asking if source not in shut]
        if not free:
            must_be_open("services by name", (), closed)
        return free

    def _look_up(
        self, sources: Sequence[Endpoint], services: Sequence[TrueService]
    ) -> dict[str, list[LookupObservation]]:
        lookups = {
            s.name: [ResolverCall(source, s.fqdn(self._zone)) for source in sources]
            for s in services
        }
        every = [one for row in lookups.values() for one in row]
        with steps.step(f"When {len(every)} names are looked up"):
            seen = iter(self._resolve.look_up(every, PATIENCE))
        return {name: [next(seen) for _ in row] for name, row in lookups.items()}

    def _dial(
        self,
        sources: Sequence[Endpoint],
        services: Sequence[TrueService],
        backends: Sequence[Endpoint],
    ) -> tuple[Observation, ...]:
        """Every address of every service from every source, once its rules are programmed."""
        flows = _flows(sources, services)
        witnesses = {s.name: backends for s in services}
        with steps.step(f"When {len(flows)} addresses are dialled"):
            seen = converge(
                lambda timeout: self._connect.measure(flows, ProbeOptions(timeout), witnesses),
                lambda round_: all(o.outcome.works for o in round_),
                began=time.monotonic(),
                deadline=self._timing.settle,
                patience=self._timing.connect,
            ).observations
        matrix = Matrix.of("services by their addresses", seen)
        expected = {(o.flow.family, edge_of(o.flow)): works(o.flow) for o in seen}
        self._recorder.matrix(matrix, expected)
        steps.attach_matrix(matrix, expected)
        return seen


def _flows(sources: Iterable[Endpoint], services: Sequence[TrueService]) -> list[Flow]:
    """Every source to every address of every service."""
    return [
        Flow(source, endpoint, address, Protocol.TCP, PORT)
        for source in sources
        for endpoint in map(_endpoint, services)
        for address in endpoint.addresses
        if source.address(Family.of(address))
    ]


def _closed_by(existing: ExistingPolicies, flow: Flow, backend: Endpoint) -> str:
    if backend.address(flow.family) is None:
        return ""
    place, ports = flow.destination, (ServicePortSnapshot(PORT, flow.protocol, SERVED),)
    service = ServiceSnapshot(
        place.namespace, place.name, place.addresses, ports=ports, backends=(backend,)
    )
    return existing.closes(dataclasses.replace(flow, destination=backend), service)


def _endpoint(service: TrueService) -> Endpoint:
    return Endpoint(service.name, EndpointKind.SERVICE, service.cluster_ips, service.namespace)


def _client(found: LookupObservation, service: TrueService, seen: Sequence[Observation]) -> ByName:
    own = [
        o
        for o in seen
        if o.flow.source.name == found.lookup.source.name
        and o.flow.destination.name == service.name
    ]
    return ByName(
        service=service.name,
        found=found,
        dialled={o.flow.address: o for o in own},
        families=frozenset(Family.of(a) for a in service.cluster_ips)
        & found.lookup.source.families(),
    )


def _classes(broken: Sequence[ByName], all_clients: Sequence[ByName]) -> list[Category]:
    families = _families(broken)
    compared = {f for one in all_clients for f in one.families}
    unnamed = [o for o in broken if any(_has_no_address(o, f) for f in o.families)]
    # Lookups reach replicas by chance: a family is blamed only where each of these has the other.
    fair = all(one.found.addresses for one in unnamed)
    only = one_family(families, compared) if fair else None
    found = [only] if only else []
    if unnamed:
        found.append(Category.DNS)
    return found or [Category.BOTH]


def _by_name(clients: Sequence[ByName], services: Sequence[TrueService]) -> Judged:
    """What clients with only one family reach by each service's name."""
    ends = {service.name: _endpoint(service) for service in services}
    cells = []
    for one in clients:
        for family in one.families:
            service = ends[one.service]
            address = service.address(family)
            if address is not None:
                source = one.found.lookup.source
                flow = Flow(source, service, address, Protocol.TCP, PORT, "by name")
                reason = "" if one.outcome(family).works else one.evidence(family)
                cells.append(Observation(flow, one.outcome(family), reason))
    matrix = Matrix.of("services by name", cells, MatrixKind.LOOKUPS)
    return expecting_all(matrix, "the name leads there over each family of the service")


def _has_no_address(one: ByName, family: Family) -> bool:
    return one.outcome(family) is Outcome.DNS_FAILED


def _families(broken: Sequence[ByName]) -> set[Family]:
    return {f for one in broken for f in one.families if not one.outcome(f).works}
