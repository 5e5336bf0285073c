"""Dialling services through agents from a script: what is judged, and how it is reported."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.services.service_checks import ServiceChecks
from sixproof.errors import NotAsked, VerdictError
from sixproof.model import Endpoint, EndpointKind, Family, Matrix, MatrixKind, Protocol
from sixproof.probes.connect import fake_agents
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.probes.connect.probe import ConnectProbe
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.mutable_service import Change
from sixproof.workloads.services.routing import FrontendType, ServiceTarget
from sixproof.workloads.services.source import Outgoing, Translation, own_addresses
from tests.unit.workloads.existing.existing import DENY_ALL, FROM_A, ONLY_IPV4, existing
from tests.unit.workloads.two_nodes import A1, NODES, POOLS, TUNNELS, WEB1, WEB2, addresses

PROXY = KubeProxy("iptables", "ClusterCIDR", POOLS)
TRANSLATION = Translation(
    PROXY, Outgoing(POOLS, POOLS), NODES, own_addresses(NODES.values(), TUNNELS)
)
VIP = Endpoint(
    name="web", kind=EndpointKind.SERVICE, addresses=addresses("10.96.0.7", "fd00:96::7")
)
WEB = ServiceTarget(
    VIP, FrontendType.CLUSTER_IP, (PortSpec(Protocol.TCP, 80),), (WEB1, WEB2), proxy=PROXY
)
NOBODY = ServiceTarget(VIP, FrontendType.CLUSTER_IP, (PortSpec(Protocol.TCP, 80),), (), proxy=PROXY)

Reaction = Callable[[protocol.FlowSpec], Mapping[str, object]]


class Notes:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.converged: list[tuple[str, Family]] = []
        self.kinds: list[MatrixKind] = []

    def matrix(self, matrix: Matrix, *_: object, **__: object) -> None:
        """One more."""
        self.kinds.append(matrix.kind)

    def convergence(self, what: str, _seconds: float, family: Family, _rounds: int) -> None:
        """A time."""
        self.converged.append((what, family))


def in_turn(*pods: Endpoint) -> Iterator[str]:
    """The backends as kube-proxy would choose them, only fairer."""
    return itertools.cycle(p.pod for p in pods)


def answers(
    four: Sequence[Endpoint] = (WEB1, WEB2), six: Sequence[Endpoint] = (WEB1, WEB2), **fields: Any
) -> Reaction:
    """Backends answer in turn, others in IPv6 than in IPv4; `fields` are of every result."""
    turns = {True: in_turn(*six), False: in_turn(*four)}

    def react(flow: protocol.FlowSpec) -> Mapping[str, object]:
        own = A1.addresses[1 if ":" in flow.address else 0]
        by = next(turns[":" in flow.address])
        return {"event": Event.ECHOED, "answered_by": by, "peer_saw": str(own), **fields}

    return react


class PolicyChecker:
    """A client whose flows meet what a reaction says, and backends that saw none of what failed."""

    def __init__(self, react: Reaction, existing: ExistingPolicies | None = None) -> None:
        self.react = react
        self.notes = Notes()
        self.flows: list[protocol.FlowSpec] = []
        agents = FakeAgents(
            {
                A1.name: self.client,
                WEB1.name: fake_agents.witness(),
                WEB2.name: fake_agents.witness(),
            }
        )
        probe, notes = ConnectProbe(agents), self.notes
        recorder: Any = notes
        connectivity = Connectivity(probe, recorder, 3.0)
        families = tuple(Family)
        self.service_checks = ServiceChecks(
            connectivity, probe, recorder, families, 0.5, 1.2, existing
        )

    def client(self, request: object) -> object:
        """The client's agent."""
        assert isinstance(request, protocol.Probe)
        self.flows += request.flows
        results = [
            protocol.FlowResult(nonce=f.nonce, sent=1, **self.react(f))  # type: ignore[arg-type]
            for f in request.flows
        ]
        return protocol.Probed(results, lag=0.0)


def verdict_of(act: Callable[[], object]) -> str:
    """The verdict of something that must fail."""
    with pytest.raises(VerdictError) as caught:
        act()
    return str(caught.value)


