"""What tests ask with: failed where the DNS is wrong, broken where it could not be measured."""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
from collections.abc import Callable
from typing import Any, cast

import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.checks.dns.resolution import BOTH, Resolution
from sixproof.checks.dns.resolvers import Resolvers
from sixproof.checks.recorder import Recorder
from sixproof.errors import ChannelLost, InfrastructureError, NotAsked, VerdictError
from sixproof.kube.channel.agents import Agents
from sixproof.model import Family, Finding, MatrixKind, Timing
from sixproof.probes.connect.fake_agents import FakeAgents
from sixproof.probes.dns.judge import DnsExpectation, Expected
from sixproof.probes.dns.lookups import Wanted
from sixproof.probes.dns.servers import ClusterDns
from sixproof.probes.dns.verdict import DnsOutcome, DnsServer
from tests.unit.probes.dns.samples import A_QUESTION, NAME, ONE, QUESTION, SERVERS, TWO, ZONE

DATA = {"A": "192.0.2.1", "AAAA": "2001:db8::1"}
AAAA: Expected = {QUESTION: DnsExpectation.records([DATA["AAAA"]], "-")}
A: Expected = {A_QUESTION: DnsExpectation.records([DATA["A"]], "-")}
Fault = Callable[[protocol.Message, str], bool]


def healthy(_: protocol.Message, __: str) -> bool:
    return False


def dns_of(silent: Fault = healthy, empty: Fault = healthy) -> Callable[[object], object]:
    """An agent in front of a DNS that is silent to some questions and answers some without data."""

    def answer(message: protocol.Message) -> protocol.Reply:
        made = dns.message.make_response(dns.message.from_wire(base64.b64decode(message.payload)))
        kind = dns.rdatatype.to_text(made.question[0].rdtype)
        if silent(message, kind):
            return protocol.Reply(message.nonce, Event.SILENT, elapsed=1.0, sent=3)
        if not empty(message, kind):
            name = made.question[0].name
            made.answer.append(dns.rrset.from_text(name, 30, "IN", kind, DATA[kind]))
        payload = base64.b64encode(made.to_wire()).decode()
        return protocol.Reply(message.nonce, Event.ANSWERED, payload=payload, latency=0.001)

    def script(request: object) -> object:
        if isinstance(request, protocol.Inspect):
            conf = f"nameserver 10.96.0.10\nsearch six-a.svc.{ZONE} svc.{ZONE} {ZONE}\n"
            return protocol.Inspected({}, [], {}, conf, {})
        assert isinstance(request, protocol.Exchange)
        return protocol.Exchanged([answer(m) for m in request.messages], 0.0)

    return script


class Notes:
    """What a test noted."""

    def __init__(self) -> None:
        self.matrices: list[Any] = []
        self.changes: list[tuple[str, Family]] = []
        self.findings: list[Finding] = []

    def matrix(self, matrix: Any, expected: Any) -> None:
        self.matrices.append((matrix, expected))

    def finding(self, finding: Finding) -> None:
        self.findings.append(finding)

    def convergence(self, *noted: Any) -> None:
        what, _, family, _ = noted
        self.changes.append((what, family))


def resolution(
    script: Callable[[object], object],
    notes: Notes | None = None,
    replicas: tuple[DnsServer, ...] = (),
) -> tuple[Resolution, FakeAgents]:
    agents = FakeAgents({ONE.name: script, TWO.name: script})
    service = tuple(dataclasses.replace(s, replicas=len(replicas) or 1) for s in SERVERS.values())
    dns_servers = ClusterDns(ZONE, "kube-system/kube-dns", service, replicas)
    timing = Timing(connect=1.0, settle=0.3, deny=0.5)
    asks = Resolution(
        cast(Agents, agents),
        cast(Recorder, notes or Notes()),
        dns_servers,
        (ONE, TWO),
        timing,
    )
    return asks, agents


def v6(message: protocol.Message, _: str) -> bool:
    return ":" in message.address


def test_truth_passes_and_every_pod_asks_every_address() -> None:
    asks, agents = resolution(dns_of())
    seen = asks.must_answer("names", AAAA)

    assert len(seen) == 4
    assert len(agents.asked) == 2


