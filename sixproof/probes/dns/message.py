"""DNS messages: a question as bytes, and bytes as an answer. The only importer of dnspython."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from collections.abc import Iterable

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from sixproof.model import Family

NO_EDNS_LIMIT = 512
"""Bytes of a UDP answer to a question without EDNS (RFC 1035 section 4.2.1)."""


_BESIDE = ("CNAME", "DNAME", "RRSIG")
"""Types that may be in the answer to a question for any other type."""


class RecordType(enum.StrEnum):
    """The record types that are asked for."""

    A = "A"
    AAAA = "AAAA"
    SRV = "SRV"
    PTR = "PTR"
    CNAME = "CNAME"
    TXT = "TXT"

    @classmethod
    def of(cls, family: Family) -> RecordType:
        """The type that holds addresses of a family."""
        return cls.A if family is Family.IPV4 else cls.AAAA

    @property
    def family(self) -> Family | None:
        """The family of the addresses that this type holds, None for other types."""
        return {RecordType.A: Family.IPV4, RecordType.AAAA: Family.IPV6}.get(self)


class MalformedAnswer(ValueError):
    """Bytes that are no answer to the question that was asked."""


@dataclasses.dataclass(frozen=True, slots=True)
class DnsQuestion:
    """What is asked. `name` is absolute, with its closing dot.

    `edns` is the payload size that the client offers (RFC 6891), None for no EDNS at all. `cd` sets
    the bit "checking disabled", which caches keep apart: such an answer is not the one that was
    cached for the plain question (RFC 6840 section 5.9).
    """

    name: str
    type: RecordType
    edns: int | None = None
    cd: bool = False

    @property
    def udp_limit(self) -> int:
        """The most bytes that an answer over UDP may have."""
        return NO_EDNS_LIMIT if self.edns is None else max(NO_EDNS_LIMIT, self.edns)

    def __str__(self) -> str:
        return f"{self.type} {self.name}" + (f" (EDNS {self.edns})" if self.edns else "")


@dataclasses.dataclass(frozen=True, slots=True)
class DnsRecord:
    """One record. `data` is comparable text: a canonical address, a lower-case name with its dot,
    for SRV ``PORT TARGET`` (priority and weight are the server's to choose)."""

    name: str
    type: str
    ttl: int
    data: str


@dataclasses.dataclass(frozen=True, slots=True)
class DnsAnswer:
    """An answer as it came. `question_name` is spelt as the server repeated it, `size` in bytes,
    `edns` the payload size that the server offers, None where it sent no OPT record."""

    rcode: str
    aa: bool
    tc: bool
    question_name: str
    records: tuple[DnsRecord, ...]
    authority: tuple[DnsRecord, ...]
    size: int
    edns: int | None = None

    def data(self, kind: RecordType) -> frozenset[str]:
        """What the records of a type say, wherever an alias led."""
        return frozenset(r.data for r in self.records if r.type == kind)

    def others(self, kind: RecordType) -> frozenset[str]:
        """Records of other types than the one asked for, as ``A 192.0.2.1``; an alias on the way
        to an answer (RFC 1034 section 3.6.2, RFC 6672) and signatures are none."""
        return frozenset(
            f"{r.type} {r.data}" for r in self.records if r.type not in (kind, *_BESIDE)
        )

    @property
    def has_soa(self) -> bool:
        """Whether the authority section says for how long a denial may be kept."""
        return any(r.type == "SOA" for r in self.authority)

    @property
    def ttl(self) -> int | None:
        """Seconds for which the answer may be kept: the least of its records."""
        return min((r.ttl for r in (*self.records, *self.authority)), default=None)

    def __str__(self) -> str:
        flags = "".join(f" {word}" for word, on in (("aa", self.aa), ("tc", self.tc)) if on)
        return f"{self.rcode}{flags}, {len(self.records)} records, {self.size} bytes"


def encode(question: DnsQuestion, number: int) -> bytes:
    """The question as a message; `number` is its ID."""
    message = dns.message.make_query(
        question.name,
        question.type.value,
        use_edns=False if question.edns is None else 0,
        payload=question.edns or 0,
    )
    message.id = number
    if question.cd:
        message.flags |= dns.flags.CD
    return message.to_wire()


def decode(data: bytes, question: DnsQuestion, number: int) -> DnsAnswer:
    """The answer in a message.

    Raises:
        MalformedAnswer: not a DNS message, or not the answer to this question.
    """
    try:
        message = dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError) as error:
        raise MalformedAnswer(f"not a DNS message: {error or type(error).__name__}") from error
    return _answer(message, len(data), question, number)


def _answer(
    message: dns.message.Message, size: int, question: DnsQuestion, number: int
) -> DnsAnswer:
    if message.id != number:
        raise MalformedAnswer(f"the ID is {message.id}, asked was {number}")
    if not message.flags & dns.flags.QR or message.opcode() != dns.opcode.QUERY:
        raise MalformedAnswer("not an answer to a query")
    if not message.question and message.rcode() != dns.rcode.NOERROR:
        asked = question.name  # a server that could not read the question need not repeat it
    elif len(message.question) != 1 or not _same(message.question[0], question):
        shown = ", ".join(map(str, message.question)) or "nothing"
        raise MalformedAnswer(f"answers {shown}")
    else:
        asked = message.question[0].name.to_text()
    return DnsAnswer(
        rcode=dns.rcode.to_text(message.rcode()),
        aa=bool(message.flags & dns.flags.AA),
        tc=bool(message.flags & dns.flags.TC),
        question_name=asked,
        records=_records(message.answer),
        authority=_records(message.authority),
        size=size,
        edns=message.payload if message.edns >= 0 else None,
    )


def _same(asked: dns.rrset.RRset, question: DnsQuestion) -> bool:
    return (
        asked.name == dns.name.from_text(question.name)  # names compare whatever their case
        and dns.rdatatype.to_text(asked.rdtype) == question.type
    )


def _records(section: Iterable[dns.rrset.RRset]) -> tuple[DnsRecord, ...]:
    return tuple(
        DnsRecord(
            name=rrset.name.to_text().lower(),
            type=dns.rdatatype.to_text(rrset.rdtype),
            ttl=rrset.ttl,
            data=_data(rrset.rdtype, rdata),
        )
        for rrset in section
        for rdata in rrset
    )


def _data(kind: dns.rdatatype.RdataType, rdata: dns.rdata.Rdata) -> str:
    text = rdata.to_text()
    if kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        return str(ipaddress.ip_address(text))
    if kind == dns.rdatatype.SRV:
        return " ".join(text.split()[2:]).lower()
    return text if kind == dns.rdatatype.TXT else text.lower()
