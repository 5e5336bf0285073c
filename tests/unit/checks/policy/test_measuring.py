"""Following a policy change with sampled flows: whom they dial, and what the patient round does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from sixproof.checks.policy.measuring import FIRST, Measuring, sampled_flows
from sixproof.model import Expectation, Family, Flow, Observation, Outcome, Protocol
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.workloads.probe_pods.ports import POD_PORTS
from tests.unit.workloads.policy.policy_snapshot_sample import SCENE

FLOWS = SCENE.flows(POD_PORTS, Family)
OPEN = {flow: Expectation.allowed("nothing selects it") for flow in FLOWS}
DENY, PATIENCE = 1.2, 3.0


def shut(selects: Callable[[Flow], bool]) -> Mapping[Flow, Expectation]:
    """What is expected once a policy denies some flows."""
    denied = Expectation(frozenset({Outcome.DROPPED}), "shut")
    return {flow: denied if selects(flow) else OPEN[flow] for flow in FLOWS}


class Network:
    """Does what is expected, but for the `odd` outcomes of a flow, a round each."""

    def __init__(
        self,
        expected: Mapping[Flow, Expectation],
        odd: Mapping[Flow, Sequence[Outcome]] | None = None,
    ) -> None:
        self.expected = expected
        self.odd = {flow: list(outcomes) for flow, outcomes in (odd or {}).items()}
        self.rounds: list[tuple[list[Flow], ProbeOptions]] = []

    def measure(
        self, flows: Sequence[Flow], options: ProbeOptions, _: object
    ) -> tuple[Observation, ...]:
        """One round."""
        self.rounds.append((list(flows), options))
        return tuple(Observation(flow, self._outcome(flow), latency=0.001) for flow in flows)

    def _outcome(self, flow: Flow) -> Outcome:
        if self.odd.get(flow):
            return self.odd[flow].pop(0)
        return min(self.expected[flow].outcomes)


def follow(network: Network, before: Mapping[Flow, Expectation] = OPEN) -> Mapping[Flow, Outcome]:
    """Follow a change that has shown already."""
    measuring = Measuring(cast(ConnectProbe, network), DENY, PATIENCE, 2.0)
    converged = measuring.follow(network.expected, before, time.monotonic())
    return {o.flow: o.outcome for o in converged.observations}


def unsampled(after: Mapping[Flow, Expectation]) -> Flow:
    """A flow that is to be denied and that the first sampled flows do not dial."""
    met = set(sampled_flows(after, OPEN, 0))
    return next(f for f in FLOWS if into_shop_over_ipv6(f) and f not in met)


def into_shop_over_ipv6(flow: Flow) -> bool:
    """A change of one family, at three pods."""
    return flow.family is Family.IPV6 and flow.destination.name.startswith("shop/")


class TestSamples:
    """sampled flows"""

    def test_one_flow_of_each_edge_that_changes(self) -> None:
        six = [
            f for f in sampled_flows(shut(into_shop_over_ipv6), OPEN, 0) if f.family is Family.IPV6
        ]
        edges = [(f.source.name, f.destination.name) for f in six]
        wanted = {(f.source.name, f.destination.name) for f in filter(into_shop_over_ipv6, FLOWS)}
        assert len(edges) == len(set(edges))
        assert set(edges) == wanted

    def test_a_family_without_a_change_has_one_of_every_edge(self) -> None:
        chosen = sampled_flows(shut(into_shop_over_ipv6), OPEN, 0)
        four = [f for f in FLOWS if f.family is Family.IPV4]
        edges = {(f.source.name, f.destination.name) for f in four}
        assert len([f for f in chosen if f.family is Family.IPV4]) == len(edges)

    def test_another_port_at_each_turn(self) -> None:
        after = shut(into_shop_over_ipv6)
        port_specs = {
            (f.protocol, f.port)
            for turn in range(len(POD_PORTS))
            for f in sampled_flows(after, OPEN, turn)
            if into_shop_over_ipv6(f)
        }
        assert port_specs == {(port_spec.protocol, port_spec.port) for port_spec in POD_PORTS}

    def test_only_lanes_that_change(self) -> None:
        """What stays as it was shows nothing of the change."""
        udp = shut(lambda flow: flow.protocol is Protocol.UDP)
        assert {f.protocol for turn in range(4) for f in sampled_flows(udp, OPEN, turn)} == {
            Protocol.UDP
        }

    def test_flows_that_nobody_knew_before_are_changed_ones(self) -> None:
        assert sampled_flows(OPEN, {}, 0) == sampled_flows(OPEN, OPEN, 0)


class TestFollow:
    """Measuring.follow"""

    def test_samples_once_and_then_all_with_the_time_of_a_denial(self) -> None:
        network = Network(shut(into_shop_over_ipv6))
        seen = follow(network)
        (first, cheap), (second, patient) = network.rounds
        assert len(first) < len(second) == len(FLOWS)
        assert (cheap.timeout, cheap.handshakes) == (FIRST, False)
        assert (patient.timeout, patient.handshakes) == (DENY, True)
        assert list(seen) == list(FLOWS)

    def test_what_must_be_silent_is_dialled_first(self) -> None:
        network = Network(shut(into_shop_over_ipv6))
        follow(network)
        dialled = network.rounds[-1][0]
        count = len(list(filter(into_shop_over_ipv6, FLOWS)))
        assert all(map(into_shop_over_ipv6, dialled[:count]))

    def test_what_must_work_gets_a_second_try_with_more_time(self) -> None:
        slow = next(
            f for f in FLOWS if f.family is Family.IPV4 and f not in sampled_flows(OPEN, OPEN, 0)
        )
        network = Network(OPEN, {slow: [Outcome.DROPPED]})
        assert follow(network)[slow] is Outcome.ALLOWED
        assert network.rounds[-1] == ([slow], ProbeOptions(PATIENCE))

    def test_what_could_not_be_measured_gets_a_second_try(self) -> None:
        after = shut(into_shop_over_ipv6)
        missed = unsampled(after)
        network = Network(after, {missed: [Outcome.UNKNOWN]})
        assert follow(network)[missed] is Outcome.DROPPED
        assert network.rounds[-1] == ([missed], ProbeOptions(PATIENCE))

    def test_a_leak_outside_the_sample_is_followed_and_judged_once_more(self) -> None:
        after = shut(into_shop_over_ipv6)
        leak = unsampled(after)
        network = Network(after, {leak: [Outcome.ALLOWED]})
        assert follow(network)[leak] is Outcome.DROPPED
        assert [len(flows) for flows, _ in network.rounds[1:]] == [len(FLOWS)] * 4

    def test_a_leak_that_stays_is_reported(self) -> None:
        after = shut(into_shop_over_ipv6)
        leak = unsampled(after)
        network = Network(after, {leak: [Outcome.ALLOWED, *[Outcome.DROPPED] * 2, Outcome.ALLOWED]})
        assert follow(network)[leak] is Outcome.ALLOWED
