"""Questions as bytes and bytes as answers; whatever else comes is malformed, and nothing worse."""

from __future__ import annotations

import contextlib

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.model import Family
from sixproof.probes.dns.message import (
    NO_EDNS_LIMIT,
    DnsAnswer,
    DnsQuestion,
    MalformedAnswer,
    RecordType,
    decode,
    encode,
)

NAME = "web.shop.svc.cluster.local."
QUESTION = DnsQuestion(NAME, RecordType.AAAA)
NUMBER = 4711


def reply(question: DnsQuestion = QUESTION, *rrsets: str, **flags: int) -> dns.message.Message:
    """An answer to a question with these records: ``TTL TYPE DATA``."""
    message = dns.message.make_response(dns.message.from_wire(encode(question, NUMBER)))
    for text in rrsets:
        ttl, kind, data = text.split(" ", 2)
        message.answer.append(dns.rrset.from_text(question.name, int(ttl), "IN", kind, data))
    for flag in flags.values():
        message.flags |= flag
    return message


def answer(message: dns.message.Message, question: DnsQuestion = QUESTION) -> DnsAnswer:
    return decode(message.to_wire(), question, NUMBER)


@pytest.mark.parametrize(
    ("question", "edns", "cd", "limit"),
    [
        (QUESTION, -1, False, NO_EDNS_LIMIT),
        (DnsQuestion(NAME, RecordType.A, edns=1232), 0, False, 1232),
        (DnsQuestion(NAME, RecordType.A, edns=100), 0, False, NO_EDNS_LIMIT),
        (DnsQuestion(NAME, RecordType.SRV, cd=True), -1, True, NO_EDNS_LIMIT),
    ],
)
def test_question_is_sent_as_it_is_meant(
    question: DnsQuestion, edns: int, cd: bool, limit: int
) -> None:
    sent = dns.message.from_wire(encode(question, NUMBER))
    asked = sent.question[0]

    assert (sent.id, sent.edns, bool(sent.flags & dns.flags.CD)) == (NUMBER, edns, cd)
    assert (asked.name.to_text(), question.udp_limit) == (question.name, limit)
    assert sent.flags & dns.flags.RD


@pytest.mark.parametrize("edns", [512, 1232, 4096])
def test_offered_size_is_sent(edns: int) -> None:
    question = DnsQuestion(NAME, RecordType.AAAA, edns=edns)
    assert dns.message.from_wire(encode(question, NUMBER)).payload == edns


def test_case_of_the_name_is_sent_and_kept() -> None:
    question = DnsQuestion("wEb.Shop.sVc.cluster.local.", RecordType.AAAA)
    assert answer(reply(question), question).question_name == question.name


def test_answer_may_be_spelt_otherwise() -> None:
    assert answer(reply(DnsQuestion(NAME.upper(), RecordType.AAAA))).question_name == NAME.upper()


@pytest.mark.parametrize(
    ("kind", "records", "data"),
    [
        (RecordType.AAAA, ("30 AAAA 2001:DB8:0::1", "30 AAAA 2001:db8::2"), "::1 ::2"),
        (RecordType.A, ("30 A 192.0.2.1",), "192.0.2.1"),
        (RecordType.SRV, ("30 SRV 0 50 443 WEB.example.",), "443 web.example."),
        (RecordType.PTR, ("30 PTR Web.Example.",), "web.example."),
        (RecordType.TXT, ('30 TXT "1.1.0"',), '"1.1.0"'),
    ],
)
def test_data_is_comparable(kind: RecordType, records: tuple[str, ...], data: str) -> None:
    """Addresses are canonical, names in lower case, SRV without priority and weight."""
    question = DnsQuestion(NAME, kind)
    wanted = {"2001:db8" + d for d in data.split()} if kind is RecordType.AAAA else {data}
    assert answer(reply(question, *records), question).data(kind) == wanted


def test_records_behind_an_alias_count() -> None:
    message = reply()
    message.answer.append(dns.rrset.from_text(NAME, 30, "IN", "CNAME", "real.example."))
    message.answer.append(dns.rrset.from_text("real.example.", 5, "IN", "AAAA", "2001:db8::1"))
    seen = answer(message)

    assert seen.data(RecordType.AAAA) == {"2001:db8::1"}
    assert seen.data(RecordType.CNAME) == {"real.example."}
    assert seen.ttl == 5


def test_flags_size_and_edns_are_reported() -> None:
    question = DnsQuestion(NAME, RecordType.AAAA, edns=1232)
    message = reply(question, "30 AAAA 2001:db8::1", aa=dns.flags.AA, tc=dns.flags.TC)
    message.use_edns(0, payload=4096)
    seen = answer(message, question)

    assert (seen.rcode, seen.aa, seen.tc, seen.edns) == ("NOERROR", True, True, 4096)
    assert seen.size == len(message.to_wire())
    assert str(seen) == f"NOERROR aa tc, 1 records, {seen.size} bytes"


def test_denial_with_and_without_soa() -> None:
    bare = reply()
    bare.set_rcode(dns.rcode.NXDOMAIN)
    full = reply()
    full.authority.append(
        dns.rrset.from_text("cluster.local.", 30, "IN", "SOA", "ns. host. 1 2 3 4 5")
    )

    assert (answer(bare).rcode, answer(bare).has_soa, answer(bare).ttl) == ("NXDOMAIN", False, None)
    assert (answer(full).has_soa, answer(full).ttl) == (True, 30)


def test_unreadable_question_need_not_be_repeated() -> None:
    message = reply()
    message.question.clear()
    message.set_rcode(dns.rcode.FORMERR)
    assert answer(message).rcode == "FORMERR"


def other_id() -> bytes:
    message = reply()
    message.id = NUMBER + 1
    return message.to_wire()


def no_question() -> bytes:
    message = reply()
    message.question.clear()
    return message.to_wire()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a DNS message"),
        (b"\x12", "not a DNS message"),
        (reply().to_wire()[:-3], "not a DNS message"),
        (reply().to_wire() + b"junk", "not a DNS message"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not"),
        (other_id(), "the ID is 4712, asked was 4711"),
        (encode(QUESTION, NUMBER), "not an answer"),
        (reply(DnsQuestion(NAME, RecordType.A)).to_wire(), "answers web.shop"),
        (reply(DnsQuestion("other.example.", RecordType.AAAA)).to_wire(), "answers other.example"),
        (no_question(), "answers nothing"),
    ],
)
def test_malformed(data: bytes, said: str) -> None:
    with pytest.raises(MalformedAnswer, match=said):
        decode(data, QUESTION, NUMBER)


@given(st.binary(max_size=600))
def test_any_bytes_are_an_answer_or_malformed(data: bytes) -> None:
    with contextlib.suppress(MalformedAnswer):
        decode(data, QUESTION, NUMBER)


@given(st.binary(max_size=200), st.integers(0, 60))
def test_any_bytes_behind_a_right_start_are_an_answer_or_malformed(data: bytes, kept: int) -> None:
    with contextlib.suppress(MalformedAnswer):
        decode(reply(QUESTION, "30 AAAA 2001:db8::1").to_wire()[:kept] + data, QUESTION, NUMBER)


@pytest.mark.parametrize("family", list(Family))
def test_types_and_families(family: Family) -> None:
    assert RecordType.of(family).family is family
    assert RecordType.SRV.family is None
