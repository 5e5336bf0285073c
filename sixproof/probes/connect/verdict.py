"""From what both sides saw to an outcome. Pure, and the one place where events become outcomes.

The rules are design contracts 2 and 3: a denial is silence at the client, no arrival at the server
and a server that answers its own control in the same window. What cannot be decided is UNKNOWN.
"""

from __future__ import annotations

import dataclasses
import ipaddress

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.model import (
    EndpointKind,
    Flow,
    IcmpError,
    IPAddress,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.probes.connect.icmp import icmp_error
from sixproof.probes.nodes import fib

CONTROL_FAILED = "the server fails its own control"
"""What a reason begins with where a server could not be reached by itself either."""
STALL_SHARE = 0.5
"""A silence counts only if the agents' event loops were never late by this share of the wait."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerEvidence:
    """What the server's side says of one flow.

    `arrived` and `control` are None where no agent could be asked: then `silent_because` says
    whether there is none by nature (empty) or it could not be reached (its error). How controls
    failed is in words in `control_failure`, and `control_refused` where a reset came. `untold` are
    the names of those that could not be asked. `closed` says that nothing is meant to listen: then
    that is as it must be. `peer` is the address from which the flow arrived, "" where it did not,
    or where that is not known.
    """

    arrived: bool | None = None
    half_open: bool = False
    control: bool | None = None
    control_refused: bool = False
    control_failure: str = ""
    silent_because: str = ""
    untold: tuple[str, ...] = ()
    lag: float = 0.0
    closed: bool = False
    peer: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class FlowVerdict:
    """An outcome and its reason; `stalled`: seconds for which an agent was too busy to measure."""

    outcome: Outcome
    reason: str
    stalled: float = 0.0


def observe(
    flow: Flow,
    spec: protocol.FlowSpec,
    result: protocol.FlowResult,
    server_evidence: ServerEvidence,
    lag: float,
    answerers: frozenset[str] = frozenset(),
) -> Observation:
    """The observation of a flow that an agent tried. `lag` is that agent's own, in seconds."""
    verdict = rule(flow, spec, result, server_evidence, lag, answerers)
    return Observation(
        flow=flow,
        outcome=verdict.outcome,
        reason=verdict.reason,
        attempts=result.sent,
        waited=result.elapsed,
        latency=result.latency,
        peer_saw=_address(result.peer_saw or server_evidence.peer),
        peer_port=result.peer_port or None,
        answered_by=result.answered_by,
        arrived=True if result.event == Event.ECHOED else server_evidence.arrived,
        nonce=spec.nonce,
        icmp=icmp_error(result.icmp, flow.family),
        untold=server_evidence.untold,
        stalled=verdict.stalled,
    )


def unmeasured(flow: Flow, reason: str) -> Observation:
    """The observation of a flow that could not be tried."""
    return Observation(flow=flow, outcome=Outcome.UNKNOWN, reason=reason, attempts=0)


def rule(
    flow: Flow,
    spec: protocol.FlowSpec,
    result: protocol.FlowResult,
    server_evidence: ServerEvidence,
    lag: float,
    answerers: frozenset[str] = frozenset(),
) -> FlowVerdict:
    """The outcome of one flow.

    `answerers` are the host names that may answer; empty accepts any.
    """
    event = result.event
    said = received_error(flow, result)
    if event == Event.ECHOED:
        return _echoed(result, answerers)
    if event == Event.SILENT:
        return _silent(flow, spec, result, server_evidence, lag)
    if event == Event.RESET:
        return _refused(flow, server_evidence, said)
    if event == Event.UNREACHABLE:
        error = icmp_error(result.icmp, flow.family)
        if (error and error.prohibited) or result.error == "EACCES":
            return FlowVerdict(Outcome.REJECTED, f"administratively prohibited: {said}")
        if server_evidence.silent_because:
            return _unknown_server(f"unreachable ({said})", server_evidence)
        return FlowVerdict(Outcome.UNROUTABLE, f"unreachable: {said}")
    if event == Event.NO_ROUTE:
        if server_evidence.silent_because and flow.source.kind is EndpointKind.HOST:
            # a pod that is gone takes its routes along, on its own node
            return _unknown_server(f"{no_route(result.error)} ({said})", server_evidence)
        return FlowVerdict(Outcome.UNROUTABLE, f"{no_route(result.error)}: {said}")
    if event == Event.TOO_BIG:
        return FlowVerdict(Outcome.TOO_BIG, f"larger than the known path MTU: {said}")
    if event == Event.CORRUPTED:
        return FlowVerdict(Outcome.CORRUPTED, said)
    if event == Event.CLOSED:
        if server_evidence.silent_because:
            return _unknown_server(
                f"closed before the answer was complete ({said})", server_evidence
            )
        return FlowVerdict(Outcome.CORRUPTED, f"closed before the answer was complete: {said}")
    return FlowVerdict(Outcome.UNKNOWN, f"the client could not try: {said}")


def no_route(error: str) -> str:
    """What a kernel's refusal to send says of its routes: of an error (``EINVAL``) by name."""
    if fib.is_blackhole(error):
        return "a blackhole route of the source drops it"
    return "the source has no route"


def received_error(flow: Flow, result: protocol.FlowResult) -> str:
    """The error that a flow received, an ICMP error in words and with the name of its sender."""
    error = icmp_error(result.icmp, flow.family)
    named = f"{error}{_whose(flow, error)}" if error else result.detail
    return ", ".join(part for part in (result.error, named) if part)


def _whose(flow: Flow, error: IcmpError) -> str:
    """Which end of the flow sent it, empty for a node between them."""
    there, here = flow.destination, flow.source
    if error.sender in map(str, (flow.address, *there.addresses)):
        return f" ({there.name})"
    return f" ({here.name})" if error.sender in map(str, here.addresses) else ""


def _echoed(result: protocol.FlowResult, answerers: frozenset[str]) -> FlowVerdict:
    if answerers and result.answered_by and result.answered_by not in answerers:
        wanted = ", ".join(sorted(answerers))
        return FlowVerdict(Outcome.MISROUTED, f"{result.answered_by} answered instead of {wanted}")
    return FlowVerdict(Outcome.ALLOWED, "")


def _silent(
    flow: Flow,
    spec: protocol.FlowSpec,
    result: protocol.FlowResult,
    server_evidence: ServerEvidence,
    lag: float,
) -> FlowVerdict:
    if (
        server_evidence.half_open and result.stage == "connect"
    ):  # kernels shake hands: no agent is slow
        return FlowVerdict(Outcome.REPLY_LOST, "the SYN arrived, its SYN-ACK did not come back")
    worst = max(lag, server_evidence.lag)
    if worst > STALL_SHARE * spec.timeout:
        reason = f"an agent was stalled for {worst:.2f} s of a wait of {spec.timeout:.2f} s"
        return FlowVerdict(Outcome.UNKNOWN, reason, stalled=worst)
    if server_evidence.silent_because:
        return _unknown_server("no answer", server_evidence)
    if server_evidence.arrived:
        return FlowVerdict(Outcome.REPLY_LOST, "the request arrived, the answer did not come back")
    if _would_have_refused(flow, server_evidence):
        own = "the server's own stack refuses this port, the client heard no refusal"
        return FlowVerdict(Outcome.DROPPED, own)
    if server_evidence.control is False and flow.protocol is not Protocol.ICMP:
        failed = f"{CONTROL_FAILED} ({server_evidence.control_failure})"
        return FlowVerdict(Outcome.UNKNOWN, f"{failed}: silence proves nothing")
    seen = "no arrival at the server" if server_evidence.arrived is False else "no answer"
    if flow.protocol is Protocol.ICMP:
        seen = "no answer (an unprivileged server cannot know whether the request arrived)"
    elif flow.protocol is Protocol.TCP and result.stage == "exchange":
        seen = f"the handshake completed, then {seen}"
    if result.error:
        seen += f"; the client met {received_error(flow, result)}"
    return FlowVerdict(Outcome.DROPPED, seen)


def _refused(flow: Flow, server_evidence: ServerEvidence, said: str) -> FlowVerdict:
    if flow.protocol is Protocol.ICMP:  # echo knows no ports: only a filter answers like this
        return FlowVerdict(Outcome.REJECTED, f"refused on the way: {said}")
    if server_evidence.silent_because:
        return _unknown_server(f"refused ({said})", server_evidence)
    if server_evidence.control:
        return FlowVerdict(
            Outcome.REJECTED, f"refused on the way ({said}) although the server listens"
        )
    if server_evidence.control is False:
        own = f"the server's own control: {server_evidence.control_failure}"
        if server_evidence.control_refused:
            return FlowVerdict(Outcome.REFUSED, f"no listener ({said}; {own})")
        return FlowVerdict(Outcome.UNKNOWN, f"refused ({said}), by whom is not known ({own})")
    return FlowVerdict(Outcome.REFUSED, f"refused: {said}")


def _would_have_refused(flow: Flow, server_evidence: ServerEvidence) -> bool:
    """Whether a closed port had to answer: TCP resets are not rate-limited, ICMP errors are."""
    refused = server_evidence.control is False and server_evidence.control_refused
    return server_evidence.closed and refused and flow.protocol is Protocol.TCP


def _unknown_server(seen: str, server_evidence: ServerEvidence) -> FlowVerdict:
    reason = f"{seen}, and the server's side is unknown: {server_evidence.silent_because}"
    return FlowVerdict(Outcome.UNKNOWN, reason)


def _address(text: str) -> IPAddress | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
