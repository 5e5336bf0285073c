"""The connect probe: whole rows of flows at once, each judged from both sides."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol as Seam
from typing import TypeVar

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.errors import AgentError, InfrastructureError
from sixproof.model import ATTEMPTS, Endpoint, Family, Flow, Observation, Outcome, Protocol
from sixproof.probes.connect import verdict
from sixproof.probes.connect.payload import new_nonce
from sixproof.probes.connect.verdict import ServerEvidence

A = TypeVar("A")

SLACK = 10.0
"""Seconds that an agent gets on top of the longest flow before its answer counts as lost."""

Witnesses = Mapping[str, Sequence[Endpoint]]
"""For a destination's name, the endpoints whose agents can answer for it (a service's backends)."""


class AgentClient(Seam):
    """What can send a request to an endpoint's agent."""

    def has(self, endpoint: Endpoint) -> bool: ...

    def ask(
        self, endpoint: Endpoint, request: object, answer: type[A], timeout: float
    ) -> concurrent.futures.Future[A]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeOptions:
    """What a flow carries and how long it may take: bytes each way, seconds, datagram attempts.

    `source_port` 0 takes a fresh port for every flow. A `foreign` server (TCP) is no agent;
    with `connect_only` nothing is sent to it, and that it accepts is its answer.
    On a `closed` port nothing is meant to listen, and a refusal is what must come. Without
    `handshakes` servers are not asked for those that hang: cheaper, and what would be REPLY_LOST
    by them alone is DROPPED. TCP connections are held open for `hold` of the `timeout` seconds
    before the last byte is sent.
    """

    timeout: float = 3.0
    upload: int = 0
    download: int = 0
    attempts: int = ATTEMPTS
    dont_fragment: bool = False
    source_port: int = 0
    foreign: bool = False
    closed: bool = False
    handshakes: bool = True
    hold: float = 0.0
    connect_only: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Trial:
    flow: Flow
    spec: protocol.FlowSpec
    result: protocol.FlowResult
    lag: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Statement:
    """One witness's answer; `error` says why there is none, or why it is not the whole story."""

    found: protocol.EvidenceFound | None
    error: str = ""


