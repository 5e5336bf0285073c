"""Paths between pods that have not been used yet, and what is required of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from sixproof.calico import mtu
from sixproof.checks.connect.carried import Closed, must_be_open
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.model import Family
from sixproof.probes.pmtu import judge as pmtu_judge
from sixproof.probes.pmtu import matrix as pmtu_matrix
from sixproof.probes.pmtu import signals
from sixproof.probes.pmtu.judge import Rule, Violation
from sixproof.probes.pmtu.path import Overhead
from sixproof.probes.pmtu.path_run import PathResult, PathRun
from sixproof.reporting.allure import steps
from sixproof.reporting.matrix import path_svg, path_text

TUNNELS = {
    tunnel.device: Overhead(tunnel.name, tunnel.overhead, outer)
    for outer, those in (
        (Family.IPV4, (mtu.IPIP, mtu.VXLAN_V4, mtu.WIREGUARD_V4)),
        (Family.IPV6, (mtu.VXLAN_V6, mtu.WIREGUARD_V6)),
    )
    for tunnel in those
}
CARRIES: dict[str, Rule] = {
    "the first full-size packet passes": pmtu_judge.first_try,
    "a plain UDP socket gets through": pmtu_judge.plain_socket_converges,
    "fragments arrive": pmtu_judge.fragments_arrive,
    "bulk passes both ways": pmtu_judge.bulk_in_time,
    "segments fill the path": pmtu_judge.segments,
}
"""What a path must carry, even where addresses are translated on it."""


def slugs(titles: Iterable[str]) -> list[str]:
    """Test ids of these titles: without blanks, so that a shell takes an id as one word."""
    return [title.replace(" ", "-") for title in titles]


class PathResults:
    """What was measured on every path, judged one rule at a time. `closed` are the flows that were
    not measured, since policies of the cluster's owner close them."""

    def __init__(self, seen: PathRun, recorder: Recorder, closed: Closed = ()) -> None:
        self.seen = seen
        self._recorder = recorder
        self.closed = closed

    def must(self, title: str, rule: Rule, family: Family) -> None:
        """Hold every path of a family against a rule.

        Raises:
            VerdictError: one breaks it; the message names pairs, hops and counters.
        """
        path_results = self._measured_paths(title, family)
        violations = pmtu_judge.judge(path_results, rule)
        self._attach(title, path_results, violations)
        self._recorder.matrix(*pmtu_matrix.matrix(title, path_results, violations))
        if violations:
            raise path_text.verdict(title, violations, self.seen, rule)
        if not any(map(pmtu_judge.carried, path_results)):
            why = f"{title}: not one path over {family} carried so much as a small packet"
            raise NotAsked(why, "see the tests that fail", unproven=True, families=[family])

    def too_big(self, family: Family) -> PathResults:
        """Only the paths on which a node must report that a packet is too big; skips without."""
        why = f"over {family} every hop carries what pods send"
        return self._only(family, signals.needed, why)

    def announced(self, family: Family) -> PathResults:
        """Only the paths that are too narrow, and on which a node said so; skips without. A node's
        counter alone is no reason to ask: over IPv4 it counts every destination unreachable."""
        why = f"over {family} no node made a Packet Too Big"
        return self._only(
            family, lambda p: signals.needed(p) and signals.emitted(self.seen, p), why
        )

    def signalled(self, family: Family) -> PathResults:
        """Only the paths whose sender received a Packet Too Big; skips without."""
        why = f"over {family} no sender received a Packet Too Big"
        return self._only(family, lambda p: bool(pmtu_judge.signals(p)), why)

    def carrying(self, family: Family, rule: Rule) -> set[tuple[str, str]]:
        """The ends of the paths that keep a rule: what a denial beside them is compared with.
        Without one the test ends as not proven."""
        kept = {p.ends for p in self._measured_paths("the control", family) if rule(p) is None}
        if not kept:
            why = f"no path over {family} carries what the denial is compared with"
            raise NotAsked(why, "see the tests that fail", unproven=True, families=[family])
        return kept

    def _only(self, family: Family, which: Callable[[PathResult], bool], why: str) -> PathResults:
        every = self._measured_paths("bottlenecks", family)
        chosen = tuple(p for p in every if which(p))
        if not chosen:
            if needed := sum(map(signals.needed, every)):
                but = f"large packets were too big for a hop, or lost, on {needed} of {len(every)}"
                raise NotAsked(f"{why}, although {but} paths", "see the tests that fail")
            raise NotAsked(why, f"a path over {family} that is narrower than the pods' MTU")
        others = self.seen.over(family.other)
        return PathResults(
            dataclasses.replace(self.seen, path_results=chosen + others),
            self._recorder,
            self.closed,
        )

    def _measured_paths(self, title: str, family: Family) -> tuple[PathResult, ...]:
        path_results = self.seen.over(family)
        if not path_results:
            must_be_open(title, (), [one for one in self.closed if one[0].family is family])
            raise NotAsked(f"{title}: no pair of pods to measure", "--six-nodes")
        return path_results

    def _attach(
        self, title: str, path_results: Sequence[PathResult], violations: Sequence[Violation]
    ) -> None:
        shown = [c.path_result for c in violations] or list(path_results)
        lines = [
            line for path_result in path_results for line in (*path_text.drawing(path_result), "")
        ]
        with steps.step(f"Then {title}"):
            notes = path_text.accounts(violations, self.seen)
            steps.attach_svg(f"{title}, paths", path_svg.paths_svg(title, shown, notes))
            steps.attach_text(f"{title}, paths as text", "\n".join(lines))
