"""The truth about names: API objects read, and what the specification makes of them."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from sixproof.model import Family
from sixproof.probes.dns import records, truth
from sixproof.probes.dns.judge import DnsExpectation
from sixproof.probes.dns.message import DnsQuestion, RecordType
from sixproof.probes.dns.truth import TrueEndpoint, TruePort, TrueService
from sixproof.probes.dns.verdict import DnsOutcome

ZONE = "cluster.local"
V4, V6 = Family.IPV4, Family.IPV6


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def service(**fields: Any) -> TrueService:
    return TrueService("shop", "web", **fields)


def headless(*endpoints: TrueEndpoint, **fields: Any) -> TrueService:
    return service(headless=True, endpoints=endpoints, **fields)


DUAL = service(cluster_ips=(ip("10.96.0.1"), ip("fd00::1")))
ONLY_V4 = service(cluster_ips=(ip("10.96.0.1"),))
PODS = headless(
    TrueEndpoint(ip("192.0.2.1"), "left"),
    TrueEndpoint(ip("2001:db8::1"), "left"),
    TrueEndpoint(ip("2001:db8::2"), "right"),
    TrueEndpoint(ip("2001:db8::3"), "gone", ready=False),
)
NOBODY = headless(TrueEndpoint(ip("2001:db8::3"), ready=False))


def expected_records(expected: DnsExpectation) -> list[str] | None:
    """The records that are expected, in order; None where any will do."""
    return None if expected.data is None else sorted(expected.data)


@pytest.mark.parametrize(
    ("known", "family", "outcome", "data"),
    [
        (DUAL, V4, DnsOutcome.NOERROR, ["10.96.0.1"]),
        (DUAL, V6, DnsOutcome.NOERROR, ["fd00::1"]),
        (ONLY_V4, V4, DnsOutcome.NOERROR, ["10.96.0.1"]),
        (ONLY_V4, V6, DnsOutcome.NODATA, []),
        (PODS, V4, DnsOutcome.NOERROR, ["192.0.2.1"]),
        (PODS, V6, DnsOutcome.NOERROR, ["2001:db8::1", "2001:db8::2"]),
        (headless(TrueEndpoint(ip("192.0.2.1"))), V6, DnsOutcome.NODATA, []),
        (NOBODY, V6, DnsOutcome.NXDOMAIN, None),
        (NOBODY, V4, DnsOutcome.NXDOMAIN, None),
        (headless(), V6, DnsOutcome.NXDOMAIN, None),
    ],
)
def test_name_of_a_service(
    known: TrueService, family: Family, outcome: DnsOutcome, data: list[str] | None
) -> None:
    answers = records.addresses([known], ZONE, family)
    question = DnsQuestion("web.shop.svc.cluster.local.", RecordType.of(family))

    assert answers.keys() == {question}
    assert answers[question].outcomes == {outcome}
    assert expected_records(answers[question]) == data


@pytest.mark.parametrize(
    ("known", "family", "data"),
    [
        (DUAL, None, ["10.96.0.1", "fd00::1"]),
        (ONLY_V4, None, ["10.96.0.1"]),
        (ONLY_V4, V6, []),
        (PODS, None, ["192.0.2.1", "2001:db8::1", "2001:db8::2"]),
        (NOBODY, None, None),
    ],
)
def test_what_a_resolver_finds(
    known: TrueService, family: Family | None, data: list[str] | None
) -> None:
    assert expected_records(records.found(known, family)) == data


def test_host_names_of_endpoints() -> None:
    answers = records.hostnames([PODS], ZONE, V4)
    by_host = {q.name.partition(".")[0]: e for q, e in answers.items()}

    assert expected_records(by_host["left"]) == ["192.0.2.1"]
    assert by_host["right"].outcomes == {DnsOutcome.NODATA}
    assert by_host["gone"].outcomes == {DnsOutcome.NXDOMAIN}
    assert "not ready" in by_host["gone"].because


PORTS = (TruePort("web", "tcp", 80), TruePort("echo", "udp", 81), TruePort("", "tcp", 82))


def test_named_ports_of_a_service() -> None:
    answers = records.ports([service(cluster_ips=(ip("fd00::1"),), ports=PORTS)], ZONE)

    assert {q.name: expected_records(e) for q, e in answers.items()} == {
        "_web._tcp.web.shop.svc.cluster.local.": ["80 web.shop.svc.cluster.local."],
        "_echo._udp.web.shop.svc.cluster.local.": ["81 web.shop.svc.cluster.local."],
    }


def test_named_ports_of_endpoints_are_as_many_as_ports_times_hosts() -> None:
    known = headless(*PODS.endpoints, ports=PORTS)
    answers = records.endpoint_ports([known], ZONE)
    fqdn = "web.shop.svc.cluster.local."

    assert {q.name.split(".")[0]: expected_records(e) for q, e in answers.items()} == {
        "_web": [f"80 left.{fqdn}", f"80 right.{fqdn}"],
        "_echo": [f"81 left.{fqdn}", f"81 right.{fqdn}"],
    }
    assert records.any_ports([known], ZONE).keys() == answers.keys()


def test_targets_must_have_an_address_of_the_family() -> None:
    answers = records.targets(["left.web."], V6)
    assert answers == {
        DnsQuestion("left.web.", RecordType.AAAA): DnsExpectation.only(
            DnsOutcome.NOERROR, "an SRV record names it"
        )
    }


NIBBLES = "1." + "0." * 27 + "0.0.d.f.ip6.arpa."


def test_ipv6_backwards_has_all_nibbles() -> None:
    name = records.reverse_name(ip("fd00::1"))

    assert name == NIBBLES
    assert name.count(".") == 34
    assert records.reverse_name(ip("192.0.2.1")) == "1.2.0.192.in-addr.arpa."


def test_addresses_lead_back() -> None:
    service_answers = records.reverse_of_services([DUAL], ZONE, V6)
    endpoint_answers = records.reverse_of_endpoints([PODS], ZONE, V6)

    assert {q.name: expected_records(e) for q, e in service_answers.items()} == {
        NIBBLES: ["web.shop.svc.cluster.local."]
    }
    assert {e.because: expected_records(e) for e in endpoint_answers.values()} == {
        "endpoint left of Service shop/web": ["left.web.shop.svc.cluster.local."],
        "endpoint right of Service shop/web": ["right.web.shop.svc.cluster.local."],
    }
    assert all(e.at_least for e in endpoint_answers.values())
    (nobody,) = records.unassigned([ip("fd00::1")]).values()
    assert nobody.outcomes == {DnsOutcome.NXDOMAIN}


def test_alias_and_unknown_names() -> None:
    alias = service(alias="Real.Example")
    assert [expected_records(e) for e in records.aliases([alias], ZONE).values()] == [
        ["real.example."]
    ]
    unknown = records.unknown(["nobody.example."], V6, "nobody")
    assert unknown == {
        DnsQuestion("nobody.example.", RecordType.AAAA): DnsExpectation.only(
            DnsOutcome.NXDOMAIN, "nobody"
        )
    }


def test_objects_are_read() -> None:
    services: list[dict[str, Any]] = [
        {
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "clusterIPs": ["10.96.0.1", "fd00::1"],
                "ports": [{"name": "web", "port": 80}, {"port": 81, "protocol": "UDP"}],
            },
        },
        {"metadata": {"name": "pods", "namespace": "shop"}, "spec": {"clusterIPs": ["None"]}},
        {"metadata": {"name": "out", "namespace": "shop"}, "spec": {"externalName": "x.example"}},
    ]
    slices: list[dict[str, Any]] = [
        {
            "metadata": {"labels": {truth.SERVICE_NAME: "pods"}},
            "endpoints": [
                {"addresses": ["2001:db8::1"], "hostname": "left"},
                {"addresses": ["2001:db8::2"], "conditions": {"ready": True}},
                {"addresses": ["2001:db8::3"], "conditions": {"ready": False, "serving": True}},
                {"addresses": ["example.com"]},
            ],
        },
        {
            "metadata": {"labels": {truth.SERVICE_NAME: "pods"}},
            "endpoints": [{"addresses": ["2001:db8::1"], "hostname": "left"}],
        },
        {"metadata": {"labels": {truth.SERVICE_NAME: "other"}}, "endpoints": [{}]},
    ]
    found = truth.parse(services, slices)

    assert found["web"].ports == (TruePort("web", "tcp", 80), TruePort("", "udp", 81))
    assert found["web"].cluster_ips == (ip("10.96.0.1"), ip("fd00::1"))
    assert [e.ready for e in found["pods"].endpoints] == [True, True, False]
    assert found["pods"].headless
    assert not found["web"].headless
    assert found["out"].alias == "x.example"
    assert found["pods"].source == "ready endpoints of Service shop/pods"
    assert found["web"].source == "clusterIPs of Service shop/web"


def test_denied_questions_get_no_answer() -> None:
    (denied,) = records.silent(records.unassigned([ip("fd00::1")]), "a policy").values()
    assert denied.outcomes == {DnsOutcome.TIMEOUT, DnsOutcome.UNREACHABLE}
    assert denied.because == "a policy"