def test_lie_fails() -> None:
    asks, _ = resolution(dns_of(empty=lambda _, kind: kind == "AAAA"))
    with pytest.raises(VerdictError, match="all answers are wrong \\(NODATA\\)") as found:
        asks.must_answer("names", AAAA)
    assert "class: DNS" in str(found.value)


def test_other_family_beside_makes_the_contrast() -> None:
    asks, _ = resolution(dns_of(empty=lambda _, kind: kind == "AAAA"))
    with pytest.raises(VerdictError, match="A works") as found:
        asks.must_answer("names", AAAA, beside=A)
    assert str(found.value).endswith("class: DNS, IPv6-only failure")


def test_other_family_beside_is_not_judged() -> None:
    asks, _ = resolution(dns_of(empty=lambda _, kind: kind == "A"))
    seen = asks.must_answer("names", AAAA, beside=A)
    assert {o.query.question for o in seen} == {QUESTION}


STALE, FRESH = (
    DnsServer(f"coredns-{name}", ipaddress.ip_address(f"192.0.2.{number}"), node=f"worker{number}")
    for number, name in ((53, "stale"), (54, "fresh"))
)


def test_the_stale_replica_leads_and_no_family_is_accused() -> None:
    """Chance let it answer what went over IPv6: asked by itself, it is wrong over IPv4 too."""
    notes = Notes()
    stale = {str(SERVERS[Family.IPV6].address), str(STALE.address)}
    script = dns_of(empty=lambda message, _: message.address in stale)
    asks, _ = resolution(script, notes, (STALE, FRESH))
    with pytest.raises(VerdictError) as found:
        asks.must_answer("names", AAAA, beside=A)

    text = str(found.value)
    assert text.startswith("DNS replica coredns-stale on worker53: answers NODATA to 4 of 4")
    assert text.endswith("class: DNS")
    assert [f.code for f in notes.findings] == ["dns.replica"]


def test_a_family_that_every_replica_denies_is_accused() -> None:
    """Each replica by itself is right about A and wrong about AAAA: that is of the family."""
    notes = Notes()
    asks, _ = resolution(dns_of(empty=lambda _, kind: kind == "AAAA"), notes, (STALE, FRESH))
    with pytest.raises(VerdictError, match="each of its 2 replicas is wrong") as found:
        asks.must_answer("names", AAAA, beside=A)
    assert str(found.value).endswith("class: DNS, IPv6-only failure")
    assert [f.code for f in notes.findings] == ["dns.answers"]


def test_one_dead_way_is_left_to_the_test_of_ways() -> None:
    asks, _ = resolution(dns_of(silent=v6))
    assert len(asks.must_answer("names", AAAA)) == 2
    with pytest.raises(VerdictError, match="all answers over IPv6 are wrong"):
        asks.must_answer("names", AAAA, every_way=True)


def test_silence_on_every_way_fails() -> None:
    asks, _ = resolution(dns_of(silent=lambda *_: True))
    with pytest.raises(VerdictError, match="TIMEOUT"):
        asks.must_answer("names", AAAA)


def test_unmeasured_is_broken_and_not_failed() -> None:
    def lost(_: object) -> object:
        raise ChannelLost("control channel silent")

    asks, _ = resolution(lost)
    with pytest.raises(InfrastructureError, match="not measured") as found:
        asks.must_answer("names", AAAA)
    assert "class: Not measured (UNKNOWN)" in str(found.value)


def test_carrying_is_kept_as_a_matrix() -> None:
    notes = Notes()
    asks, _ = resolution(dns_of(silent=v6), notes)
    with pytest.raises(VerdictError):
        asks.must_carry("ways", AAAA, tuple(SERVERS.values()), (ONE,))

    kinds = [MatrixKind.FLOWS, MatrixKind.DNS_QUESTIONS, MatrixKind.DNS_ANSWERS]
    assert [matrix.kind for matrix, _ in notes.matrices] == kinds
    wrong = [len(matrix.disagreements(expected)) for matrix, expected in notes.matrices]
    assert wrong == [2, 2, 0]
    assert len(BOTH) == 2


def test_change_that_shows_is_timed_and_one_that_does_not_fails() -> None:
    notes = Notes()
    asks, _ = resolution(dns_of(), notes)
    asks.must_follow("a change", lambda: AAAA, Family.IPV6)
    assert notes.changes == [("a change", Family.IPV6)]

    asks, _ = resolution(dns_of(empty=lambda *_: True), notes)
    with pytest.raises(VerdictError, match="a change: "):
        asks.must_follow("a change", lambda: AAAA, Family.IPV6)
    assert len(notes.changes) == 1


