"""At a failure: what nodes say at the moment at which a test finds cells wrong."""

from __future__ import annotations

import concurrent.futures
import time
from collections import Counter
from collections.abc import Callable, Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import IpSetsSeen
from sixproof.errors import ApiError, InfrastructureError
from sixproof.kube.api.wait import Deadline
from sixproof.model import Endpoint, EndpointKind
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.nodes import reader
from sixproof.probes.nodes.examination import FailureReading, IpSetsReading
from sixproof.reporting.matrix.grid import CellState, state_of
from sixproof.reporting.results.matrices.measured import Measured

MOST = 4
"""Tests of one process at whose failure nodes are read; what lasts is read at the end, too."""
SECONDS = 8.0
"""Seconds that one process takes for all of them."""
LEAST = 1.0
"""Seconds that must be left for another one."""
NODES = 6
"""Nodes that are read at one failure, those with most wrong cells first."""
PODS = 4
"""Pods that are read at one failure, in the same way."""
ADDRESSES = 200
"""Addresses of pods that are looked up in IP sets."""
REFUSED = (403, 422)
"""What an API server answers where the account or an admission rule does not permit the pods."""

SetPods = Callable[[Sequence[str], float], tuple[Endpoint, ...]]
"""Makes pods that may read the IP sets of these nodes, in so many seconds."""


class FailureReader:
    """Reads nodes of a probe topology while what a test made still exists. `hosts` are agents in
    their host networks, `set_pods` None where IP sets must not be read; `note` takes what was read.
    """

    def __init__(
        self,
        agents: AgentClient,
        hosts: Sequence[Endpoint],
        set_pods: SetPods | None,
        note: Callable[[FailureReading], None],
    ) -> None:
        self._agents = agents
        self._hosts = {host.node: host for host in hosts}
        self._set_pods = set_pods
        self._note = note
        self._pods: dict[str, Endpoint] = {}
        self._tests: set[str] = set()
        self._left = SECONDS

    def read(self, measured: Measured) -> None:
        """Read the nodes at which cells of a matrix are wrong, once a test, unless enough was read
        before. Whatever happens, the test has its verdict: what could not be read is a problem of
        the reading."""
        nodes = self._nodes(measured)
        enough = len(self._tests) >= MOST or self._left < LEAST
        if not nodes or enough or measured.test in self._tests:
            return
        self._tests.add(measured.test)
        began = time.monotonic()
        deadline = Deadline(self._left)
        hosts = [self._hosts[node] for node in nodes]
        problems: list[str] = []
        pods = self._suspects(measured)
        patience = min(reader.PATIENCE, self._left - LEAST / 2)
        facts = reader.read(self._agents, [*hosts, *pods], health=False, patience=patience)
        asked = _addresses(measured)
        sets: list[IpSetsReading] = []
        if self._set_pods is not None and asked:
            try:
                sets = self._ip_sets(nodes, asked, deadline, problems)
            except Exception as error:
                problems.append(f"IP sets were not read: {type(error).__name__}: {error}"[:300])
        seconds = time.monotonic() - began
        self._left -= seconds
        of_nodes, inside = facts[: len(hosts)], facts[len(hosts) :]
        self._note(FailureReading(measured.test, of_nodes, sets, asked, seconds, problems, inside))

    def _nodes(self, measured: Measured) -> list[str]:
        """Those at an end of wrong cells that were measured."""
        counts: Counter[str] = Counter()
        for wrong in measured.disagreements():
            if wrong.observation.outcome.measured:
                flow = wrong.observation.flow
                counts.update({flow.source.node, flow.destination.node} & self._hosts.keys())
        return [node for node, _ in counts.most_common(NODES)]

    def _suspects(self, measured: Measured) -> list[Endpoint]:
        """The pods with an agent that most wrong cells have as an end: a test removes those that it
        made before the run's end."""
        counts: Counter[Endpoint] = Counter()
        for wrong in measured.disagreements():
            if wrong.observation.outcome.measured:
                ends = {wrong.observation.flow.source, wrong.observation.flow.destination}
                counts.update(
                    end for end in ends if end.kind is EndpointKind.POD and self._agents.has(end)
                )
        return [pod for pod, _ in counts.most_common(PODS)]

    def _ip_sets(
        self, nodes: Sequence[str], asked: list[str], deadline: Deadline, problems: list[str]
    ) -> list[IpSetsReading]:
        self._make(nodes, deadline, problems)
        patience = deadline.left()
        request = protocol.ReadIpSets(asked)
        answers = {
            node: self._agents.ask(self._pods[node], request, IpSetsSeen, patience)
            for node in nodes
            if node in self._pods and patience
        }
        concurrent.futures.wait(answers.values(), patience)
        found: list[IpSetsReading] = []
        for node, answer in answers.items():
            try:
                seen = answer.result(0)
            except (InfrastructureError, concurrent.futures.TimeoutError) as error:
                why = str(error) or "no answer in time"
                problems.append(f"IP sets of {node} were not read: {why}"[:300])
                continue
            if seen.error:
                problems.append(f"IP sets of {node} were not read: {seen.error}"[:300])
            else:
                found.append(IpSetsReading(node, seen.sets, seen.cut))
        return found

    def _make(self, nodes: Sequence[str], deadline: Deadline, problems: list[str]) -> None:
        """Pods on those of the nodes that have none yet; where they are refused, it is not tried
        again."""
        missing = [node for node in nodes if node not in self._pods]
        if self._set_pods is None or not missing:
            return
        try:
            made = self._set_pods(missing, deadline.left())
        except ApiError as error:
            if error.status in REFUSED:
                self._set_pods = None
            problems.append(f"IP sets were not read: {error}"[:300])
            return
        self._pods |= {pod.node: pod for pod in made}


def _addresses(measured: Measured) -> list[str]:
    """The addresses of pods at the ends of wrong cells that a policy decides."""
    found: dict[str, None] = {}
    for wrong in measured.disagreements():
        leak = state_of(wrong.observation.outcome, wrong.expected) is CellState.LEAK
        if wrong.expected.by_policy or leak:
            flow = wrong.observation.flow
            for end in (flow.source, flow.destination):
                if end.kind is EndpointKind.POD:
                    found.update((str(address), None) for address in end.addresses)
    return list(found)[:ADDRESSES]
