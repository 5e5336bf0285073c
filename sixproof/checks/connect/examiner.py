"""The examiner: reads what nodes say, sends failing flows again, and looks at what they moved."""

from __future__ import annotations

import concurrent.futures
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import FilterSeen
from sixproof.errors import ApiError, InfrastructureError, NotReady
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.wait import Deadline
from sixproof.kube.facts import components
from sixproof.kube.facts.components import ComponentPod
from sixproof.model import Endpoint, EndpointKind, Family, Flow, MatrixKind, Outcome, Timing
from sixproof.probes.connect.probe import AgentClient, ConnectProbe, ProbeOptions
from sixproof.probes.nodes import reader
from sixproof.probes.nodes.examination import Examination, FilterReading, NodeReading, PodHealth
from sixproof.probes.nodes.pod_health import AskedPods
from sixproof.reporting.results.results_json import Results
from sixproof.workloads.probe_pods.topology import ProbeTopology

SAMPLE = 24
"""Failing flows that are sent again."""
FEW = 2
"""Of them for one pair of nodes and one protocol of a family."""
SLACK = 2.0
"""Seconds that agents get on top of it."""
SUSPECTS = 4
"""Pods whose own facts are read."""
FURTHER = 6
"""Nodes beyond those covered whose facts are read, those with most wrong cells."""
PATIENCE = 10.0
"""Seconds in which a packet filter is read."""

SECONDS = 30.0
"""Seconds for everything at the end of a run; what was not read by then is missing."""
KEPT = 3.0
"""Of them, seconds that are kept for what nodes say themselves."""
LEAST = 0.5
"""Seconds without which nothing is asked."""
LATE = f"no time was left of {SECONDS:.0f} s"

Readers = Callable[[Sequence[str], float], tuple[Endpoint, ...]]
"""Makes pods that may read the packet filters of these nodes, in so many seconds; raises
InfrastructureError."""


class Examiner:
    """Examines the nodes of a probe topology by its agents."""

    def __init__(
        self,
        cluster: Cluster,
        agents: AgentClient,
        topology: ProbeTopology,
        silence: float = Timing().deny,
    ) -> None:
        """`silence` are the seconds that a failing flow gets which is sent again."""
        self._cluster = cluster
        self._silence = silence
        self._agents = agents
        self._topology = topology

    def first(self) -> list[NodeReading]:
        """What nodes say before the first test."""
        return reader.read(self._agents, self._topology.hosts)

    def last(
        self,
        results: Results,
        before: list[NodeReading],
        readers: Readers | None,
        cni_namespace: str = "",
        hurried: Callable[[], bool] = lambda: False,
        deadline: Deadline | None = None,
    ) -> Examination:
        """What they say after the last one, once failing flows were sent again. `readers` None
        leaves the packet filters unread. Once `hurried` is true, nothing that takes long is
        started, and once the API server was given up, nothing that goes through it, as streams to
        agents do. After the `deadline`, by default in SECONDS, nothing is waited for."""
        time_left = (deadline or Deadline(SECONDS)).left
        problems: list[str] = []
        pods, unread = components.pods(self._cluster, cni_namespace)
        settings, unseen = components.settings(self._cluster)
        own = components.of_run(self._cluster, self._topology.run.id)
        further = concerned(results, self._topology)
        nodes = (*self._topology.nodes, *(host.node for host in further))
        reading = () if hurried() else self._readers(readers, nodes, time_left(KEPT), problems)
        filters = self._filters(reading, time_left(KEPT))
        flows = () if hurried() or self._cluster.given_up else sample(results, self._topology)
        if flows and time_left(KEPT) < self._silence:
            problems.append(f"failing flows were not sent again: {LATE}")
            flows = ()
        still = self._again(flows, problems)
        suspects = suspected(results, self._topology)
        asked = self._asked(pods, time_left())
        hosts = (*self._topology.hosts, *further)
        after = self._facts((*hosts, *suspects), time_left())
        health = _answers(asked, problems)
        compared = _compared(filters, self._filters(reading, time_left()))
        if unseen_filters := {pod.node for pod in reading} - {f.node for f in compared}:
            named = ", ".join(sorted(unseen_filters))
            problems.append(f"packet filters were not read on {named}: no answer in time")
        if once := sorted(f.node for f in compared if f.once):
            named = ", ".join(once)
            problems.append(
                f"packet filters were read once on {named}: it is not known which counters moved"
            )
        return Examination(
            before=before,
            after=after[: len(hosts)],
            inside=after[len(hosts) :],
            filters=compared,
            pods=pods,
            strays=own.strays,
            ended=own.ended,
            settings=settings,
            resent=len(flows),
            still=still,
            problems=[*problems, *unread, *unseen, *own.problems],
            health=health,
        )

    def _readers(
        self,
        readers: Readers | None,
        nodes: Sequence[str],
        seconds: float,
        problems: list[str],
    ) -> tuple[Endpoint, ...]:
        if readers is None:
            problems.append("packet filters were not read: --six-raw off")
            return ()
        if seconds < LEAST:
            problems.append(f"packet filters were not read: {LATE}")
            return ()
        try:
            return readers(nodes, seconds)
        except (ApiError, NotReady) as error:
            problems.append(f"packet filters were not read: {str(error)[:300]}")
            return ()

    def _asked(self, pods: Sequence[ComponentPod], seconds: float) -> AskedPods | None:
        """The cluster's own pods, asked how they are while nodes report their facts; None where
        nothing is asked any more, which is said of the nodes."""
        if self._cluster.given_up or seconds < LEAST:
            return None
        return AskedPods(self._agents, self._topology.hosts, pods, seconds)

    def _facts(self, places: Sequence[Endpoint], seconds: float) -> list[NodeReading]:
        why = self._cluster.given_up or (LATE if seconds < LEAST else "")
        if why:
            return [reader.unread(place, f"not read: {why}") for place in places]
        return reader.read(self._agents, places, patience=min(reader.PATIENCE, seconds))

    def _filters(self, pods: Iterable[Endpoint], seconds: float) -> Mapping[str, FilterSeen]:
        if seconds < LEAST:
            return {}
        patience = min(PATIENCE, seconds)
        asked = {
            p.node: self._agents.ask(p, protocol.ReadFilter(), FilterSeen, patience) for p in pods
        }
        concurrent.futures.wait(asked.values(), patience)
        return {n: a.result() for n, a in asked.items() if a.done() and not a.exception()}

    def _again(self, flows: Sequence[Flow], problems: list[str]) -> int:
        """Send them; how many failed again."""
        if not flows:
            return 0
        try:
            options = ProbeOptions(timeout=self._silence)
            seen = ConnectProbe(self._agents, SLACK).measure(flows, options)
        except InfrastructureError as error:
            problems.append(f"failing flows were not sent again: {str(error)[:300]}")
            return 0
        return sum(not observation.outcome.works for observation in seen)


