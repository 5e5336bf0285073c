"""Load balancer checks: addresses, flows from outside and from inside, and health checks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sixproof.agent import protocol
from sixproof.checks.connect.carried import must_be_open, parted
from sixproof.checks.judged import expecting_all, require
from sixproof.checks.recorder import Recorder
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.errors import InfrastructureError, NotAsked
from sixproof.kube.api import wait
from sixproof.model import (
    EXCLUDED,
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    IPNetwork,
    Matrix,
    MatrixKind,
    NodeFacts,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence
from sixproof.reporting.diagnosis.category import Category, one_family
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.services import load_balancers
from sixproof.workloads.services.announcers import Announcers
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.load_balancers import LoadBalancers
from sixproof.workloads.services.manifests import Service
from sixproof.workloads.services.routing import ServiceTarget
from sixproof.workloads.services.source import Translation

QUESTION = "health check"
HEALTHY, UNHEALTHY = 200, 503
"""What kube-proxy answers at the health check node port with a ready backend on its node, and with
none (pkg/proxy/healthcheck)."""


class LoadBalancerChecks:
    """What one run asks about services of type LoadBalancer.

    `behind` are the backends of a service by its name, `inside` the ranges of pods and services,
    `left_out` the names of nodes that load balancers leave out, `settle` the seconds that nodes may
    take to agree with what was made.
    """

    def __init__(
        self,
        found: LoadBalancers,
        behind: Mapping[str, tuple[Endpoint, ...]],
        announcers: Announcers,
        proxy: KubeProxy,
        services: ServiceChecks,
        agents: AgentClient,
        recorder: Recorder,
        existing: ExistingPolicies | None,
        inside: Sequence[IPNetwork],
        left_out: Collection[str],
        settle: float,
    ) -> None:
        self._found = found
        self._behind = behind
        self._announcers = announcers
        self._proxy = proxy
        self._services = services
        self._agents = agents
        self._recorder = recorder
        self._existing = existing
        self._inside = inside
        self._left_out = left_out
        self._settle = settle

    def must_have_addresses(self) -> None:
        """Every load balancer has an address of each family of its service, and no other; none is
        of the ranges of pods or services, and all are of the same provider.

        Raises:
            VerdictError: one has not, `settle` seconds after it was asked for.
        """
        self._require_addresses(self._found.services.values())
        evidence.require_none(self._announcers.strays(self._found.services.values()))

    def must_answer(self, title: str, clients: Iterable[Endpoint], names: Iterable[str]) -> None:
        """Every client dials every port at every address of these services' load balancers.

        Raises:
            VerdictError: an address is missing, or a cell is not what must come.
            NotAsked: this cluster grants none of these services, or load balancers leave out the
                only node with a backend.
        """
        asked, dialled = tuple(clients), tuple(names)
        self._require_a_home(title, asked, dialled)
        targets = self._targets(title, dialled)
        self._services.must_answer(title, asked, targets, headline=True)

    def must_show_source(
        self, title: str, clients: Iterable[Endpoint], name: str, translation: Translation
    ) -> None:
        """Servers must see the address that externalTrafficPolicy leaves, on every connection.

        Raises:
            VerdictError: an address is missing, a connection failed, or another one was seen.
            NotAsked: as `must_answer`.
        """
        asked = tuple(clients)
        self._require_a_home(title, asked, [name])
        self._services.must_show_source(title, asked, self._targets(title, [name]), translation)

    def must_bar(self, title: str, client: Endpoint, names: Iterable[str]) -> None:
        """Source ranges admit and bar a client family by family, as they say.

        One of the services admits it in every family: silence of another is then no silence of the
        way to them. What is barred must have arrived at no backend.

        Raises:
            VerdictError: an address is missing, a cell is not what must come.
        """
        targets: list[ServiceTarget] = []
        for name in (load_balancers.ADMITS, *names):
            for target in self._targets(title, [name]):
                service = self._found.services[name]
                targets += load_balancers.for_client(target, service, client)
        self._services.must_answer(title, [client], targets)

    def must_answer_health_checks(
        self, client: Endpoint, nodes: Iterable[NodeFacts], family: Family
    ) -> None:
        """The health check node port of the service with Local traffic answers a client on every
        node over a family: 200 where a backend is, 503 where none is.

        Raises:
            VerdictError: a node says something else, or nothing.
            NotMeasured: the client could not be asked.
            NotAsked: the service has no such port, or no node an address that the client can dial;
                as not proven, policies of the cluster's owner close the ports.
        """
        found = self._found.services[load_balancers.LOCAL]
        if found.health_port is None:
            raise NotAsked(
                "the API server gave the service no healthCheckNodePort",
                "a load balancer controller whose class allocates one",
            )
        homes = {backend.node for backend in self._behind[load_balancers.LOCAL]}
        flows = [
            Flow(client, place, address, Protocol.TCP, found.health_port, question=QUESTION)
            for place in map(_place, nodes)
            if client.address(family) and (address := place.address(family))
        ]
        if not flows:
            raise NotAsked(f"no node has an {family} address that {client.name} can dial")
        title = "health check node port, from outside"
        opened, closed = parted(flows, self._closed_by)
        must_be_open(title, [f.family for f in opened], closed)
        waited = wait.until(
            lambda: self._ask(client, opened, homes),
            lambda seen: all(o.outcome.works for o in seen),
            timeout=self._settle,
        )
        seen = Matrix.of(title, waited.value, MatrixKind.HEALTH)
        said = f"{HEALTHY} with a backend of {found.name} on the node, {UNHEALTHY} without"
        step = f"Then every node answers over {family}: {said}"
        require(self._recorder, expecting_all(seen, said), step)

    def _closed_by(self, flow: Flow) -> str:
        """The policies that are known to close a flow, "" where none is."""
        return self._existing.closes(flow) if self._existing else ""

    def _ask(
        self, client: Endpoint, flows: Sequence[Flow], homes: set[str]
    ) -> tuple[Observation, ...]:
        servers = [protocol.ServerAsked(str(f.address), f.port or 0) for f in flows]
        asked = self._agents.ask(client, protocol.AskServers(servers), protocol.ServersAsked, SLACK)
        try:
            answers = asked.result().answers
        except InfrastructureError as error:
            reason = f"the agent of {client.name} could not be asked: {error}"
            return tuple(Observation(f, Outcome.UNKNOWN, reason=reason) for f in flows)
        return tuple(_judged(f, a, homes) for f, a in zip(flows, answers, strict=True))

    def _targets(self, title: str, names: Iterable[str]) -> tuple[ServiceTarget, ...]:
        services = [self._found.services[n] for n in names if n in self._found.services]
        if not services:
            raise NotAsked(f"{title}: this cluster grants no such service", "a dual-stack cluster")
        self._require_addresses(services)
        announced = {one.name: self._announcers.of(one) for one in services}
        steps.attach_text(
            "who announces", "\n".join(f"{name}: {said}" for name, said in announced.items())
        )
        return tuple(
            target
            for one in services
            for target in load_balancers.at_load_balancer(
                one,
                self._behind[one.name],
                self._proxy,
                local=one.name == load_balancers.LOCAL,
                announced=announced[one.name],
            )
        )

    def _require_a_home(
        self, title: str, clients: Iterable[Endpoint], names: Collection[str]
    ) -> None:
        """A load balancer sends nothing to nodes that it leaves out, and the service with Local
        traffic has a backend on one node only. Clients inside need no load balancer."""
        homes = {backend.node for backend in self._behind.get(load_balancers.LOCAL, ())}
        outside = any(client.kind is EndpointKind.OUTSIDE for client in clients)
        if outside and load_balancers.LOCAL in names and homes <= set(self._left_out):
            raise NotAsked(
                f"{title}: load balancers leave out every covered node (label {EXCLUDED})",
                "a covered node without the label",
            )

    def _require_addresses(self, services: Iterable[Service]) -> None:
        every = tuple(services)
        said = {
            what: one.subject()
            for one in every
            if (what := load_balancers.amiss(one, self._inside))
        }
        if not said:
            return
        late = f", {self._found.seconds:.0f} s after they were asked for"
        text = "\n  ".join([f"{len(said)} load balancers have wrong addresses{late}", *said])
        lacking = {f for one in every for f in load_balancers.lacking(one)}
        served = {f for one in every for f in one.families}
        only = one_family(lacking, served)
        raise evidence.wrong(text, lacking, only or Category.BOTH, subjects=said.values())


def _place(node: NodeFacts) -> Endpoint:
    return Endpoint(node.name, EndpointKind.NODE, node.addresses, node=node.name)


def _judged(flow: Flow, answer: protocol.HealthSeen, homes: set[str]) -> Observation:
    wanted = HEALTHY if flow.destination.node in homes else UNHEALTHY
    if answer.status == wanted:
        return Observation(flow, Outcome.ALLOWED)
    has = "has a backend" if wanted == HEALTHY else "has no backend"
    said = f"says {answer.status}" if answer.status else f"gives no answer ({answer.error})"
    return Observation(flow, Outcome.WRONG, reason=f"the node {has} and {said}, {wanted} is due")
