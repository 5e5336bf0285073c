"""Applications that do not work over every family: each defect by its own sentence, and silence
about healthy ones."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.checks.applications import asking, judging
from sixproof.checks.applications.application_checks import SHOWN, ApplicationChecks
from sixproof.checks.applications.asking import Dialling, DialResult
from sixproof.checks.recorder import Recorder
from sixproof.errors import ApiError, NotAsked, Subject, VerdictError
from sixproof.model import Endpoint, EndpointKind, Family, Finding, Flow, Protocol, Severity
from sixproof.policy import CALICO, ClusterSnapshot, Judgement, NamedPort, Oracle
from sixproof.probes.connect.fake_agents import FakeAgents, Script
from sixproof.probes.connect.probe import ConnectProbe
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.results.application_record import ApplicationRow, Readiness
from sixproof.reporting.results.part_files import PartFiles, PartWriter
from sixproof.workloads.existing.applications import Application, ReadyPod
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.services.manifests import Ingress, Service, ServicePort
from tests.unit.reporting.samples import pods

ip = ipaddress.ip_address
BOTH = (Family.IPV4, Family.IPV6)
HTTP = ServicePort("http", Protocol.TCP, 80, "8080", 30080)
ADDRESSES = (ip("10.96.0.7"), ip("fd00:96::7"))
SERVICE = Service("web", "shop", "NodePort", "PreferDualStack", BOTH, ADDRESSES, (HTTP,))
CLIENTS = pods("a")


def backend(number: int, node: str = "worker", *families: Family) -> ReadyPod:
    """A pod of the application, with an address of each family unless some are given."""
    has = families or BOTH
    addresses = {Family.IPV4: ip(f"10.0.0.{number}"), Family.IPV6: ip(f"fd00::{number}")}
    end = Endpoint(
        f"shop/web-{number}",
        EndpointKind.POD,
        tuple(addresses[f] for f in Family if f in has),
        "shop",
        f"web-{number}",
        node,
        (("app", "web"),),
    )
    return ReadyPod(end, (("http", 8080),), has)


WEB = Application(SERVICE, (backend(1), backend(2, "worker2")))
KNOWN = ("10.0.0.", "fd00::", "10.96.0.7", "fd00:96::7")
Answer = Callable[[protocol.FlowSpec], str]


def accepts(flow: protocol.FlowSpec) -> str:
    """Everything that is there accepts."""
    return Event.ECHOED if flow.address.startswith(KNOWN) else Event.SILENT


def refuses(*addresses: str) -> Answer:
    """Connections to addresses that begin so are refused."""
    return lambda flow: Event.RESET if flow.address.startswith(addresses) else accepts(flow)


def client(answer: Answer) -> Script:
    """A probe pod whose connections end as `answer` says."""

    def script(request: object) -> object:
        assert isinstance(request, protocol.Probe)
        assert len(request.flows) <= asking.AT_ONCE
        assert all(flow.connect_only and flow.foreign for flow in request.flows)
        results = [
            protocol.FlowResult(nonce=f.nonce, event=answer(f), sent=1, latency=0.001)
            for f in request.flows
        ]
        return protocol.Probed(results=results, lag=0.0)

    return script


class Policies:
    """Policies of the owner, as the oracle judges them."""

    def __init__(self, *manifests: dict[str, Any], away: ApiError | None = None) -> None:
        self.away = away
        namespaces = {"shop": {"kubernetes.io/metadata.name": "shop"}}
        namespaces |= {pod.namespace: {} for pod in CLIENTS}
        named = {("shop", f"web-{n}"): [NamedPort("web", Protocol.TCP, 8080)] for n in (1, 2)}
        snapshot = ClusterSnapshot.of(namespaces, ports=named)
        self._oracle = Oracle.of(manifests, snapshot, CALICO)

    def judge(self, flow: Flow) -> Judgement:
        """What must happen to a flow."""
        return self._oracle.judge(flow)


def policy(*peers: str, port: object = None) -> dict[str, Any]:
    """A policy that lets in these networks, at a port."""
    rule: dict[str, Any] = {"from": [{"ipBlock": {"cidr": cidr}} for cidr in peers]}
    if port is not None:
        rule["ports"] = [{"port": port}]
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [rule] if peers else []}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "guard", "namespace": "shop"},
        "spec": {**spec, "policyTypes": ["Ingress"]},
    }


def dialling(
    answer: Answer = accepts,
    policies: Policies | None = None,
    families: Sequence[Family] = BOTH,
    clients: Sequence[Endpoint] = CLIENTS,
) -> Dialling:
    """Probe pods that dial."""
    agents = FakeAgents({pod.name: client(answer) for pod in clients})
    known = cast(ExistingPolicies, policies or Policies())
    return Dialling(ConnectProbe(agents), clients, known, families)


def judged(
    application: Application = WEB,
    answer: Answer = accepts,
    policies: Policies | None = None,
    families: Sequence[Family] = BOTH,
) -> tuple[tuple[ApplicationRow, ...], tuple[Finding, ...]]:
    """What is said of an application."""
    came = dialling(answer, policies, families).ask([application])
    return judging.judge(application, came, families, families)


def changed(**spec: Any) -> Application:
    """The application with another service."""
    return dataclasses.replace(WEB, service=dataclasses.replace(SERVICE, **spec))


SINGLE = changed(policy="SingleStack", families=(Family.IPV4,), cluster_ips=ADDRESSES[:1])


def test_a_healthy_application_is_ready_and_nothing_is_said() -> None:
    (row,), findings = judged()
    assert findings == ()
    assert (row.namespace, row.service, row.port) == ("shop", "web", "tcp/80 (http)")
    assert (row.readiness, row.problems) == (Readiness.READY, ())
    assert dict(row.ways) == {
        "pod IPv4": "2 of 2", "pod IPv6": "2 of 2", "ClusterIP IPv4": "1 of 1",
        "ClusterIP IPv6": "1 of 1",
    }  # fmt: skip


def test_a_server_that_listens_on_ipv4_alone() -> None:
    """The most common one: 0.0.0.0. Its service fails for the same reason, and that is no finding
    of its own."""
    (row,), (finding,) = judged(answer=refuses("fd00"))
    assert (finding.code, finding.subject) == ("application-listens", "Service shop/web")
    assert finding.seen == (
        "tcp/80 (http): 2 of 2 pods accept IPv4 and refuse IPv6: fd00::1 port 8080, "
        "fd00::2 port 8080"
    )
    assert finding.remedy.startswith("have it listen on ::")
    assert (finding.severity, finding.families) == (Severity.ERROR, (Family.IPV6,))
    assert row.readiness is Readiness.NOT_READY
    assert row.problems == (finding.seen.removeprefix("tcp/80 (http): "),)


def test_a_service_of_one_family_is_not_dialled_over_the_other() -> None:
    (row,), (finding,) = judged(SINGLE)
    assert finding.code == "application-single-stack"
    assert finding.seen == "has IPv4 alone (ipFamilyPolicy SingleStack)"
    assert finding.remedy.startswith("set ipFamilyPolicy to PreferDualStack")
    assert row.readiness is Readiness.NOT_READY
    assert "ClusterIP IPv6" not in dict(row.ways)
    assert judged(SINGLE, families=[Family.IPV4])[1] == ()


def test_a_service_gets_no_second_family_before_its_pods_have_it() -> None:
    """An AAAA record for what refuses IPv6 breaks what works."""
    _, (single, _) = judged(SINGLE, refuses("fd00"))
    assert single.remedy.startswith("first have its pods accept IPv6, then set ipFamilyPolicy")
    old = dataclasses.replace(SINGLE, backends=(backend(1, "worker", Family.IPV4),))
    assert judged(old)[1][0].remedy.startswith("first have its pods accept IPv6, then")


def test_a_family_that_the_cluster_gives_no_service_is_missed_in_none() -> None:
    came = dialling().ask([SINGLE])
    assert judging.judge(SINGLE, came, BOTH, [Family.IPV4])[1] == ()
    no_pods = dataclasses.replace(SINGLE, backends=(), others=1)
    assert judging.judge(no_pods, (), BOTH, BOTH)[1] == ()


def test_pods_without_an_address_of_a_family_and_slices_that_lack_them() -> None:
    old = dataclasses.replace(WEB, backends=(backend(1), backend(2, "worker2", Family.IPV4)))
    _, (finding,) = judged(old)
    assert (finding.code, finding.seen) == (
        "application-pod-family",
        "pod web-2 without an IPv6 address",
    )
    host = dataclasses.replace(old.backends[1].endpoint, kind=EndpointKind.HOST)
    on_host = dataclasses.replace(old.backends[1], endpoint=host)
    assert judged(dataclasses.replace(WEB, backends=(on_host,)))[1] == ()
    unlisted = dataclasses.replace(backend(1), families=(Family.IPV4,))
    _, (missing,) = judged(dataclasses.replace(WEB, backends=(unlisted,)), refuses("fd00:96"))
    assert (missing.code, missing.seen) == (
        "application-endpoints",
        "no EndpointSlice lists pod web-1 over IPv6",
    )


def test_a_policy_that_admits_one_family() -> None:
    """What it closes is not dialled."""
    dialled: list[str] = []

    def answer(flow: protocol.FlowSpec) -> str:
        dialled.append(flow.address)
        return accepts(flow)

    (row,), (finding,) = judged(answer=answer, policies=Policies(policy("0.0.0.0/0")))
    assert finding.code == "application-policy"
    assert finding.seen == (
        "tcp/80 (http): policies admit IPv4 and no IPv6 to 2 of 2 pods: NetworkPolicy shop/guard"
    )
    assert not any(":" in address for address in dialled)
    assert row.readiness is Readiness.NOT_READY


def test_a_policy_that_names_the_port_is_followed() -> None:
    both = policy("0.0.0.0/0", "::/0", port="web")
    (row,), findings = judged(policies=Policies(both))
    assert (row.readiness, findings) == (Readiness.READY, ())


@pytest.mark.parametrize(
    ("policies", "why"),
    [
        (Policies(policy()), "closed to probe pods: NetworkPolicy shop/guard"),
        (Policies(away=ApiError("away")),
         "closed to probe pods: policies of Calico, whose API server does not answer"),
    ],
)  # fmt: skip
def test_what_policies_close_or_may_close_is_not_asked(policies: Policies, why: str) -> None:
    (row,), findings = judged(policies=policies)
    assert findings == ()
    assert (row.readiness, row.ways, row.problems) == (Readiness.NOT_ASKED, (), (why,))


def test_policies_that_cannot_be_judged_are_read_once() -> None:
    class Broken(Policies):
        asked = 0

        def judge(self, _: Flow) -> Judgement:
            self.asked += 1
            raise ApiError("networkpolicies is forbidden")

    broken = Broken()
    (row,), _ = judged(policies=broken)
    assert broken.asked == 1
    assert "cannot be judged (networkpolicies is forbidden)" in row.problems[0]


def test_a_pod_that_is_silent_over_one_family() -> None:
    """The network, or a filter of the pod: not said to listen wrongly."""
    _, (finding,) = judged(answer=lambda f: Event.SILENT if f.address == "fd00::1" else accepts(f))
    assert finding.code == "application-lost"
    assert finding.seen.startswith(
        "tcp/80 (http): 1 of 2 pods accept IPv4 and do not answer over IPv6: fd00::1 port 8080 from"
    )


def test_a_service_that_does_not_carry_what_its_pods_accept() -> None:
    _, (finding,) = judged(answer=refuses("fd00:96"))
    assert finding.code == "application-service"
    assert "its pods accept IPv6, its clusterIP does not: fd00:96::7 port 80" in finding.seen


@pytest.mark.parametrize(
    "application",
    [
        pytest.param(dataclasses.replace(WEB, others=1), id="others-may-answer"),
        pytest.param(dataclasses.replace(WEB, local=True), id="internal-traffic-local"),
        pytest.param(
            dataclasses.replace(WEB, backends=tuple(backend(n) for n in range(1, 15))),
            id="not-all-were-dialled",
        ),
        pytest.param(changed(headless=True, cluster_ips=()), id="headless"),
    ],
)
def test_a_cluster_ip_is_not_dialled_where_its_answer_tells_nothing(
    application: Application,
) -> None:
    (row,), findings = judged(application, refuses("fd00:96", "10.96"))
    assert (row.readiness, findings) == (Readiness.READY, ())
    assert not any(way.startswith("ClusterIP") for way, _ in row.ways)


def test_a_load_balancer_of_one_family() -> None:
    one = changed(ingress=(Ingress(ip("203.0.113.9")),))
    _, (finding,) = judged(one)
    assert (finding.code, finding.seen) == (
        "application-load-balancer",
        "its load balancer has no IPv6 address",
    )
    assert judged(one, families=[Family.IPV4])[1] == ()


def test_pods_that_accept_nothing_are_no_matter_of_a_family() -> None:
    (row,), (finding,) = judged(answer=lambda _: Event.RESET)
    assert (finding.code, finding.severity) == ("application-not-listening", Severity.WARNING)
    assert "2 of 2 pods that are Ready accept no connection over IPv4 and IPv6" in finding.seen
    assert row.readiness is Readiness.NO_ANSWER


def test_where_one_family_is_all_there_is_a_refusal_is_an_error() -> None:
    """A server on 0.0.0.0 in an IPv6-only cluster."""
    six = dataclasses.replace(
        changed(families=(Family.IPV6,), cluster_ips=ADDRESSES[1:]),
        backends=(backend(1, "worker", Family.IPV6),),
    )
    (row,), (finding,) = judged(six, refuses("fd00"), families=[Family.IPV6])
    assert (finding.code, finding.severity) == ("application-not-listening", Severity.ERROR)
    assert finding.families == (Family.IPV6,)
    assert row.readiness is Readiness.NOT_READY


def test_what_could_not_be_measured_is_not_ready() -> None:
    def answer(flow: protocol.FlowSpec) -> str:
        return Event.FAILED if ":" in flow.address else accepts(flow)

    (row,), findings = judged(answer=answer)
    assert findings == ()
    assert row.readiness is Readiness.NOT_ASKED
    assert row.problems == ("not measured over each family",)


def test_without_a_client_of_a_family_nothing_is_said_of_it() -> None:
    only = [dataclasses.replace(c, addresses=c.addresses[:1]) for c in CLIENTS]
    came = dialling(clients=only).ask([WEB])
    assert {one.family for one in came} == {Family.of(only[0].addresses[0])}
    (row,), findings = judging.judge(WEB, came, BOTH, BOTH)
    assert (row.readiness, findings) == (Readiness.NOT_ASKED, ())


@pytest.mark.parametrize(
    ("application", "why"),
    [
        (dataclasses.replace(WEB, backends=()), "no pod behind it is ready"),
        (dataclasses.replace(WEB, backends=(), others=2), "2 endpoints, none a Ready pod"),
        (changed(ports=(dataclasses.replace(HTTP, protocol=Protocol.UDP),)),
         "UDP servers answer only what they understand"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_says_why(application: Application, why: str) -> None:
    (row,), findings = judged(application)
    assert findings == ()
    assert (row.readiness, row.problems) == (Readiness.NOT_ASKED, (why,))


def test_of_many_pods_some_on_every_node_are_dialled_a_few_at_a_time() -> None:
    """Those of the first node do not crowd out the others."""
    crowd = tuple(backend(n, "worker") for n in range(1, 30))
    few = (backend(30, "worker2"), backend(31, "control-plane"))
    many = [
        dataclasses.replace(WEB, service=dataclasses.replace(SERVICE, name=f"s{n}"),
                            backends=(*crowd[n * 4:], *few))
        for n in range(8)
    ]  # fmt: skip
    batches: list[int] = []

    class Counting(FakeAgents):
        def ask(self, endpoint: Endpoint, request: Any, answer: Any, timeout: float) -> Any:
            batches.append(len(request.flows))
            return super().ask(endpoint, request, answer, timeout)

    agents = Counting({pod.name: client(accepts) for pod in CLIENTS})
    asked = Dialling(ConnectProbe(agents), CLIENTS, cast(ExistingPolicies, Policies()), BOTH)
    came = asked.ask(many)
    assert sum(batches) > asking.AT_ONCE
    of_first = [one for one in came if one.dial.application.service.name == "s0"]
    assert len(of_first) == 2 * asking.BACKENDS
    nodes = {one.dial.flow.destination.node for one in of_first}
    assert nodes == {"worker", "worker2", "control-plane"}


def test_a_pod_behind_several_services_is_dialled_once() -> None:
    other = dataclasses.replace(
        WEB, service=dataclasses.replace(SERVICE, name="again", cluster_ips=())
    )
    dialled: list[str] = []

    def answer(flow: protocol.FlowSpec) -> str:
        dialled.append(flow.address)
        return accepts(flow)

    came = dialling(answer).ask([WEB, other])
    assert sorted(a for a in dialled if a.startswith(("10.0.0.", "fd00::"))) == [
        "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2",
    ]  # fmt: skip
    assert all(one.accepted for one in came)


def test_a_pod_is_dialled_from_another_node() -> None:
    """Its own node's client comes first in the list."""
    first = CLIENTS[0].node
    home = dataclasses.replace(WEB, backends=(backend(1, first),))
    came: tuple[DialResult, ...] = dialling().ask([home])
    at_pods = {one.dial.flow.source.node for one in came if one.dial.backend}
    assert at_pods == {CLIENTS[1].node}


