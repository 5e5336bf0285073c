"""Measuring under policies: sampled flows follow a change, then one patient round of all flows
judges it.

Decision 0047 says why.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from sixproof.model import Expectation, Flow, Observation, Outcome
from sixproof.probes.connect.convergence import Converged, Measure, converge
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions, Witnesses

FIRST = 0.15
"""Seconds that a flow of the first cheap round gets."""
MARGIN = 2.5
"""Latencies that a cheap round waits: a silence must be waited out in each, so no longer than that.
An answer that comes later only costs one more round."""
GROWTH, GROWS_AFTER = 1.25, 5
"""After so many rounds each waits so many times longer: a busy machine needs more time."""
Seen = Sequence[Observation]
Expected = Mapping[Flow, Expectation]
Note = Callable[[Seen], None]


class Measuring:
    """Measures flows, each of them one that no node has seen before (decision 0037).

    `deny` are the seconds of silence that prove a denial, `patience` those that a flow gets which
    must work, `settle` those that a change may take.
    """

    def __init__(self, probe: ConnectProbe, deny: float, patience: float, settle: float) -> None:
        self._probe = probe
        self._deny = deny
        self._patience = patience
        self._settle = settle

    def follow(
        self,
        expected: Expected,
        before: Expected,
        began: float,
        *,
        witnesses: Witnesses | None = None,
        note: Note | None = None,
    ) -> Converged:
        """Follow a change that was asked for at `began` (`time.monotonic`) until all flows are as
        `expected`, and judge them; `before` is what was expected until then.

        Cheap rounds dial sampled flows until both families agree; then every flow is dialled and
        gets its full time. Where that finds what the sampled flows did not meet, cheap rounds dial
        every flow until they agree twice in a row, and one more patient round is the judgement.
        `note` is called with every cheap round.
        """
        turns = itertools.count()

        def cheap(choose: Callable[[int], Sequence[Flow]]) -> Measure:
            def measure(timeout: float) -> Seen:
                turn = next(turns)
                options = ProbeOptions(min(timeout * growth(turn), self._deny), handshakes=False)
                seen = self._probe.measure(choose(turn), options, witnesses)
                if note is not None:
                    note(seen)
                return seen

            return measure

        return converge(
            cheap(lambda _: tuple(expected)),
            lambda seen: all(o.outcome in expected[o.flow].outcomes for o in seen),
            began=began,
            deadline=self._settle,
            patience=self._deny,
            first=FIRST,
            margin=MARGIN,
            confirm=lambda _: self._surely(expected, witnesses),
            sample=cheap(lambda turn: sampled_flows(expected, before, turn)),
        )

    def _surely(self, expected: Expected, witnesses: Witnesses | None) -> Seen:
        """One round with all evidence. A flow that must work and does not, or that could not be
        measured, as by an agent that stalled, gets a second try with more time: an answer proves
        what a silence on a busy machine does not. No denial is tried twice.

        What must be silent is dialled first: the others are answered while that is waited out."""
        flows = sorted(expected, key=lambda flow: _must_work(expected[flow]))
        seen = {o.flow: o for o in self._probe.measure(flows, ProbeOptions(self._deny), witnesses)}
        if unproven := [f for f, o in seen.items() if _unproven(o, expected[f])]:
            options = ProbeOptions(max(self._patience, 2 * self._deny))
            seen |= {o.flow: o for o in self._probe.measure(unproven, options, witnesses)}
        return [seen[flow] for flow in expected]


def growth(rounds: int) -> float:
    """How many times longer the cheap round after so many others waits."""
    return GROWTH ** max(0, rounds - GROWS_AFTER)


def sampled_flows(expected: Expected, before: Expected, turn: int) -> list[Flow]:
    """One flow of each edge and family on which something changes, another one at each turn.

    A family in which nothing changes has one of every edge.
    """
    edges: dict[tuple[object, ...], list[Flow]] = defaultdict(list)
    changed: dict[tuple[object, ...], list[Flow]] = defaultdict(list)
    for flow, expectation in expected.items():
        edge = (flow.family, flow.source.name, flow.destination.name)
        edges[edge].append(flow)
        if flow not in before or before[flow].outcomes != expectation.outcomes:
            changed[edge].append(flow)
    moving = {family for family, *_ in changed}
    still = {edge: flows for edge, flows in edges.items() if edge[0] not in moving}
    return [flows[turn % len(flows)] for flows in (changed | still).values()]


def _unproven(seen: Observation, expected: Expectation) -> bool:
    return not seen.outcome.measured or (_must_work(expected) and not seen.outcome.works)


def _must_work(expected: Expectation) -> bool:
    return expected.outcomes == {Outcome.ALLOWED}
