"""Asks Felix on every node for its health and its metrics, over each family."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sixproof.calico.felix.metrics import Listening, Metrics
from sixproof.calico.felix.settings import Felix
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.errors import NotAsked
from sixproof.kube.api import wait
from sixproof.model import Endpoint, Expectation, Family, Flow, Matrix, Observation, Outcome
from sixproof.probes.connect import fetch
from sixproof.probes.connect.fetch import FetchedPage, PageProbe
from sixproof.reporting.allure import steps
from sixproof.workloads.existing.policies import Expect
from sixproof.workloads.probe_pods.topology import ProbeTopology

HEALTH = ("/liveness", "/readiness")
METRICS = "/metrics"
HEALTHY = "health of Felix on its node"
SCRAPED = "metrics of Felix"
ON_LOOPBACK = "metrics of Felix on loopback"
HEALTH_OFF = "healthEnabled: true in FelixConfiguration default"
HEALTH_HOST = "FELIX_HEALTHHOST=0.0.0.0 of calico-node: every address of both families"
"""Calico-node's own probes ask at the host that this variable names, which they would not find as
``::``. In the object it has no effect where FELIX_HEALTHENABLED is set, as in Calico's manifests.
"""
METRICS_OFF = (
    "prometheusMetricsEnabled: true in FelixConfiguration default, or "
    "FELIX_PROMETHEUSMETRICSENABLED=true of calico-node"
)


class FelixEndpoints:
    """What one run asks of Felix's endpoints. `settle` are the seconds that Felix may take to
    answer well; policies of the cluster's owner may close what pods ask."""

    def __init__(
        self,
        probe: PageProbe,
        topology: ProbeTopology,
        felix: Felix,
        connectivity: Connectivity,
        settle: float,
    ) -> None:
        self._probe = probe
        self._topology = topology
        self._felix = felix
        self._connectivity = connectivity
        self._settle = settle

    def must_be_healthy(self, family: Family) -> None:
        """Felix of every node answers its own node at its health endpoint, over a family, and says
        that it lives and is ready.

        Raises:
            VerdictError: one does not.
            NotAsked: health is off, or listens at no address of this family.
        """
        places = [
            (host, where)
            for host in self._topology.hosts
            if (where := Listening.of(self._felix.at(host.node).health))
        ]
        if not places:
            raise NotAsked("Felix's health endpoint is off", HEALTH_OFF)
        flows = [
            fetch.asking(host, host, address, where.port, path)
            for host, where in places
            if (address := where.address(family, host))
            for path in HEALTH
        ]
        if not flows:
            raise NotAsked(
                f"Felix's health endpoint listens on {places[0][1]}: not over {family}",
                HEALTH_HOST,
            )
        self._require_of_node(HEALTHY, flows, "healthEnabled is on")

    def must_be_scraped(self, family: Family) -> None:
        """The metrics of every node's Felix are answered over a family: on its node, and to a pod
        of another one where they listen on more than loopback.

        Raises:
            VerdictError: some are not, or what comes are no metrics of Felix.
            NotAsked: metrics are off, or listen at no address of this family.
        """
        flows = scrapes(self._felix, self._topology.hosts, family)
        at_home = [flow for flow in flows if flow.address.is_loopback]
        abroad = [flow for flow in flows if not flow.address.is_loopback]
        abroad += [asked for flow in abroad if (asked := self._from_afar(flow)) is not None]
        if abroad:
            matrix = self._measure(SCRAPED, abroad)
            self._connectivity.check(matrix, _expecting("prometheusMetricsEnabled is on"))
        if at_home:
            self._require_of_node(ON_LOOPBACK, at_home, "prometheusMetricsEnabled is on")

    def _from_afar(self, flow: Flow) -> Flow | None:
        """The same asked by a pod, of another node where there is one."""
        pods = [p for p in self._topology.in_namespace("a") if p.address(flow.family)]
        others = [p for p in pods if p.node != flow.destination.node]
        return next((dataclasses.replace(flow, source=pod) for pod in others or pods), None)

    def _require_of_node(self, title: str, flows: Sequence[Flow], because: str) -> None:
        """Nothing between a node and itself could block these flows."""
        matrix = self._measure(title, flows)
        self._connectivity.hold(matrix, _expecting(because))

    def _measure(self, title: str, flows: Sequence[Flow]) -> Matrix:
        with steps.step(f"When {title} is asked for, {len(flows)} times at once"):
            seen = wait.until(
                lambda: self._look(flows),
                lambda found: all(o.outcome.works for o in found),
                timeout=self._settle,
            ).value
            return Matrix.of(title, seen)

    def _look(self, flows: Sequence[Flow]) -> list[Observation]:
        found = self._probe.fetch(flows, self._connectivity.patience)
        return [_of_felix(one) for one in found]


def scrapes(felix: Felix, hosts: Sequence[Endpoint], family: Family) -> list[Flow]:
    """The flows by which every node asks its own Felix for metrics, over a family.

    Raises:
        NotAsked: metrics are off, or listen at no address of this family.
    """
    places = [(h, where) for h in hosts if (where := Listening.of(felix.at(h.node).metrics))]
    if not places:
        raise NotAsked("Felix's Prometheus metrics are off", METRICS_OFF)
    flows = [
        fetch.asking(host, host, address, where.port, METRICS)
        for host, where in places
        if (address := where.address(family, host))
    ]
    if not flows:
        raise NotAsked(
            f"Felix's metrics listen on {places[0][1]}: not over {family}",
            "prometheusMetricsHost empty in FelixConfiguration default",
        )
    return flows


def _expecting(because: str) -> Expect:
    return lambda _flow: Expectation.allowed(because)


def _of_felix(page: FetchedPage) -> Observation:
    """The observation; a page of metrics that is none of Felix is WRONG."""
    seen = page.observation
    metrics = seen.flow.question.removeprefix(fetch.GET) == METRICS
    if not (metrics and seen.outcome.works) or Metrics.of(page.body) is not None:
        return seen
    if page.cut:
        reason = f"its answer is longer than {len(page.body)} characters, which are taken"
        return dataclasses.replace(seen, outcome=Outcome.UNKNOWN, reason=reason)
    reason = f"{len(page.body)} characters came, none of them a metric of Felix"
    return dataclasses.replace(seen, outcome=Outcome.WRONG, reason=reason)