def test_changes_are_asked_for_past_the_cache() -> None:
    asks, agents = resolution(dns_of())
    asks.must_follow("a change", lambda: AAAA, Family.IPV6)
    request = agents.asked[0][1]

    assert isinstance(request, protocol.Exchange)
    flags = {base64.b64decode(m.payload)[3] & 0x10 for m in request.messages}
    assert flags == {0x10}


def test_nothing_to_ask_skips() -> None:
    asks, _ = resolution(dns_of())
    with pytest.raises(NotAsked, match="no such name"):
        asks.must_answer("names", {})


WANTED: Wanted = {(NAME, None): DnsExpectation.records(DATA.values(), "-")}


def looking_up(
    found: Callable[[protocol.Lookup], protocol.Found], notes: Notes | None = None
) -> Resolvers:
    """Resolvers of two pods whose every lookup comes to this."""
    answers = dns_of()

    def script(request: object) -> object:
        if isinstance(request, protocol.Resolve):
            return protocol.Resolved([found(one) for one in request.lookups], 0.0)
        return answers(request)

    asks, agents = resolution(script)
    noted = cast(Recorder, Notes() if notes is None else notes)
    return Resolvers(cast(Agents, agents), noted, asks, (ONE, TWO))


def came(*addresses: str, latency: float = 0.001, error: str = "") -> Any:
    return lambda one: protocol.Found(
        one.name, one.family, Event.ANSWERED, list(addresses), error, latency=latency
    )


def unmeasured(one: protocol.Lookup) -> protocol.Found:
    return protocol.Found(one.name, one.family, Event.FAILED, [], detail="no thread came to it")


def test_lookups_that_find_everything_pass() -> None:
    resolvers = looking_up(came(*DATA.values()))
    resolvers.must_find("lookups", WANTED)
    resolvers.must_not_ask_again(WANTED, 5)


def test_lookup_without_a_family_fails() -> None:
    with pytest.raises(VerdictError, match=r"2 of 2 lookups are wrong[\s\S]*missing \{2001:db8::1"):
        looking_up(came(DATA["A"])).must_find("lookups", WANTED)


def test_lookups_that_ask_again_fail_although_they_find() -> None:
    notes = Notes()
    resolvers = looking_up(came(*DATA.values(), latency=5.01), notes)
    resolvers.must_find("lookups", WANTED)
    with pytest.raises(VerdictError, match="10 of 10 lookups had to send a question again"):
        resolvers.must_not_ask_again(WANTED, 5)
    (found, wanted), (prompt, asked_once) = notes.matrices
    assert found.disagreements(wanted) == ()
    wrong = [one.observation for one in prompt.disagreements(asked_once)]
    assert {o.reason for o in wrong} == {"5 of 5 lookups were late: the resolver asked again"}
    assert {o.flow.source.name for o in wrong} == {ONE.name, TWO.name}


def test_unmeasured_lookups_are_broken_and_not_failed() -> None:
    resolvers = looking_up(unmeasured)
    with pytest.raises(InfrastructureError, match="not measured"):
        resolvers.must_find("lookups", WANTED)
    with pytest.raises(InfrastructureError, match="10 of 10 lookups were not measured: could not"):
        resolvers.must_not_ask_again(WANTED, 5)


def test_nameservers_of_pods_are_asked_over_both_transports() -> None:
    resolvers = looking_up(unmeasured)
    resolvers.must_have_answering_nameservers(AAAA, (ONE,))
    assert {str(a) for c in resolvers.settings().values() for a in c.nameservers} == {"10.96.0.10"}
    with pytest.raises(VerdictError, match="nameservers of pods: "):
        resolvers.must_have_answering_nameservers(
            {QUESTION: DnsExpectation.only(DnsOutcome.NXDOMAIN, "-")}, (ONE,)
        )


def test_what_is_wrong_beyond_records_is_said_with_its_family() -> None:
    Resolution.none_wrong((), Family.IPV6)
    with pytest.raises(VerdictError, match="one\ntwo\n  class: DNS") as caught:
        Resolution.none_wrong(["one", "two"], Family.IPV6)
    assert caught.value.families == {Family.IPV6}