class ConnectProbe:
    """Measures flows over TCP, UDP and ICMP echo."""

    def __init__(self, agents: AgentClient, slack: float = SLACK) -> None:
        self._agents = agents
        self._slack = slack

    def measure(
        self,
        flows: Sequence[Flow],
        options: ProbeOptions | None = None,
        witnesses: Witnesses | None = None,
        nonces: Sequence[str] = (),
    ) -> tuple[Observation, ...]:
        """One observation per flow, in the order given.

        All sources work at once, all silences wait together; then each server that left a flow
        unanswered is asked, once, for its side. `nonces`, one per flow, are for callers that ask
        meanwhile which of them have arrived; otherwise they are made here.
        """
        options = options or ProbeOptions()
        witnesses = witnesses or {}
        seen: dict[int, Observation] = {}
        trials: dict[int, _Trial] = {}
        began = time.monotonic()
        for index, trial in self._try(flows, options, nonces).items():
            if isinstance(trial, _Trial):
                trials[index] = trial
            else:
                seen[index] = trial
        doubtful = [t for t in trials.values() if t.result.event != Event.ECHOED]
        statements = self._question(doubtful, witnesses, began, options.handshakes)
        for index, trial in trials.items():
            present = self._witnesses(trial.flow, witnesses)
            server_evidence = _server_evidence(trial, present, statements, options.closed)
            names = frozenset(w.pod for w in present if w.pod)
            seen[index] = verdict.observe(
                trial.flow, trial.spec, trial.result, server_evidence, trial.lag, names
            )
        limited = Counter(_speaker(t.flow) for t in trials.values() if t.result.icmp is not None)
        return tuple(_with_hint(seen[i], limited) for i in range(len(flows)))

    def measure_again(
        self,
        flows: Sequence[Flow],
        options: ProbeOptions | None = None,
        witnesses: Witnesses | None = None,
    ) -> tuple[Observation, ...]:
        """The same; flows that an agent was too busy to measure are tried once more, for twice as
        long. What was measured is kept."""
        options = options or ProbeOptions()
        seen = list(self.measure(flows, options, witnesses))
        if again := [i for i, one in enumerate(seen) if one.stalled]:
            longer = dataclasses.replace(options, timeout=2 * options.timeout)
            later = self.measure([flows[i] for i in again], longer, witnesses)
            for i, one in zip(again, later, strict=True):
                seen[i] = one
        return tuple(seen)

    def have_arrived(self, flows: Sequence[Flow], nonces: Sequence[str]) -> bool:
        """Whether every flow that is being measured with these nonces has reached its server: of a
        TCP connection whose last byte is held back, whether it is open.

        Raises:
            InfrastructureError: a server's agent could not be asked.
        """
        wanted: dict[str, list[str]] = defaultdict(list)
        for flow, nonce in zip(flows, nonces, strict=True):
            wanted[flow.destination.name].append(nonce)
        servers = {flow.destination.name: flow.destination for flow in flows}
        asked = [
            self._agents.ask(
                server,
                protocol.Evidence(wanted[name], [], handshakes=False),
                protocol.EvidenceFound,
                self._slack,
            )
            for name, server in servers.items()
        ]
        seen = {arrival.nonce for answer in asked for arrival in answer.result().arrivals}
        return seen >= set(nonces)

    def _try(
        self, flows: Sequence[Flow], options: ProbeOptions, nonces: Sequence[str]
    ) -> dict[int, _Trial | Observation]:
        nonces = nonces or [new_nonce() for _ in flows]
        rows: dict[str, list[int]] = defaultdict(list)
        for index, flow in enumerate(flows):
            rows[flow.source.name].append(index)
        asked = {
            name: self._ask_row([flows[i] for i in indices], options, [nonces[i] for i in indices])
            for name, indices in rows.items()
        }
        outcome: dict[int, _Trial | Observation] = {}
        for name, indices in rows.items():
            specs, future = asked[name]
            try:
                answer = future.result()
                _check(specs, answer)
            except InfrastructureError as error:
                outcome |= {i: verdict.unmeasured(flows[i], str(error)) for i in indices}
                continue
            for i, spec, result in zip(indices, specs, answer.results, strict=True):
                outcome[i] = _Trial(flows[i], spec, result, answer.lag)
        return outcome

    def _ask_row(
        self, flows: Sequence[Flow], options: ProbeOptions, nonces: Sequence[str]
    ) -> tuple[list[protocol.FlowSpec], concurrent.futures.Future[protocol.Probed]]:
        specs = [_spec(flow, options, n) for flow, n in zip(flows, nonces, strict=True)]
        request = protocol.Probe(flows=specs)
        timeout = options.timeout + self._slack
        return specs, self._agents.ask(flows[0].source, request, protocol.Probed, timeout)

    def _witnesses(self, flow: Flow, witnesses: Witnesses) -> list[Endpoint]:
        named = witnesses.get(flow.destination.name, (flow.destination,))
        return [w for w in named if self._agents.has(w)]

    def _question(
        self, trials: Sequence[_Trial], witnesses: Witnesses, began: float, handshakes: bool
    ) -> dict[str, _Statement]:
        """Ask every witness of these trials at once for arrivals and for its own control.

        `began` is when the flows did, by this process's monotonic clock.
        """
        window = time.monotonic() - began
        nonces: dict[str, list[str]] = defaultdict(list)
        controls: dict[str, dict[protocol.Control, None]] = defaultdict(dict)
        endpoints: dict[str, Endpoint] = {}
        for trial in trials:
            for witness in self._witnesses(trial.flow, witnesses):
                endpoints[witness.name] = witness
                nonces[witness.name].append(trial.spec.nonce)
                if control := _control(trial.flow, witness):
                    controls[witness.name][control] = None
        futures = {
            name: _stamped(
                self._agents.ask(
                    endpoint,
                    protocol.Evidence(nonces[name], list(controls[name]), window, handshakes),
                    protocol.EvidenceFound,
                    self._slack,
                )
            )
            for name, endpoint in endpoints.items()
        }
        return {name: _statement(name, future, began) for name, future in futures.items()}


def _speaker(flow: Flow) -> tuple[str, Family]:
    """The endpoint that ICMP errors about a flow are sent to."""
    return flow.source.name, flow.family


