"""Confined pods: what is to be denied is measured once it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sixproof.checks.dns.confined_pods import nothing_but_dns, until_denied
from sixproof.model import Flow, Observation, Outcome, Timing
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from tests.unit.model.places import flow


class Probe:
    """Flows work in so many rounds, then they are dropped."""

    def __init__(self, works: int) -> None:
        self.works = works
        self.timeouts: list[float] = []

    def measure(self, flows: Sequence[Flow], options: ProbeOptions) -> list[Observation]:
        self.timeouts.append(options.timeout)
        works = len(self.timeouts) <= self.works
        outcome = Outcome.ALLOWED if works else Outcome.DROPPED
        return [Observation(one, outcome) for one in flows]


def outcomes(probe: Probe, settle: float) -> list[Outcome]:
    """Of one flow."""
    timing = Timing(deny=0.7, settle=settle)
    matrix = until_denied(cast(ConnectProbe, probe), timing, "ask", [flow()])
    assert matrix.title == "ask"
    return [o.outcome for o in matrix.observations()]


def test_flows_are_measured_in_full_once_they_are_denied() -> None:
    """The round that is judged has the time of a denial."""
    probe = Probe(works=2)
    assert outcomes(probe, 5.0) == [Outcome.DROPPED]
    assert len(probe.timeouts) > 3
    assert probe.timeouts[-1] == 0.7
    assert nothing_but_dns(flow()).outcomes == {Outcome.DROPPED}


def test_flows_that_are_never_denied_are_reported_as_they_are() -> None:
    """After the settle time-out."""
    assert outcomes(Probe(works=1000), 0.2) == [Outcome.ALLOWED]
