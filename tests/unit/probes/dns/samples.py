"""Queries, answers and observations to judge, in few words."""

from __future__ import annotations

import base64
import dataclasses
import ipaddress

from sixproof.agent import protocol
from sixproof.model import Endpoint, EndpointKind, Family
from sixproof.probes.dns.message import DnsAnswer, DnsQuestion, DnsRecord, RecordType
from sixproof.probes.dns.verdict import (
    DnsObservation,
    DnsOutcome,
    DnsQuery,
    DnsServer,
    Transport,
)

ZONE = "cluster.local"
NAME = f"web.shop.svc.{ZONE}."
A_QUESTION = DnsQuestion(NAME, RecordType.A)
QUESTION = DnsQuestion(NAME, RecordType.AAAA)
NUMBER = 4711


def pod(name: str, node: str, number: int = 1) -> Endpoint:
    """A dual-stack pod."""
    return Endpoint(
        name=f"{name}@{node}",
        kind=EndpointKind.POD,
        addresses=(
            ipaddress.ip_address(f"192.0.2.{number}"),
            ipaddress.ip_address(f"2001:db8::{number}"),
        ),
        namespace="six-a",
        pod=f"{name}-{node}",
        node=node,
    )


ONE, TWO = pod("a", "worker"), pod("a", "worker2", 2)
SERVERS = {
    Family.IPV4: DnsServer("kube-dns", ipaddress.ip_address("10.96.0.10")),
    Family.IPV6: DnsServer("kube-dns", ipaddress.ip_address("fd00:10:96::a")),
}
WAYS = tuple((family, transport) for family in Family for transport in Transport)


def query(
    family: Family = Family.IPV6,
    transport: Transport = Transport.UDP,
    question: DnsQuestion = QUESTION,
    source: Endpoint = ONE,
) -> DnsQuery:
    """One question to the DNS service."""
    return DnsQuery(source, SERVERS[family], transport, question)


def message(asked: DnsQuery, timeout: float = 2.0) -> protocol.Message:
    """What the agent was asked to send."""
    return protocol.Message(
        protocol=asked.transport.lower(),
        address=str(asked.server.address),
        port=53,
        nonce="0" * 16,
        timeout=timeout,
        payload="AA==",
    )


def reply(event: str, data: bytes = b"", **fields: object) -> protocol.Reply:
    """What the agent reports."""
    plain: dict[str, object] = {"nonce": "0" * 16, "event": event, "elapsed": 2.0, "sent": 3}
    payload = base64.b64encode(data).decode()
    return protocol.Reply(**{**plain, "payload": payload, **fields})  # type: ignore[arg-type]


def answered(asked: DnsQuery, *data: str, rcode: str = "NOERROR", ttl: int = 30) -> DnsAnswer:
    """An answer with these records of the type that was asked for."""
    kind = asked.question.type.value
    name = asked.question.name
    records = tuple(DnsRecord(name, kind, ttl, one) for one in data)
    return DnsAnswer(rcode, True, False, name, records, (), 40 + 28 * len(data))


def seen(
    asked: DnsQuery, *data: str, outcome: DnsOutcome | None = None, reason: str = ""
) -> DnsObservation:
    """An observation: records, or another outcome."""
    came = outcome or (DnsOutcome.NOERROR if data else DnsOutcome.NODATA)
    answer = answered(asked, *data, rcode="NOERROR") if came.answered else None
    if answer is not None and came not in (DnsOutcome.NOERROR, DnsOutcome.NODATA):
        answer = dataclasses.replace(answer, rcode=came.value)
    latency = 0.001 if came.answered else None
    return DnsObservation(asked, came, reason, answer, latency, 0.001, 1)