def _with_hint(seen: Observation, limited: Mapping[tuple[str, Family], int]) -> Observation:
    """A silence beside ICMP errors may be one that the kernel's limit held back.

    Linux sends a destination six at once, then one a second (icmp_ratelimit, RFC 4443 section
    2.4 (f)): of many rejected flows most look dropped.
    """
    count = limited.get(_speaker(seen.flow), 0)
    if seen.outcome is not Outcome.DROPPED or not count:
        return seen
    hint = f"{count} other flows of this source met ICMP errors, which kernels send sparingly"
    return dataclasses.replace(seen, reason=f"{seen.reason}; {hint}")


def _check(specs: Sequence[protocol.FlowSpec], answer: protocol.Probed) -> None:
    if [s.nonce for s in specs] != [r.nonce for r in answer.results]:
        raise AgentError(f"{len(specs)} flows asked, {len(answer.results)} others answered")


_Stamped = tuple[protocol.EvidenceFound, float]


def _stamped(
    source: concurrent.futures.Future[protocol.EvidenceFound],
) -> concurrent.futures.Future[_Stamped]:
    """The evidence, and the moment at which it came."""
    target: concurrent.futures.Future[_Stamped] = concurrent.futures.Future()

    def came(future: concurrent.futures.Future[protocol.EvidenceFound]) -> None:
        if error := future.exception():
            target.set_exception(error)
        else:
            target.set_result((future.result(), time.monotonic()))

    source.add_done_callback(came)
    return target


def _statement(name: str, future: concurrent.futures.Future[_Stamped], began: float) -> _Statement:
    """A witness younger than the flows lost the log of what arrived before."""
    try:
        found, at = future.result()
    except InfrastructureError as error:
        return _Statement(None, str(error))
    if found.uptime < at - began:
        ages = f"started {found.uptime:.1f} s ago, the flows {at - began:.1f} s ago"
        return _Statement(found, f"{name}: the agent {ages}")
    return _Statement(found)


def _spec(flow: Flow, options: ProbeOptions, nonce: str) -> protocol.FlowSpec:
    return protocol.FlowSpec(
        protocol=flow.protocol.value.lower(),
        address=str(flow.address),
        port=flow.port or 0,
        nonce=nonce,
        timeout=options.timeout,
        upload=options.upload,
        download=options.download,
        attempts=options.attempts,
        source_port=options.source_port,
        dont_fragment=options.dont_fragment,
        foreign=options.foreign,
        hold=options.hold,
        connect_only=options.connect_only,
    )


def _control(flow: Flow, witness: Endpoint) -> protocol.Control | None:
    """The question by which a server proves that it would have answered.

    Only for a flow that dials the witness itself: behind a service the port may differ.
    """
    address = witness.address(flow.family)
    if flow.protocol is Protocol.ICMP or flow.port is None or address != flow.address:
        return None
    return protocol.Control(flow.protocol.value.lower(), str(address), flow.port)


def _server_evidence(
    trial: _Trial,
    witnesses: Sequence[Endpoint],
    statements: Mapping[str, _Statement],
    closed: bool = False,
) -> ServerEvidence:
    if trial.result.event == Event.ECHOED or not witnesses:
        return ServerEvidence()
    given = [statements[w.name] for w in witnesses]
    found = [s.found for s in given if s.found is not None]
    errors = [s.error for s in given if s.error]
    nonce, result = trial.spec.nonce, trial.result
    controls = [
        c
        for f in found
        for c in f.controls
        if (c.protocol, c.address, c.port)
        == (trial.spec.protocol, trial.spec.address, trial.spec.port)
    ]
    icmp = trial.flow.protocol is Protocol.ICMP
    arrivals = [a for f in found for a in f.arrivals if a.nonce == nonce]
    arrived = bool(arrivals)
    return ServerEvidence(
        arrived=None if icmp or (errors and not arrived) else arrived,
        half_open=not icmp
        and any(
            (h.peer, h.peer_port) == (result.local, result.local_port)
            for f in found
            for h in f.half_open
        ),
        control=any(c.answered for c in controls) if controls else None,
        control_refused=any(c.event == Event.RESET for c in controls),
        control_failure="; ".join(c.failure for c in controls if c.failure),
        silent_because="" if arrived else "; ".join(errors),
        untold=() if arrived else tuple(w.name for w in witnesses if statements[w.name].error),
        lag=max((f.lag for f in found), default=0.0),
        closed=closed,
        peer=arrivals[0].peer if arrivals else "",
    )
