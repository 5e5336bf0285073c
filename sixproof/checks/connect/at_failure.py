"""At a failure: what nodes say at the moment at which a test finds cells wrong."""

from __future__ import annotations

import concurrent.futures
import time
from collections import Counter
from collections.abc import Callable, Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import IpSetsSeen
from sixproof.errors import ApiError, InfrastructureError, NotReady
from sixproof.model import Endpoint
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.nodes import reader
from sixproof.probes.nodes.examination import FailureReading, IpSetsReading
from sixproof.reporting.matrix.grid import CellState, state_of
from sixproof.reporting.results.matrix_record import Measured

MOST = 4
"""Failures of one process at which nodes are read; what stands longer is read at the end, too."""
SECONDS = 8.0
"""Seconds that one process may take for all of them, after which none is begun."""
NODES = 6
"""Nodes that are read at one failure, those with most wrong cells first."""
PATIENCE = 4.0
"""Seconds in which IP sets are read."""

Readers = Callable[[Sequence[str]], tuple[Endpoint, ...]]
"""Makes pods that may read the IP sets of these nodes; raises InfrastructureError."""


class FailureReader:
    """Reads nodes of a probe topology while what a test made still exists. `hosts` are agents in
    their host networks, `readers` None where IP sets must not be read; `note` takes what was read.
    """

    def __init__(
        self,
        agents: AgentClient,
        hosts: Sequence[Endpoint],
        readers: Readers | None,
        note: Callable[[FailureReading], None],
    ) -> None:
        self._agents = agents
        self._hosts = {host.node: host for host in hosts}
        self._readers = readers
        self._note = note
        self._people: dict[str, Endpoint] = {}
        self._left = MOST
        self._spent = 0.0

    def read(self, measured: Measured) -> None:
        """Read the nodes at which cells of a matrix are wrong, unless enough was read before. What
        cannot be read is left away: the test has its verdict."""
        nodes = self._nodes(measured)
        if not nodes or not self._left or self._spent > SECONDS:
            return
        self._left -= 1
        began = time.monotonic()
        facts = reader.read(self._agents, [self._hosts[node] for node in nodes], health=False)
        ip_sets = self._ip_sets(nodes, measured)
        seconds = time.monotonic() - began
        self._spent += seconds
        self._note(FailureReading(measured.test, facts, ip_sets, seconds))

    def _nodes(self, measured: Measured) -> list[str]:
        """Those at an end of wrong cells that were measured."""
        counts: Counter[str] = Counter()
        for wrong in measured.disagreements():
            if wrong.observation.outcome.measured:
                flow = wrong.observation.flow
                counts.update({flow.source.node, flow.destination.node} & self._hosts.keys())
        return [node for node, _ in counts.most_common(NODES)]

    def _ip_sets(self, nodes: Sequence[str], measured: Measured) -> list[IpSetsReading]:
        if self._readers is None or not _decided_by_policy(measured):
            return []
        if missing := [node for node in nodes if node not in self._people]:
            try:
                self._people |= {person.node: person for person in self._readers(missing)}
            except (ApiError, NotReady):
                self._readers = None  # not admitted: it is not tried again
                return []
        asked = {
            node: self._agents.ask(self._people[node], protocol.ReadIpSets(), IpSetsSeen, PATIENCE)
            for node in nodes
            if node in self._people
        }
        concurrent.futures.wait(asked.values(), PATIENCE + 1)
        return [
            IpSetsReading(node, seen.sets)
            for node, answer in asked.items()
            if (seen := _seen(answer)) and not seen.error
        ]


def _seen(answer: concurrent.futures.Future[IpSetsSeen]) -> IpSetsSeen | None:
    try:
        return answer.result(0)
    except (InfrastructureError, TimeoutError, concurrent.futures.TimeoutError):
        return None


def _decided_by_policy(measured: Measured) -> bool:
    """Whether a policy decides one of the wrong cells."""
    return any(
        wrong.expected.by_policy
        or state_of(wrong.observation.outcome, wrong.expected) is CellState.LEAK
        for wrong in measured.disagreements()
    )
