"""kube-proxy of a node that does not follow, as a cause."""

from __future__ import annotations

import dataclasses
import ipaddress

from sixproof.agent.protocol import HealthSeen
from sixproof.model import Endpoint, EndpointKind, Family, Flow, Outcome
from sixproof.probes.nodes import reader
from sixproof.probes.nodes.examination import FailureReading, NodeReading
from sixproof.reporting.causes.components import daemons
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import conclude, examined, node, run
from tests.unit.reporting.samples import DENY, OPEN, RUN, Rule, pods, topology, works

SIX = Family.IPV6
SICK = node("worker", health=[HealthSeen(reader.KUBE_PROXY, 0, error="no answer within 2 s")])
READ = examined({"worker": SICK})
SAID = "kube-proxy does not follow what the API server says of services, over IPv4 and IPv6 alike"


def service(name: str, number: int, **more: object) -> Endpoint:
    """A service at its clusterIPs."""
    addresses = tuple(map(ipaddress.ip_address, (f"10.96.0.{number}", f"fd00:10:96::{number}")))
    made = Endpoint(name, EndpointKind.SERVICE, addresses, namespace="six-svc")
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def losing(*names: str, outcome: Outcome = Outcome.DROPPED) -> Rule:
    """From one node IPv6 flows to these destinations come to this."""

    def rule(flow: Flow) -> Outcome:
        lost = flow.destination.name in names and flow.source.node == "worker"
        return outcome if lost and flow.family is SIX else Outcome.ALLOWED

    return rule


def counted(results: Results) -> list[str]:
    """What is said of how many services failed."""
    (cause,) = daemons.find(Situation(results))
    assert cause.what == SAID
    return [line for line in cause.evidence if "dialled there" in line]


def test_services_that_failed_are_counted() -> None:
    """R1: of those that were measured; what fails over one family is not said of both."""
    ends = (*pods(), service("old", 1), service("new", 2))
    results = run(losing("new"), READ, ends)
    assert counted(results) == ["1 of 2 services dialled there failed"]
    (one,) = conclude(results).every
    assert one.first_screen.startswith(
        f"node worker: {SAID} (new since the run began). See its log"
    )
    assert counted(run(works, READ, ends)) == []


def test_a_service_is_counted_once_at_whichever_address() -> None:
    ends = (
        *pods(),
        *(service(name, n) for n, name in enumerate(("web", "web (2)", "web at worker"), 1)),
        service("api", 9),
    )
    results = run(losing("web", "web (2)"), READ, ends)
    assert counted(results) == ["1 of 2 services dialled there failed"]


def test_a_host_port_is_no_service() -> None:
    """The CNI serves it."""
    port = service("host-port at worker", 1, kind=EndpointKind.NODE, node="worker")
    results = run(losing(port.name), READ, (*pods(), port, service("web", 2)))
    assert counted(results) == []
    assert not conclude(results).every[0].known


def test_what_was_not_measured_did_not_fail() -> None:
    ends = (*pods(), service("old", 1), service("new", 2))
    assert counted(run(losing("new", outcome=Outcome.UNKNOWN), READ, ends)) == []


def test_what_a_policy_must_deny_and_was_carried_did_not_fail() -> None:
    matrix = topology(losing("new"), endpoints=(*pods(), service("old", 1), service("new", 2)))
    wanted = {
        key: DENY if seen.flow.destination.name == "old" else OPEN
        for key, seen in matrix.cells.items()
    }
    measured = Measured(matrix, wanted, "suites/services/t.py::t")
    results = Results(RUN, matrices=(measured,), examination=READ)
    assert counted(results) == ["1 of 1 service dialled there failed"]


def test_readings_of_several_failures_name_it_once() -> None:
    """It was well again at the end; each test met other services."""
    tests, matrices, readings = ("t.py::one", "t.py::two"), [], []
    for number, test in enumerate(tests, 1):
        few = [service(name, n) for n, name in enumerate(("web", "api", "db")[: 2 * number - 1])]
        matrix = topology(losing("web", "api", "db"), endpoints=(*pods(), *few), title=test)
        matrices.append(Measured(matrix, dict.fromkeys(matrix.cells, OPEN), test))
        readings.append(FailureReading(test, [NodeReading("worker", SICK)]))
    cases = tuple(Case(test, CaseOutcome.FAILED) for test in tests)
    results = Results(
        RUN,
        cases=cases,
        matrices=tuple(matrices),
        examination=examined(),
        failures=tuple(readings),
    )
    (one,) = conclude(results).every
    assert SAID in one.headline
    assert len(one.causes) == 1
    assert not any("beside it" in line for line in one.evidence)


def test_a_full_table_of_connections_says_nothing_of_daemons() -> None:
    """K1: it takes no new connection on loopback either, so that their health ports are silent."""
    silent = [
        HealthSeen(asked, 0, error="timed out") for asked in (reader.KUBE_PROXY, reader.FELIX)
    ]
    sick = node("worker", health=silent)
    full = {**sick.sysctls, "net/netfilter/nf_conntrack_count": "131072"}
    sick = dataclasses.replace(sick, sysctls=full)

    def rule(flow: Flow) -> Outcome:
        dead = "worker" in (flow.source.node, flow.destination.node)
        return Outcome.DROPPED if dead else Outcome.ALLOWED

    read = examined({"worker": sick})
    assert not list(daemons.find(Situation(run(rule, read))))
    (one,) = conclude(run(rule, read)).every
    assert "connection tracking is full" in one.headline
    assert one.evidence == (
        f"its health ports {reader.KUBE_PROXY} and {reader.FELIX} could not be asked",
    )