def sample(results: Results, topology: ProbeTopology) -> tuple[Flow, ...]:
    """Failing flows between pods and hosts of the topology that no policy decides: a few for each
    pair of nodes, protocol and family. An agent that did not answer is not waited for again."""
    known = {e.name: e for e in (*topology.every_pod, *topology.every_host)}
    chosen: dict[tuple[str, str, str, Family], list[Flow]] = {}
    for measured in results.unexcused():
        if measured.matrix.kind is not MatrixKind.FLOWS:
            continue
        for wrong in measured.disagreements():
            flow = wrong.observation.flow
            ends = (flow.source, flow.destination)
            ours = all(known.get(end.name) == end for end in ends)
            if not ours or not wrong.observation.outcome.measured:
                continue
            if wrong.expected.outcomes != {Outcome.ALLOWED} or wrong.expected.by_policy:
                continue
            key = (flow.source.node, flow.destination.node, flow.protocol.value, flow.family)
            row = chosen.setdefault(key, [])
            if len(row) < FEW and flow not in row:
                row.append(flow)
    return tuple(flow for row in chosen.values() for flow in row)[:SAMPLE]


def concerned(results: Results, topology: ProbeTopology) -> tuple[Endpoint, ...]:
    """The host-network agents of further nodes that most wrong cells have at an end."""
    beyond = {host.node: host for host in topology.further_hosts}
    counts: Counter[str] = Counter()
    for measured in results.unexcused() if beyond else ():
        for wrong in measured.disagreements():
            flow = wrong.observation.flow
            counts.update({flow.source.node, flow.destination.node} & beyond.keys())
    return tuple(beyond[node] for node, _ in counts.most_common(FURTHER))


def suspected(results: Results, topology: ProbeTopology) -> tuple[Endpoint, ...]:
    """The run's pods that most wrong cells have as an end, those of its policy namespaces too, or
    that failed tests without cells are about: only the pod itself can report what is wrong in it.
    """
    prefix, own = topology.run.namespace(""), frozenset(topology.every_pod)
    known: dict[str, Endpoint] = {}
    counts: Counter[str] = Counter()
    for measured in results.unexcused():
        for wrong in measured.disagreements():
            flow = wrong.observation.flow
            for end in {flow.source, flow.destination}:
                ours = end.namespace.startswith(prefix) or end in own
                if ours and end.kind is EndpointKind.POD:
                    known.setdefault(reader.name(end), end)
                    counts[reader.name(end)] += 1
    about = {s.place for case in results.cases if case.outcome.bad for s in case.subjects}
    for pod in topology.every_pod:
        if pod.subject().place in about:
            known.setdefault(reader.name(pod), pod)
            counts[reader.name(pod)] += 1
    return tuple(known[name] for name, _ in counts.most_common(SUSPECTS))


def _answers(asked: AskedPods | None, problems: list[str]) -> list[PodHealth]:
    """What the cluster's own pods said of themselves."""
    if asked is None:
        return []
    health, unread = asked.answers()
    problems += [
        f"the health of CoreDNS pods was not read on {n}: {why}" for n, why in unread.items()
    ]
    return health


def _compared(
    before: Mapping[str, FilterSeen], after: Mapping[str, FilterSeen]
) -> list[FilterReading]:
    found = []
    for node in {**before, **after}:
        first, last = before.get(node), after.get(node)
        one = first or last
        if one is not None:
            found.append(FilterReading(node, first or one, last or one, not (first and last)))
    return found