class TestEveryBackend:
    """must_reach_every_backend"""

    def test_both_in_both_families(self) -> None:
        policy_checker = PolicyChecker(answers())
        policy_checker.service_checks.must_reach_every_backend("share", [A1], [WEB])
        assert len(policy_checker.flows) == 31 * 2
        assert {f.source_port for f in policy_checker.flows} == {0}

    def test_one_that_is_lost_in_one_family(self) -> None:
        policy_checker = PolicyChecker(answers(six=[WEB1]))
        text = verdict_of(
            lambda: policy_checker.service_checks.must_reach_every_backend("share", [A1], [WEB])
        )
        assert "a@n1 -> web over IPv6 tcp/80 ([fd00:96::7]:80): of 31 connections" in text
        assert "web-n2 never answered" in text
        assert "IPv4 tcp" not in text
        assert text.endswith("class: IPv6-only failure")

    def test_one_that_is_lost_in_both(self) -> None:
        policy_checker = PolicyChecker(answers(four=[WEB2], six=[WEB2]))
        text = verdict_of(
            lambda: policy_checker.service_checks.must_reach_every_backend("share", [A1], [WEB])
        )
        assert text.endswith("class: Connectivity failure")

    def test_a_stranger(self) -> None:
        stranger = Endpoint(name="old@n1", kind=EndpointKind.POD, pod="old-n1")
        policy_checker = PolicyChecker(answers(six=[WEB1, WEB2, stranger]))
        text = verdict_of(
            lambda: policy_checker.service_checks.must_reach_every_backend("share", [A1], [WEB])
        )
        assert "MISROUTED" in text
        assert "old-n1 answered instead of web-n1, web-n2" in text

    def test_one_connection_of_many_that_fails(self) -> None:
        fine, count = answers(), itertools.count()

        def react(flow: protocol.FlowSpec) -> Mapping[str, object]:
            return {"event": Event.RESET} if next(count) == 20 else fine(flow)

        policy_checker = PolicyChecker(react)
        text = verdict_of(
            lambda: policy_checker.service_checks.must_reach_every_backend("share", [A1], [WEB])
        )
        assert "REFUSED, expected ALLOWED" in text

    def test_a_backend_that_refuses_is_named(self) -> None:
        turns = itertools.cycle([True, False])

        def react(flow: protocol.FlowSpec) -> Mapping[str, object]:
            if ":" in flow.address and next(turns):
                return {"event": Event.RESET}
            return answers(six=[WEB1])(flow)

        policy_checker = PolicyChecker(react)
        text = verdict_of(
            lambda: policy_checker.service_checks.must_reach_every_backend("share", [A1], [WEB])
        )
        assert "web-n2 never answered 1 of 1 IPv6 flows" in text


Dial = Callable[[ServiceChecks], object]
DIALS: dict[str, Dial] = {
    "answer": lambda d: d.must_answer("t", [A1], [WEB]),
    "backends": lambda d: d.must_reach_every_backend("t", [A1], [WEB]),
    "source": lambda d: d.must_show_source("t", [A1], [WEB], TRANSLATION),
    "affinity": lambda d: d.must_keep_one_backend("t", [A1], WEB),
    "refusal": lambda d: d.must_answer("t", [A1], [NOBODY]),
    "change": lambda d: d.must_converge(Change("a change", WEB, lambda: WEB), [A1]),
}


