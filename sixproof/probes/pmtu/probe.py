"""The path MTU probe: full-size packets, bulk and routes of every pair, with what kernels counted.

Restricted tier: plain sockets, /proc and an unprivileged netlink socket. Caches of the kernel
cannot be flushed without a privilege; to measure a path that was never used, take new pods.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.errors import InfrastructureError
from sixproof.model import Endpoint, Flow, Protocol
from sixproof.probes.connect.payload import NONCE, new_nonce
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.probes.pmtu.chance import LostDatagram, lost_by_chance
from sixproof.probes.pmtu.path import Overhead, PathTopology, path
from sixproof.probes.pmtu.path_run import PathResult, PathRun
from sixproof.probes.pmtu.topology import TopologyReader, forgotten, hops_of, learnt, moved, path_of

SMALL = 256
"""Bytes of a packet that passes every link of IP: what a black hole lets through."""
BEYOND_FRAGMENTS = 3000
"""Bytes of a datagram that no Ethernet carries in one piece."""
BULK = 300_000
"""Bytes each way: enough that TCP leaves its first window behind."""
TRIES = 3
"""How often a pair is measured whose path changes meanwhile."""
CHANCES = 3
"""How often a datagram that was lost by chance is sent again: what is too large is lost each time,
and what takes one datagram on a busy machine may take the next one, too."""
IN_TIME, STANDSTILL = 2.0, 1.0
"""Seconds that bulk may take, and that it may stall."""


class PathProbe:
    """Measures pairs of endpoints that have agents."""

    def __init__(
        self,
        agents: AgentClient,
        patience: float,
        tcp_timeout: float,
        tunnels: Mapping[str, Overhead] | None = None,
    ) -> None:
        self._agents = agents
        self._topology = TopologyReader(agents, tunnels or {})
        self._patience = patience
        self._tcp_timeout = tcp_timeout

    def explore(self, flows: Sequence[Flow], *, hosts: Iterable[Endpoint] = ()) -> PathRun:
        """Measure these UDP flows' pairs; TCP goes to the same port.

        In this order: routes and interfaces; full size at the first try; the plain socket's
        pattern; small and one byte too many; fragments; bulk over TCP; the routes again. A pair
        whose path changed meanwhile (Felix reprograms its routes when an interface's MTU changes)
        is measured again: the packets may not have taken the path that was read.

        Raises:
            InfrastructureError: an agent could not measure, or a path changed in every attempt.
        """
        nodes = {h.node: h for h in hosts}
        endpoints = {e.name: e for f in flows for e in (f.source, f.destination)}
        endpoints |= {h.name: h for h in nodes.values()}
        began = known = self._topology.read(endpoints, flows, nodes)
        found: dict[Flow, PathResult] = {}
        waiting: Sequence[Flow] = flows
        for _ in range(TRIES):
            measured = self._measure(waiting, known)
            seen = self._topology.read(endpoints, waiting, nodes)
            for p in measured:
                found[p.flow] = dataclasses.replace(p, learnt=learnt(p.flow, seen))
            before, known = known, forgotten(seen, known)
            waiting = [f for f in waiting if hops_of(f, before) != hops_of(f, known)]
            if not waiting:
                counted = moved(began.inspected, seen.inspected)
                return PathRun(tuple(found[f] for f in flows), seen.inspected, nodes, counted)
        was, now = (path_of(waiting[0], topology) for topology in (before, known))
        raise InfrastructureError(
            f"{waiting[0]}: not measured: its path changed {TRIES} times while packets were "
            f"sent, last from {was} to {now}"
        )

    def _measure(self, flows: Sequence[Flow], known: PathTopology) -> list[PathResult]:
        """What happened to packets on these flows; what kernels learnt is not filled in yet."""
        paths = [path_of(f, known) for f in flows]
        back = [path(f.destination, f.source, f.family, known).promised for f in flows]
        full = [p.promised or 1280 for p in paths]
        own = [p.hops[0].mtu if p.hops else size for p, size in zip(paths, full, strict=True)]
        first, _ = self._send(flows, [[size] for size in full])
        pattern, stalled = self._send(flows, [[size] * 4 for size in own], fragment=True)
        later, _ = self._send(flows, [[SMALL, size + 1] for size in full])
        fragments, _ = self._send(flows, [[BEYOND_FRAGMENTS]] * len(flows), fragment=True)
        lost = self._again(flows, lost_by_chance(flows, first, pattern, later, fragments))
        bulk, lags = self._transfer_in_time(flows)
        return [
            PathResult(
                f,
                p,
                a[0],
                c[0],
                c[1],
                tuple(b),
                d[0],
                e,
                lag=lag,
                back=r,
                lost=tuple(lost[i]),
                stalled=i in stalled,
            )
            for i, (f, p, a, b, c, d, e, lag, r) in enumerate(
                zip(flows, paths, first, pattern, later, fragments, bulk, lags, back, strict=True)
            )
        ]

    def _again(self, flows: Sequence[Flow], lost: Sequence[LostDatagram]) -> dict[int, list[int]]:
        """Send these again, as often as `CHANCES` says; what passes takes the place of what was
        lost. Returns the sizes of those, by the flow's index."""
        found: dict[int, list[int]] = defaultdict(list)
        for fragment in (False, True):
            some = [one for one in lost if one.fragment is fragment]
            for _ in range(CHANCES):
                if not some:
                    break
                rows = [flows[one.flow] for one in some], [[one.sent.size] for one in some]
                sent, _ = self._send(*rows, fragment=fragment)
                for one, (again,) in zip(some, sent, strict=True):
                    if again.event == Event.ECHOED:
                        one.row[one.index] = again
                        found[one.flow].append(again.size)
                some = [one for one in some if one.sent.event != Event.ECHOED]
        return found

    def _send(
        self, flows: Sequence[Flow], sizes: Sequence[Sequence[int]], *, fragment: bool = False
    ) -> tuple[list[list[protocol.Sized]], frozenset[int]]:
        """Datagrams of these sizes on every flow. Where an agent was too busy to see an answer they
        are sent once more, with twice the wait: what passes then was not lost on the path. What was
        answered the first time stands: the kernel reports a packet as too big once. Returns the
        indices of the flows of such agents, too.

        Raises:
            InfrastructureError: an agent could not send, or was too busy again.
        """
        found, doubtful = self._sent(flows, sizes, self._patience, fragment)
        if doubtful:
            rows = [flows[i] for i in doubtful], [sizes[i] for i in doubtful]
            later, still = self._sent(*rows, 2 * self._patience, fragment)
            if still:
                flow = rows[0][next(iter(still))]
                raise InfrastructureError(f"{flow}: not measured: {next(iter(still.values()))}")
            for i, sends in zip(doubtful, later, strict=True):
                found[i] = [
                    again if one.event == Event.SILENT else one
                    for one, again in zip(found[i], sends, strict=True)
                ]
        return found, frozenset(doubtful)

    def _sent(
        self,
        flows: Sequence[Flow],
        sizes: Sequence[Sequence[int]],
        patience: float,
        fragment: bool,
    ) -> tuple[list[list[protocol.Sized]], dict[int, str]]:
        """What happened to them, and by index those that were not measured, and why."""
        specs = [
            protocol.SizedSpec(
                address=str(flow.address),
                port=flow.port or 0,
                nonce=secrets.token_hex(NONCE // 2 - 1),
                sizes=list(row),
                patience=patience,
                fragment=fragment,
            )
            for flow, row in zip(flows, sizes, strict=True)
        ]
        longest = max((len(row) for row in sizes), default=0) * patience
        futures: dict[str, concurrent.futures.Future[protocol.SentSized]] = {}
        rows = _rows(flows)
        for name, indices in rows.items():
            request = protocol.SendSized([specs[i] for i in indices])
            futures[name] = self._agents.ask(
                flows[indices[0]].source, request, protocol.SentSized, longest + SLACK
            )
        found: dict[int, list[protocol.Sized]] = {}
        doubtful: dict[int, str] = {}
        for name, indices in rows.items():
            answer = futures[name].result()
            for index, seen in zip(indices, answer.seen, strict=True):
                for one in seen.sends:
                    if one.event == Event.FAILED:
                        said = f"{one.size} bytes not measured: {one.error}"
                        raise InfrastructureError(f"{flows[index]}: {said}")
                    if one.event == Event.SILENT and answer.lag > patience / 2:
                        doubtful[index] = f"an agent stalled for {answer.lag:.1f} s"
                found[index] = seen.sends
        return [found[i] for i in range(len(flows))], dict(sorted(doubtful.items()))

    def _transfer_in_time(self, flows: Sequence[Flow]) -> tuple[list[protocol.Bulk], list[float]]:
        """What was carried, but slowly, is sent once more: a busy machine stalls it once, a path
        that loses large packets does so every time."""
        bulk, lags = self._transfer(flows)
        slow = [i for i, (b, lag) in enumerate(zip(bulk, lags, strict=True)) if tardy(b, lag)]
        if slow:
            again, later = self._transfer([flows[i] for i in slow])
            for i, one, lag in zip(slow, again, later, strict=True):
                bulk[i], lags[i] = one, lag
        return bulk, lags

    def _transfer(self, flows: Sequence[Flow]) -> tuple[list[protocol.Bulk], list[float]]:
        rows = _rows(flows)
        futures = {}
        for name, indices in rows.items():
            specs = [self._bulk_spec(flows[i]) for i in indices]
            futures[name] = self._agents.ask(
                flows[indices[0]].source,
                protocol.Transfer(specs),
                protocol.Transferred,
                self._tcp_timeout + SLACK,
            )
        found: dict[int, tuple[protocol.Bulk, float]] = {}
        for name, indices in rows.items():
            answer = futures[name].result()
            for index, result in zip(indices, answer.results, strict=True):
                if result.event == Event.FAILED:
                    raise InfrastructureError(f"{flows[index]}: not measured: {result.detail}")
                found[index] = result, answer.lag
        return [found[i][0] for i in range(len(flows))], [found[i][1] for i in range(len(flows))]

    def _bulk_spec(self, flow: Flow) -> protocol.FlowSpec:
        return protocol.FlowSpec(
            protocol=Protocol.TCP.value.lower(),
            address=str(flow.address),
            port=flow.port or 0,
            nonce=new_nonce(),
            timeout=self._tcp_timeout,
            upload=BULK,
            download=BULK,
        )


def tardy(bulk: protocol.Bulk, lag: float) -> bool:
    """Whether bulk was carried, but not in time; the agent's own delay, seconds, is taken off."""
    late = bulk.elapsed - lag >= IN_TIME or bulk.stall - lag >= STANDSTILL
    return bulk.event == Event.ECHOED and late


def _rows(flows: Sequence[Flow]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for index, flow in enumerate(flows):
        rows[flow.source.name].append(index)
    return rows
