"""Asks the cluster's own pods how they are, each from its own node, as the kubelet's probes do: no
path across nodes decides what comes."""

from __future__ import annotations

import concurrent.futures
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sixproof.agent import protocol
from sixproof.errors import InfrastructureError
from sixproof.kube.api import json_fields
from sixproof.kube.facts.components import ComponentPod, HealthCheck
from sixproof.model import Endpoint
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.nodes.examination import PodHealth

PATIENCE = 4.0
"""Seconds that a node's agent gets; it gives each pod two of them, side by side."""
_LONGEST = 200
"""Characters of an answer that are kept."""

_Question = tuple[ComponentPod, str, HealthCheck]


class AskedPods:
    """Pods that are being asked: `answers` has what they said."""

    def __init__(
        self,
        agents: AgentClient,
        hosts: Sequence[Endpoint],
        pods: Iterable[ComponentPod],
        patience: float = PATIENCE,
    ) -> None:
        by_node: dict[str, list[_Question]] = defaultdict(list)
        for pod in pods:
            by_node[pod.node] += [(pod, a, c) for a in pod.addresses if a for c in pod.checks]
        self._patience = min(patience, PATIENCE)
        self._asked = {
            host.node: (by_node[host.node], self._ask(agents, host, by_node[host.node]))
            for host in hosts
            if by_node.get(host.node)
        }

    def _ask(
        self, agents: AgentClient, host: Endpoint, questions: Iterable[_Question]
    ) -> concurrent.futures.Future[protocol.ServersAsked]:
        servers = [
            protocol.ServerAsked(address, check.port, check.path.removeprefix("/"))
            for _, address, check in questions
        ]
        request = protocol.AskServers(servers)
        return agents.ask(host, request, protocol.ServersAsked, self._patience)

    def answers(self) -> tuple[list[PodHealth], Mapping[str, str]]:
        """What they said, and of nodes whose agent did not report it the reason."""
        asked = [future for _, future in self._asked.values()]
        concurrent.futures.wait(asked, self._patience)
        found: list[PodHealth] = []
        unread: dict[str, str] = {}
        for node, (questions, future) in self._asked.items():
            if not future.done():
                unread[node] = f"no answer within {self._patience:.0f} s"
                continue
            try:
                answers = future.result().answers
            except InfrastructureError as error:
                unread[node] = json_fields.one_line(error)
            else:
                found += (_health(*pair) for pair in zip(questions, answers, strict=False))
        return found, unread


def _health(question: _Question, answer: protocol.HealthSeen) -> PodHealth:
    pod, address, check = question
    body = json_fields.one_line(answer.body, _LONGEST) if answer.body else ""
    return PodHealth(
        pod.namespace, pod.name, pod.node, address, check, answer.status, body, answer.error
    )
