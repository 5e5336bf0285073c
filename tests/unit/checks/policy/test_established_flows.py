"""Flows that stay open: those of new pods are waited for before they are measured."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.connect.settling import NEW_PODS, Settling
from sixproof.checks.policy import changes
from sixproof.checks.policy.changes import EstablishedFlows
from sixproof.errors import InfrastructureError, NotReady, VerdictError
from sixproof.model import Family, Flow, Observation, Outcome
from sixproof.probes.connect.probe import ProbeOptions
from tests.unit.workloads.policy.policy_snapshot_sample import SCENE

SECONDS = 0.2


class Network:
    """Loses the first rounds of new pods: so many of each flow, over one family or over both."""

    def __init__(self, lost: dict[Family, int], outcome: Outcome = Outcome.DROPPED) -> None:
        self.lost = lost
        self.outcome = outcome
        self.dialled: dict[Flow, int] = {}
        self.ports: list[int] = []
        self.options: list[ProbeOptions] = []
        self.not_yet = 0
        self.asked: list[Sequence[str]] = []

    def measure(
        self, flows: Sequence[Flow], options: ProbeOptions, nonces: object = ()
    ) -> tuple[Observation, ...]:
        """One round."""
        self.ports.append(options.source_port)
        self.options.append(options)
        self.nonces = nonces
        return tuple(Observation(f, self._outcome(f), latency=0.001) for f in flows)

    measure_again = measure

    def have_arrived(self, flows: Sequence[Flow], nonces: Sequence[str]) -> bool:
        """Whether all have; not for the first times."""
        self.asked.append(nonces)
        assert len(set(nonces)) == len(flows)
        return len(self.asked) > self.not_yet

    def _outcome(self, flow: Flow) -> Outcome:
        self.dialled[flow] = self.dialled.get(flow, 0) + 1
        lost = self.dialled[flow] <= self.lost.get(flow.family, 0)
        return self.outcome if lost else Outcome.ALLOWED


class Bench:
    """Flows over such a network, and what was recorded of them."""

    def __init__(self, network: Network) -> None:
        self.convergences: list[tuple[str, Family]] = []
        recorder: Any = SimpleNamespace(
            matrix=lambda *_, **__: None,
            convergence=lambda what, _seconds, family, _rounds: self.convergences.append(
                (what, family)
            ),
        )
        probe = cast(Any, network)
        checker: Any = SimpleNamespace(
            policy_namespaces=SCENE, around=SimpleNamespace(families=tuple(Family))
        )
        connectivity = Connectivity(probe, recorder, patience=0.01)
        settling = Settling(probe, recorder, connectivity.closes, SECONDS)
        self.flows = EstablishedFlows(checker, probe, connectivity, settling)


def test_a_lost_first_connection_of_new_pods_is_waited_out_and_reported() -> None:
    """Both families lose the first round; later ones, and what is judged, are carried."""
    network = Network(dict.fromkeys(Family, 1))
    bench = Bench(network)
    bench.flows.must_begin("before")
    assert bench.convergences == [(NEW_PODS, family) for family in Family]
    *waiting, judged = network.ports
    assert not any(waiting)
    assert judged


@pytest.mark.parametrize("outcome", [Outcome.DROPPED, Outcome.REFUSED])
def test_what_stays_closed_fails_with_what_was_waited(outcome: Outcome) -> None:
    """Of one family alone, too; the other one's time is reported."""
    bench = Bench(Network({Family.IPV6: 10_000}, outcome))
    with pytest.raises(VerdictError) as caught:
        bench.flows.must_begin("before")
    assert "waited for new pods: IPv4 converged" in str(caught.value)
    assert "IPv6 did not converge" in str(caught.value)
    assert "talked to" in str(caught.value)
    assert bench.convergences == [(NEW_PODS, Family.IPV4)]


def test_what_could_not_be_measured_does_not_pass() -> None:
    """Nor is it waited for without end."""
    with pytest.raises(InfrastructureError):
        Bench(Network(dict.fromkeys(Family, 10_000), Outcome.UNKNOWN)).flows.must_begin("before")


def test_nothing_is_waited_for_once_a_policy_has_come() -> None:
    """The question then is what becomes of open flows: the first loss counts."""
    bench = Bench(Network(dict.fromkeys(Family, 1)))
    with pytest.raises(VerdictError):
        bench.flows.must_go_on("after")
    assert not bench.convergences


def test_connections_are_open_before_anything_changes() -> None:
    """Each by a nonce that its server has seen, with the last byte held back. On a busy node a
    policy was there before a connection that was to be open when it came."""
    network = Network({})
    network.not_yet = 2
    bench = Bench(network)
    with bench.flows.held() as held:
        assert len(network.asked) == 3
        held.must_end_well("open before")
    assert list(network.asked[-1]) == network.nonces
    assert (network.options[-1].hold, network.options[-1].upload) == (changes.HOLD, 1)


def test_connections_that_do_not_open_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes, and the network is not accused."""
    monkeypatch.setattr(changes, "HOLD", 0.2)
    network = Network({})
    network.not_yet = 10_000
    with pytest.raises(NotReady, match="were not open after"), Bench(network).flows.held():
        pytest.fail("the policy came")
