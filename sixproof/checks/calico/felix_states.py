"""Checks Felix on every node: by its metrics, and by what it programmed on the node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from sixproof.agent import protocol
from sixproof.calico.felix import metrics as felix_metrics
from sixproof.calico.felix import modes
from sixproof.calico.felix.metrics import Metrics
from sixproof.calico.state import CalicoState
from sixproof.checks.calico.felix_endpoints import scrapes
from sixproof.checks.judged import expecting_all, require
from sixproof.checks.recorder import Recorder
from sixproof.errors import InfrastructureError, NotAsked
from sixproof.kube.api import wait
from sixproof.model import (
    Endpoint,
    Family,
    Flow,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.probes.connect.fetch import PageProbe
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.reporting.allure import steps
from sixproof.workloads.probe_pods.topology import ProbeTopology

FOLLOWS = "Felix of every node applies changes"
RULES = "Felix's rules on every node"
ENCRYPTS = "WireGuard on every node"
PROGRAMS = "eBPF programs on every node"
QUESTION = "Felix: "
"""How the question of such a cell begins."""

Scraped = Mapping[str, Metrics]
"""Metrics by node, of those that answered."""


class FelixStates:
    """What one run asks about the state of Felix.

    `change` makes a change for a while that Felix of every node must take over: pods of the run
    that start there. `patience` are the seconds of one scrape, `settle` those of a change.
    """

    def __init__(
        self,
        probe: PageProbe,
        agents: AgentClient,
        topology: ProbeTopology,
        state: CalicoState,
        recorder: Recorder,
        change: Callable[[], AbstractContextManager[object]],
        patience: float,
        settle: float,
    ) -> None:
        self._probe = probe
        self._agents = agents
        self._topology = topology
        self._state = state
        self._recorder = recorder
        self._change = change
        self._patience = patience
        self._settle = settle

    def must_follow(self) -> None:
        """Felix on every node is in sync with the datastore, applies a change, and counts no error
        while it does. Errors of one change that do not recur with the next are only reported:
        Felix retries, and other components change rules at the same time.

        Raises:
            VerdictError: one is not, does not, or counts errors with each of two changes.
            NotMeasured: the metrics of a node could not be read.
            NotAsked: metrics are off.
        """
        before = self._scraped()
        after, late, errors = self._changed(before)
        counted = [f"{node}: {one}" for node, found in errors.items() for one in found]
        if counted:
            after, late, again = self._changed(after)
            errors = {node: again[node] for node in errors if again.get(node)}
        counted += [
            f"{node}, since Felix started: {one}"
            for node, found in after.items()
            for one in felix_metrics.counted(found)
        ]
        steps.attach_text("errors that Felix counted", "\n".join(counted) or "none")
        wrong = {
            node: amiss
            for node, found in after.items()
            if (amiss := felix_metrics.out_of_sync(found) or _counted(errors.get(node, ())))
        }
        for node, lag in late.items():
            wrong.setdefault(node, f"{lag} in {self._settle:.0f} s although a pod started there")
        twice = {node: found for node, found in after.items() if node in before}
        self._require(FOLLOWS, "applies changes", twice, wrong)

    def must_have_rules(self, family: Family) -> None:
        """Felix of every node has rules of a family, in the backend that it is set to: none of IPv6
        where ipv6Support is off.

        Raises:
            VerdictError: one has not.
            NotMeasured: the metrics of a node could not be read.
            NotAsked: metrics are off, or the eBPF dataplane has no such rules.
        """
        felix = self._state.felix
        hosts = [host for host in self._topology.hosts if not felix.at(host.node).bpf]
        if not hosts:
            raise NotAsked("the eBPF dataplane is on", "bpfEnabled: false in FelixConfiguration")
        found = self._scraped()
        wrong = {
            host.node: amiss
            for host in hosts
            if host.node in found
            and (
                amiss := felix_metrics.misplaced_rules(
                    felix.at(host.node), family, found[host.node]
                )
            )
        }
        self._require(RULES, f"rules of {family}", found, wrong, hosts=hosts, family=family)

    def must_have_programs(self) -> None:
        """Felix of every node with the eBPF dataplane has programs at its interfaces, and could set
        all of them.

        Raises:
            VerdictError: one has not.
            NotMeasured: the metrics of a node could not be read.
            NotAsked: the eBPF dataplane is off, or metrics are.
        """
        felix = self._state.felix
        hosts = [host for host in self._topology.hosts if felix.at(host.node).bpf]
        if not hosts:
            raise NotAsked("the eBPF dataplane is off", "bpfEnabled: true in FelixConfiguration")
        found = self._scraped()
        wrong = {
            host.node: amiss
            for host in hosts
            if host.node in found and (amiss := felix_metrics.failed_programs(found[host.node]))
        }
        self._require(PROGRAMS, "eBPF programs", found, wrong, hosts=hosts)

    def must_encrypt(self, family: Family) -> None:
        """Every node has published a WireGuard key for a family and has its WireGuard device up.

        Raises:
            VerdictError: one has not.
            NotMeasured: a node could not be asked.
            NotAsked: WireGuard is off for this family.
        """
        if family not in self._state.felix.wireguard:
            raise NotAsked(
                f"WireGuard is off for {family}",
                f"{modes.SETTINGS[family]}: true in FelixConfiguration default",
            )
        asked = [
            (host, self._agents.ask(host, protocol.ReadNode([]), protocol.NodeSeen, SLACK))
            for host in self._topology.hosts
        ]
        read: dict[str, object] = {}
        wrong: dict[str, str] = {}
        for host, answer in asked:
            try:
                seen = answer.result()
            except InfrastructureError:
                continue
            read[host.node] = seen
            if amiss := self._unencrypted(host.node, family, seen):
                wrong[host.node] = amiss
        self._require(ENCRYPTS, "WireGuard", read, wrong, family=family)

    def _unencrypted(self, node: str, family: Family, seen: protocol.NodeSeen) -> str:
        device = modes.DEVICES[family]
        link = next((one for one in seen.links if one.name == device), None)
        if link is None or link.kind != "wireguard":
            return f"the node has no WireGuard device {device}"
        if not link.up:
            return f"its WireGuard device {device} is down"
        if modes.lacks_key(self._state, node, family):
            return (
                f"the node published no WireGuard key for {family}, so that no peer encrypts to it"
            )
        return ""

    def _changed(
        self, before: Scraped
    ) -> tuple[Scraped, dict[str, str], dict[str, tuple[str, ...]]]:
        """Make a change and wait until all have taken it over: their metrics then, what some have
        not done, and the counters of errors that rose, by node."""

        def late(now: Scraped) -> dict[str, str]:
            both = {node: now[node] for node in before if node in now}
            said = {n: felix_metrics.lagging(before[n], found) for n, found in both.items()}
            return {node: lag for node, lag in said.items() if lag}

        with (
            steps.step("When pods start on every node, which Felix there must take over"),
            self._change(),
        ):
            after = wait.until(
                self._scraped,
                lambda now: now.keys() >= before.keys() and not late(now),
                timeout=self._settle,
            ).value
        errors = {
            node: felix_metrics.errors(before[node], now)
            for node, now in after.items()
            if node in before
        }
        return after, late(after), {node: found for node, found in errors.items() if found}

    def _scraped(self) -> Scraped:
        """The metrics of every node that answers, over whichever family does."""
        hosts = self._topology.hosts
        flows: list[Flow] = []
        refused: list[NotAsked] = []
        for family in Family:
            try:
                flows += scrapes(self._state.felix, hosts, family)
            except NotAsked as reason:
                refused.append(reason)
        if not flows:
            raise refused[-1]
        found: dict[str, Metrics] = {}
        for page in self._probe.fetch(flows, self._patience):
            metrics = Metrics.of(page.body) if page.observation.outcome.works else None
            if metrics is not None:
                found.setdefault(page.observation.flow.source.node, metrics)
        return found

    def _require(
        self,
        title: str,
        question: str,
        read: Mapping[str, object],
        wrong: Mapping[str, str],
        *,
        hosts: Sequence[Endpoint] = (),
        family: Family | None = None,
    ) -> None:
        """One cell per node and family: WRONG and why, UNKNOWN where it was not read."""
        seen: list[Observation] = []
        for host in hosts or self._topology.hosts:
            if host.node not in read:
                outcome, reason = Outcome.UNKNOWN, "Felix could not be asked there"
            else:
                reason = wrong.get(host.node, "")
                outcome = Outcome.WRONG if reason else Outcome.ALLOWED
            seen += [Observation(flow, outcome, reason) for flow in _cells(host, question, family)]
        asked = expecting_all(Matrix.of(title, seen, MatrixKind.FELIX), title)
        require(self._recorder, asked, f"Then {title} is as it must be")


def _cells(host: Endpoint, question: str, family: Family | None) -> list[Flow]:
    """The cells of a node: of a family, or of each that it has, for what concerns all of them."""
    if family is not None:
        address = host.address(family) or host.addresses[0]
        return [Flow(host, host, address, Protocol.TCP, None, QUESTION + question, family)]
    return [Flow(host, host, a, Protocol.TCP, None, QUESTION + question) for a in host.addresses]


def _counted(errors: Sequence[str]) -> str:
    """What is wrong where counters of errors rose, "" where none did."""
    return f"Felix counted errors: {'; '.join(errors)}" if errors else ""
