"""The rules by which both sides' evidence becomes an outcome: every one, and what none may do."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.agent.protocol import Event, FlowResult, FlowSpec, IcmpSeen
from sixproof.model import EndpointKind, Family, Flow, Outcome, Protocol
from sixproof.probes.connect import verdict
from sixproof.probes.connect.verdict import FlowVerdict, ServerEvidence
from tests.unit.model import places
from tests.unit.model.places import flow

TIMEOUT = 2.0
STALL = verdict.STALL_SHARE * TIMEOUT
LISTENS = ServerEvidence(arrived=False, control=True)
ABSENT = ServerEvidence()
CLOSED = ServerEvidence(
    arrived=False, control=False, control_refused=True, control_failure="reset ECONNREFUSED"
)
MUTE = ServerEvidence(arrived=False, control=False, control_failure="silent")
ARRIVED = ServerEvidence(arrived=True, control=True)
HALF_OPEN = ServerEvidence(arrived=False, half_open=True, control=True)
LOST = ServerEvidence(silent_because="echo: control channel lost")


@dataclasses.dataclass(frozen=True)
class Case:
    """What both sides saw, and what it comes to."""

    name: str
    event: str
    outcome: Outcome
    because: str
    server_evidence: ServerEvidence = LISTENS
    protocol: Protocol = Protocol.TCP
    stage: str = "connect"
    error: str = ""
    detail: str = ""
    icmp: IcmpSeen | None = None
    family: Family = Family.IPV6
    answered_by: str = ""
    lag: float = 0.0

    def __str__(self) -> str:
        return self.name


V4, V6 = Family.IPV4, Family.IPV6
T, U, I = Protocol.TCP, Protocol.UDP, Protocol.ICMP  # noqa: E741 - as the table's column reads

ECHOES = (
    Case("the right pod answered", Event.ECHOED, Outcome.ALLOWED, "", answered_by="echo"),
    Case("echo names nobody", Event.ECHOED, Outcome.ALLOWED, "", protocol=I),
    Case(
        "wrong pod answered",
        Event.ECHOED,
        Outcome.MISROUTED,
        "other answered instead of echo, echo2",
        answered_by="other",
    ),
    Case("answer changed", Event.CORRUPTED, Outcome.CORRUPTED, "changed", detail="changed"),
    Case(
        "answer cut short",
        Event.CLOSED,
        Outcome.CORRUPTED,
        "closed before the answer was complete: 5 bytes",
        stage="exchange",
        detail="5 bytes",
    ),
    Case(
        "server died while it answered",
        Event.CLOSED,
        Outcome.UNKNOWN,
        "closed before the answer was complete (5 bytes), and the server's side is unknown",
        LOST,
        stage="exchange",
        detail="5 bytes",
    ),
)
SILENCES = (
    Case("request dropped", Event.SILENT, Outcome.DROPPED, "no arrival at the server"),
    Case(
        "request dropped (UDP)",
        Event.SILENT,
        Outcome.DROPPED,
        "no arrival at the server",
        protocol=U,
        stage="exchange",
    ),
    Case("nobody to ask", Event.SILENT, Outcome.DROPPED, "no answer", ABSENT),
    Case(
        "request dropped after the handshake",
        Event.SILENT,
        Outcome.DROPPED,
        "the handshake completed, then no arrival at the server",
        stage="exchange",
    ),
    Case(
        "handshake, then nobody to ask",
        Event.SILENT,
        Outcome.DROPPED,
        "the handshake completed, then no answer",
        ABSENT,
        stage="exchange",
    ),
    Case(
        "echo request or reply dropped",
        Event.SILENT,
        Outcome.DROPPED,
        "an unprivileged server cannot know",
        ServerEvidence(arrived=None),
        protocol=I,
    ),
    Case(
        "own filter",
        Event.SILENT,
        Outcome.DROPPED,
        "no arrival at the server; the client met EPERM",
        protocol=U,
        error="EPERM",
    ),
    Case(
        "own filter or a later path MTU",
        Event.SILENT,
        Outcome.DROPPED,
        "the client met EMSGSIZE, ICMPv6 Packet Too Big, MTU 1350, from 192.0.2.1",
        protocol=U,
        error="EMSGSIZE",
        icmp=IcmpSeen(2, 0, "192.0.2.1", 1350),
    ),
    Case(
        "reply lost",
        Event.SILENT,
        Outcome.REPLY_LOST,
        "the request arrived",
        ARRIVED,
        stage="exchange",
    ),
    Case(
        "reply lost although the control fails later",
        Event.SILENT,
        Outcome.REPLY_LOST,
        "the request arrived",
        dataclasses.replace(MUTE, arrived=True),
        protocol=U,
    ),
    Case("SYN-ACK lost", Event.SILENT, Outcome.REPLY_LOST, "the SYN arrived", HALF_OPEN),
    Case(
        "SYN-ACK lost while an agent stalled: kernels shake hands",
        Event.SILENT,
        Outcome.REPLY_LOST,
        "the SYN arrived",
        dataclasses.replace(HALF_OPEN, lag=9.0),
    ),
    Case(
        "full accept queue is no lost SYN-ACK",
        Event.SILENT,
        Outcome.DROPPED,
        "the handshake completed",
        HALF_OPEN,
        stage="exchange",
    ),
    Case(
        "stalled client",
        Event.SILENT,
        Outcome.UNKNOWN,
        "an agent was stalled for 1.50 s of a wait of 2.00 s",
        lag=1.5,
    ),
    Case(
        "stalled server",
        Event.SILENT,
        Outcome.UNKNOWN,
        "an agent was stalled for 1.60 s",
        dataclasses.replace(LISTENS, lag=1.6),
    ),
    Case(
        "stalled server that logged late",
        Event.SILENT,
        Outcome.UNKNOWN,
        "an agent was stalled",
        dataclasses.replace(ARRIVED, lag=1.6),
    ),
    Case("a little lag", Event.SILENT, Outcome.DROPPED, "no arrival", lag=STALL),
    Case(
        "server's channel lost",
        Event.SILENT,
        Outcome.UNKNOWN,
        "no answer, and the server's side is unknown: echo: control channel lost",
        LOST,
    ),
    Case(
        "dead server",
        Event.SILENT,
        Outcome.UNKNOWN,
        "fails its own control (silent): silence proves nothing",
        MUTE,
    ),
    Case(
        "closed port whose reset was lost",
        Event.SILENT,
        Outcome.UNKNOWN,
        "fails its own control (reset ECONNREFUSED)",
        CLOSED,
        protocol=U,
    ),
    Case(
        "echo has no control to fail",
        Event.SILENT,
        Outcome.DROPPED,
        "no answer",
        MUTE,
        protocol=I,
    ),
)
REFUSALS = (
    Case(
        "port closed",
        Event.RESET,
        Outcome.REFUSED,
        "no listener (ECONNREFUSED; the server's own control: reset ECONNREFUSED)",
        CLOSED,
        error="ECONNREFUSED",
    ),
    Case(
        "reset by a filter",
        Event.RESET,
        Outcome.REJECTED,
        "refused on the way (ECONNREFUSED) although the server listens",
        error="ECONNREFUSED",
    ),
    Case(
        "refused outside the cluster",
        Event.RESET,
        Outcome.REFUSED,
        "refused: ECONNREFUSED",
        ABSENT,
        error="ECONNREFUSED",
    ),
    Case(
        "dead server's kernel resets",
        Event.RESET,
        Outcome.UNKNOWN,
        "refused (ECONNREFUSED), and the server's side is unknown",
        LOST,
        error="ECONNREFUSED",
    ),
    Case(
        "control neither answers nor refuses",
        Event.RESET,
        Outcome.UNKNOWN,
        "by whom is not known (the server's own control: silent)",
        MUTE,
        error="ECONNREFUSED",
    ),
    Case(
        "port unreachable for an echo",
        Event.RESET,
        Outcome.REJECTED,
        "refused on the way: ECONNREFUSED",
        LOST,
        protocol=I,
        error="ECONNREFUSED",
    ),
)
ERRORS = (
    *(
        Case(
            f"prohibited: {family} {numbers}",
            Event.UNREACHABLE,
            Outcome.REJECTED,
            "administratively prohibited",
            LOST,
            error="EHOSTUNREACH",
            icmp=IcmpSeen(*numbers, "192.0.2.1"),
            family=family,
        )
        for family, numbers in (
            (V4, (3, 9)),
            (V4, (3, 10)),
            (V4, (3, 13)),
            (V6, (1, 1)),
            (V6, (1, 5)),
            (V6, (1, 6)),
        )
    ),
    Case(
        "prohibited, as old kernels tell TCP",
        Event.UNREACHABLE,
        Outcome.REJECTED,
        "administratively prohibited: EACCES",
        error="EACCES",
    ),
    *(
        Case(
            f"unreachable: {family} {numbers}",
            Event.UNREACHABLE,
            Outcome.UNROUTABLE,
            "unreachable: EHOSTUNREACH, ICMP",
            error="EHOSTUNREACH",
            icmp=IcmpSeen(*numbers, "192.0.2.1"),
            family=family,
        )
        for family, numbers in (
            (V4, (3, 0)),
            (V4, (3, 1)),
            (V4, (3, 12)),
            (V6, (1, 0)),
            (V6, (1, 3)),
        )
    ),
    Case(
        "hop limit used up on the way",
        Event.UNREACHABLE,
        Outcome.UNROUTABLE,
        "EHOSTUNREACH, ICMPv6 Time Exceeded: hop limit exceeded in transit, from 2001:db8:9::1",
        error="EHOSTUNREACH",
        icmp=IcmpSeen(3, 0, "2001:db8:9::1"),
    ),
    Case(
        "no neighbour, dead server",
        Event.UNREACHABLE,
        Outcome.UNKNOWN,
        "unreachable (EHOSTUNREACH), and the server's side is unknown",
        LOST,
        error="EHOSTUNREACH",
    ),
    Case(
        "no route of its own",
        Event.NO_ROUTE,
        Outcome.UNROUTABLE,
        "the source has no route: ENETUNREACH",
        LOST,
        error="ENETUNREACH",
    ),
    Case(
        "a blackhole route of its own",
        Event.NO_ROUTE,
        Outcome.UNROUTABLE,
        "a blackhole route of the source drops it: EINVAL",
        LOST,
        error="EINVAL",
    ),
    Case(
        "larger than the MTU",
        Event.TOO_BIG,
        Outcome.TOO_BIG,
        "larger than the known path MTU: EMSGSIZE",
        error="EMSGSIZE",
    ),
    Case(
        "could not try",
        Event.FAILED,
        Outcome.UNKNOWN,
        "the client could not try: EMFILE",
        error="EMFILE",
    ),
    Case("foreign event", "teleported", Outcome.UNKNOWN, "the client could not try"),
)
CASES = (*ECHOES, *SILENCES, *REFUSALS, *ERRORS)


def spec(timeout: float = TIMEOUT) -> FlowSpec:
    """What was asked."""
    return FlowSpec("tcp", "2001:db8::2", 8080, "0123456789abcdef", timeout)


def asked(protocol: Protocol, family: Family = V6) -> Flow:
    """The flow of that protocol."""
    return flow(family, protocol)


def judged_case(case: Case) -> FlowVerdict:
    """What the rules make of a case."""
    result = FlowResult(
        "0123456789abcdef",
        case.event,
        case.stage,
        case.error,
        case.detail,
        icmp=case.icmp,
        answered_by=case.answered_by,
    )
    answerers = frozenset({"echo", "echo2"})
    return verdict.rule(
        asked(case.protocol, case.family), spec(), result, case.server_evidence, case.lag, answerers
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case) -> None:
    """Each combination of evidence has its outcome and says why."""
    judged = judged_case(case)

    assert judged.outcome is case.outcome, judged.reason
    assert case.because in judged.reason


def test_a_host_without_a_route_to_a_pod_that_cannot_be_asked_proves_nothing() -> None:
    """The pod may be gone, and its routes with it; a host whose pod answers has lost a route."""
    host = dataclasses.replace(places.CLIENT, kind=EndpointKind.HOST)
    asking = places.flow(source=host)
    result = FlowResult("0123456789abcdef", Event.NO_ROUTE, "connect", "EINVAL")
    gone = verdict.rule(asking, spec(), result, LOST, 0.0)
    there = verdict.rule(asking, spec(), result, LISTENS, 0.0)
    assert gone.outcome is Outcome.UNKNOWN
    assert "drops it (EINVAL), and the server's side is unknown" in gone.reason
    assert there.outcome is Outcome.UNROUTABLE


def test_names_of_cases_are_unique() -> None:
    """A table in which nothing hides behind an equal name."""
    names = [case.name for case in CASES]

    assert len(set(names)) == len(names)


events = st.sampled_from(sorted(Event.ALL))
protocols = st.sampled_from([T, U, I])
stages = st.sampled_from(["connect", "exchange"])
lags = st.sampled_from([0.0, STALL, STALL + 0.01, 9.0])
icmps = st.sampled_from([None, IcmpSeen(1, 1, "2001:db8:9::1"), IcmpSeen(3, 0)])
errors = st.sampled_from(["", "EACCES", "EPERM", "ECONNREFUSED", "EHOSTUNREACH"])
server_evidences = st.builds(
    ServerEvidence,
    arrived=st.sampled_from([None, False, True]),
    half_open=st.booleans(),
    control=st.sampled_from([None, False, True]),
    control_refused=st.booleans(),
    control_failure=st.sampled_from(["", "reset ECONNREFUSED", "silent"]),
    silent_because=st.sampled_from(["", "echo: channel lost"]),
    lag=lags,
)


def any_verdict(
    event: str,
    protocol: Protocol,
    server_evidence: ServerEvidence,
    lag: float = 0.0,
    error: str = "",
    icmp: IcmpSeen | None = None,
    stage: str = "connect",
) -> FlowVerdict:
    """A verdict on any evidence."""
    result = FlowResult("n", event, stage, error, icmp=icmp)
    return verdict.rule(asked(protocol), spec(), result, server_evidence, lag)


@given(events, protocols, server_evidences, lags, errors, icmps, stages)
def test_nothing_but_an_echo_is_success(
    event: str,
    protocol: Protocol,
    server_evidence: ServerEvidence,
    lag: float,
    error: str,
    icmp: IcmpSeen | None,
    stage: str,
) -> None:
    """No combination of other evidence is ALLOWED, and an echo is nothing else."""
    judged = any_verdict(event, protocol, server_evidence, lag, error, icmp, stage)

    assert (judged.outcome is Outcome.ALLOWED) == (event == Event.ECHOED)


@given(
    st.sampled_from([Event.SILENT, Event.RESET, Event.CLOSED, Event.UNREACHABLE]),
    st.sampled_from([T, U]),
    server_evidences,
    stages,
)
def test_a_server_that_cannot_be_asked_proves_nothing(
    event: str, protocol: Protocol, server_evidence: ServerEvidence, stage: str
) -> None:
    """A dead server or a lost channel proves no denial; only a hanging handshake needs no agent."""
    lost = dataclasses.replace(
        server_evidence, arrived=None, half_open=False, silent_because="lost"
    )

    assert any_verdict(event, protocol, lost, stage=stage).outcome is Outcome.UNKNOWN


@given(protocols, server_evidences, stages, st.booleans())
def test_a_stalled_agent_denies_nothing(
    protocol: Protocol, server_evidence: ServerEvidence, stage: str, at_the_client: bool
) -> None:
    """Silence while an agent slept is UNKNOWN, whatever its log says."""
    stalled = dataclasses.replace(
        server_evidence, half_open=False, lag=0.0 if at_the_client else 1.5
    )
    lag = 1.5 if at_the_client else 0.0

    judged = any_verdict(Event.SILENT, protocol, stalled, lag, stage=stage)

    assert judged.outcome is Outcome.UNKNOWN


@given(protocols, server_evidences, lags, errors, stages)
def test_dropped_means_silence_and_no_arrival(
    protocol: Protocol, server_evidence: ServerEvidence, lag: float, error: str, stage: str
) -> None:
    """DROPPED needs that nobody saw the request, and a server that would have answered."""
    judged = any_verdict(Event.SILENT, protocol, server_evidence, lag, error, stage=stage)

    if judged.outcome is Outcome.DROPPED:
        assert server_evidence.arrived is not True
        assert protocol is I or server_evidence.control is not False
        assert not server_evidence.silent_because


@given(events, protocols, server_evidences, lags, errors, icmps, stages)
def test_every_failure_has_a_reason(
    event: str,
    protocol: Protocol,
    server_evidence: ServerEvidence,
    lag: float,
    error: str,
    icmp: IcmpSeen | None,
    stage: str,
) -> None:
    """Only success needs no words, and a changed answer has those of the agent."""
    judged = any_verdict(event, protocol, server_evidence, lag, error, icmp, stage)

    assert judged.reason or judged.outcome in (Outcome.ALLOWED, Outcome.CORRUPTED)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", None),
        ("a pod", None),
    ],
)
def test_observation_holds_what_the_server_saw(text: str, address: str | None) -> None:
    """The client's address as the server saw it, an IPv4-mapped one as IPv4."""
    result = FlowResult(
        "n", Event.ECHOED, latency=0.001, elapsed=0.002, sent=2, peer_saw=text, peer_port=4242
    )

    seen = verdict.observe(asked(T), spec(), result, ABSENT, 0.0)

    wanted = None if address is None else ipaddress.ip_address(address)
    assert (seen.peer_saw, seen.peer_port, seen.attempts) == (wanted, 4242, 2)
    assert (seen.arrived, seen.latency, seen.waited) == (True, 0.001, 0.002)


def test_unmeasured_flow_was_not_attempted() -> None:
    """What could not be tried counts no attempt."""
    seen = verdict.unmeasured(asked(T), "no channel")

    assert (seen.outcome, seen.reason, seen.attempts) == (Outcome.UNKNOWN, "no channel", 0)