def checks(folder: Path, answer: Answer, patience: float = 0.1) -> ApplicationChecks:
    """What one run requires, and where it notes what it found."""
    recorder = Recorder(PartWriter(folder), lambda: "t")
    return ApplicationChecks(dialling(answer), BOTH, BOTH, recorder, patience)


def reading(*found: Application) -> Callable[[], Sequence[Application]]:
    return lambda: found


def test_what_is_wrong_is_said_for_each_service_and_no_family_is_accused(tmp_path: Path) -> None:
    made = checks(tmp_path, refuses("fd00"))
    with pytest.raises(VerdictError, match="2 of 2 pods accept IPv4 and refuse IPv6") as caught:
        made.must_work(reading(WEB))
    assert caught.value.families == frozenset()
    assert caught.value.categories == {Category.APPLICATION}
    assert caught.value.subjects == (Subject("Service", "shop/web"),)
    parts = PartFiles.read(tmp_path)
    assert [row.readiness for row in parts.applications] == [Readiness.NOT_READY]
    assert [finding.code for finding in parts.findings] == ["application-listens"]


def test_what_the_network_may_have_lost_is_no_matter_of_the_application_alone(
    tmp_path: Path,
) -> None:
    made = checks(tmp_path, refuses("fd00:96"))
    with pytest.raises(VerdictError) as caught:
        made.must_work(reading(WEB))
    assert caught.value.categories == {Category.BOTH}


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    many = [
        dataclasses.replace(WEB, service=dataclasses.replace(SERVICE, name=f"s{n}"))
        for n in range(SHOWN + 3)
    ]
    with pytest.raises(VerdictError, match=r"\.\.\. and 3 more, see the table of applications"):
        checks(tmp_path, refuses("fd00::")).must_work(reading(*many))


def test_what_becomes_right_is_right(tmp_path: Path) -> None:
    """A roll-out: it is looked at again, and no other application is."""
    looks: list[str] = []

    def answer(flow: protocol.FlowSpec) -> str:
        looks.append(flow.address)
        return (
            Event.RESET
            if flow.address == "fd00::1" and looks.count("fd00::1") == 1
            else (accepts(flow))
        )

    calm = dataclasses.replace(
        WEB, service=dataclasses.replace(SERVICE, name="calm"), backends=(backend(9),)
    )
    checks(tmp_path, answer, patience=2.0).must_work(reading(WEB, calm))
    assert looks.count("fd00::1") == 2
    assert looks.count("fd00::9") == 1
    rows = PartFiles.read(tmp_path).applications
    assert {row.readiness for row in rows} == {Readiness.READY}


@pytest.mark.parametrize(
    ("found", "said"),
    [((), "there is no service with a port"),
     ((dataclasses.replace(WEB, backends=()),), "none could be asked")],
)  # fmt: skip
def test_where_nothing_was_asked_nothing_is_proven(
    tmp_path: Path, found: Iterable[Application], said: str
) -> None:
    with pytest.raises(NotAsked, match=said):
        checks(tmp_path, accepts).must_work(reading(*found))