class TestUnderPoliciesOfTheOwner:
    """Whatever is asked of services whose flows somebody's policy closes"""

    @pytest.mark.parametrize("dial", DIALS.values(), ids=list(DIALS))
    def test_nothing_that_was_not_carried_passes(
        self, monkeypatch: pytest.MonkeyPatch, dial: Dial
    ) -> None:
        """Not proven, with the policy named; neither passed nor failed."""
        policies, _ = existing(monkeypatch, DENY_ALL)
        policy_checker = PolicyChecker(lambda _: {"event": Event.SILENT}, policies)
        with pytest.raises(NotAsked) as caught:
            dial(policy_checker.service_checks)
        found = caught.value
        assert found.unproven
        assert "IPv4 and IPv6" in found.reason
        assert "GlobalNetworkPolicy closed" in found.reason

    def test_what_is_left_open_is_measured_before_the_other_family_is_not_proven(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fault of the open family is reported all the same."""
        policies, _ = existing(monkeypatch, ONLY_IPV4)
        policy_checker = PolicyChecker(answers(), policies)
        with pytest.raises(NotAsked, match="over IPv6 is open"):
            policy_checker.service_checks.must_reach_every_backend("share", [A1], [WEB])
        assert not any(":" in f.address for f in policy_checker.flows)
        broken = PolicyChecker(answers(four=[WEB1]), policies)
        text = verdict_of(
            lambda: broken.service_checks.must_reach_every_backend("share", [A1], [WEB])
        )
        assert "web-n2 never answered" in text

    def test_a_refusal_is_carried_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where egress is open, a service without backends is judged as ever."""
        policies, _ = existing(monkeypatch, FROM_A)
        policy_checker = PolicyChecker(lambda _: {"event": Event.RESET}, policies)
        policy_checker.service_checks.must_answer("nobody", [A1], [NOBODY])

    def test_a_source_address_of_which_nothing_is_known_is_not_passed(self) -> None:
        """The test is skipped, with the reason."""
        nothing = Translation(KubeProxy(), Outgoing(), NODES, {})
        policy_checker = PolicyChecker(answers())
        with pytest.raises(NotAsked, match="no source address could be compared"):
            policy_checker.service_checks.must_show_source("t", [A1], [WEB], nothing)


class TestDenials:
    """must_answer, where nobody may"""

    def test_a_refusal_is_waited_for_longer_and_tried_once(self) -> None:
        policy_checker = PolicyChecker(lambda _: {"event": Event.RESET})
        policy_checker.service_checks.must_answer("nobody", [A1], [NOBODY])
        assert {(f.timeout, f.attempts) for f in policy_checker.flows} == {(6.0, 7)}
        assert len(policy_checker.flows) == 2

    def test_silence_is_no_refusal(self) -> None:
        policy_checker = PolicyChecker(lambda _: {"event": Event.SILENT})
        text = verdict_of(
            lambda: policy_checker.service_checks.must_answer("nobody", [A1], [NOBODY])
        )
        assert "are DROPPED, expected REFUSED" in text

    def test_what_must_be_dropped_is_given_the_time_of_a_denial(self) -> None:
        elsewhere = ServiceTarget(
            VIP, FrontendType.CLUSTER_IP, WEB.port_specs, (WEB2,), local=True, proxy=PROXY
        )
        policy_checker = PolicyChecker(lambda _: {"event": Event.SILENT})
        policy_checker.service_checks.must_reach_every_backend("local", [A1], [elsewhere])
        assert {f.timeout for f in policy_checker.flows} == {1.2}
        leaking = PolicyChecker(answers([WEB2], [WEB2]))
        text = verdict_of(lambda: leaking.service_checks.must_answer("local", [A1], [elsewhere]))
        assert "ALLOWED, expected DROPPED" in text


class TestSource:
    """must_show_source"""

    def test_the_client_s_own(self) -> None:
        policy_checker = PolicyChecker(answers())
        policy_checker.service_checks.must_show_source("source", [A1], [WEB], TRANSLATION)

    def test_another_one(self) -> None:
        policy_checker = PolicyChecker(answers(peer_saw="2001:db8::1"))
        text = verdict_of(
            lambda: policy_checker.service_checks.must_show_source(
                "source", [A1], [WEB], TRANSLATION
            )
        )
        assert "saw 2001:db8::1, expected fd00:10:244:1::5 (nothing on this way" in text

    def test_what_must_be_denied_is_not_asked(self) -> None:
        policy_checker = PolicyChecker(answers())
        with pytest.raises(NotAsked, match="no such pair"):
            policy_checker.service_checks.must_show_source("source", [A1], [NOBODY], TRANSLATION)
        assert policy_checker.flows == []


class TestAffinity:
    """must_keep_one_backend and must_draw_anew"""

    def test_kept(self) -> None:
        PolicyChecker(answers([WEB1], [WEB2])).service_checks.must_keep_one_backend(
            "affinity", [A1], WEB
        )

    def test_not_kept_in_one_family(self) -> None:
        policy_checker = PolicyChecker(answers([WEB1], [WEB1, WEB2]))
        text = verdict_of(
            lambda: policy_checker.service_checks.must_keep_one_backend("affinity", [A1], WEB)
        )
        assert "over IPv6" in text
        assert "web-n2 answered" in text
        assert text.endswith("class: IPv6-only failure")

    def many_ports(self) -> ServiceTarget:
        """Enough draws to be sure."""
        return ServiceTarget(
            VIP,
            FrontendType.CLUSTER_IP,
            tuple(PortSpec(Protocol.TCP, n) for n in range(81, 113)),
            WEB.backends,
        )

    def test_drawn_anew(self) -> None:
        policy_checker = PolicyChecker(answers([WEB1, WEB2, WEB1], [WEB1, WEB2, WEB1]))
        policy_checker.service_checks.must_draw_anew(
            "time-out", [A1], self.many_ports(), silence=0.01
        )

    def test_never_drawn_anew(self) -> None:
        policy_checker = PolicyChecker(answers([WEB1, WEB2, WEB1], [WEB1]))
        text = verdict_of(
            lambda: policy_checker.service_checks.must_draw_anew(
                "x", [A1], self.many_ports(), silence=0.01
            )
        )
        assert "still at web-n1" in text
        assert "... and 20 more flows" in text
        assert text.endswith("class: IPv6-only failure")

    def test_too_few_draws(self) -> None:
        with pytest.raises(NotAsked, match="1 draws show nothing"):
            PolicyChecker(answers()).service_checks.must_draw_anew("x", [A1], WEB, silence=0.01)


class TestChange:
    """must_converge"""

    def test_followed_from_before_to_after(self) -> None:
        policy_checker = PolicyChecker(answers([WEB1], [WEB1]))
        one = ServiceTarget(VIP, FrontendType.CLUSTER_IP, WEB.port_specs, (WEB1,), proxy=PROXY)

        def make() -> ServiceTarget:
            policy_checker.react = answers()
            return WEB

        policy_checker.service_checks.must_converge(Change("endpoint added", one, make), [A1])
        assert sorted(policy_checker.notes.converged) == [
            ("endpoint added", f) for f in sorted(Family)
        ]
        assert policy_checker.notes.kinds == [MatrixKind.FLOWS, MatrixKind.BACKENDS] * 2

    def test_a_family_that_does_not_follow(self) -> None:
        policy_checker = PolicyChecker(answers([WEB1], [WEB1]))

        def make() -> ServiceTarget:
            policy_checker.react = answers([WEB1, WEB2], [WEB1])
            return WEB

        text = verdict_of(
            lambda: policy_checker.service_checks.must_converge(
                Change("endpoint added", None, make), [A1]
            )
        )
        assert "IPv6" in text
        assert "web-n2 never answered" in text

    def test_what_was_wrong_before_is_said_to_be_so(self) -> None:
        policy_checker = PolicyChecker(lambda _: {"event": Event.SILENT})
        change = Change("endpoint added", WEB, lambda: WEB)
        text = verdict_of(lambda: policy_checker.service_checks.must_converge(change, [A1]))
        assert "IPv4 did not converge, IPv6 did not converge" in text
        assert policy_checker.notes.converged == []

    def test_one_that_lingers_is_met(self) -> None:
        """The round that confirms makes enough connections for as many backends as there were."""
        policy_checker = PolicyChecker(answers())
        one = ServiceTarget(VIP, FrontendType.CLUSTER_IP, WEB.port_specs, (WEB1,), proxy=PROXY)

        def make() -> ServiceTarget:
            policy_checker.react = answers([WEB1], [WEB1])
            policy_checker.flows.clear()
            return one

        policy_checker.service_checks.must_converge(Change("endpoint removed", WEB, make), [A1])
        assert len(policy_checker.flows) == 2 * (12 + 12 + 31)

    def test_a_kept_port_is_one_connection(self) -> None:
        policy_checker = PolicyChecker(answers([WEB1], [WEB1]))
        one = ServiceTarget(VIP, FrontendType.CLUSTER_IP, WEB.port_specs, (WEB1,), proxy=PROXY)
        change = Change("endpoint replaced", None, lambda: one)
        policy_checker.service_checks.must_converge(change, [A1], source_port=20001)
        assert {f.source_port for f in policy_checker.flows} == {20001}
        assert len(policy_checker.flows) == 2 * 3


def test_two_targets_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two targets"):
        PolicyChecker(answers()).service_checks.must_answer("x", [A1], [WEB, WEB])
