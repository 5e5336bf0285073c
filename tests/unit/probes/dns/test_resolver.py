"""Lookups: what getaddrinfo returned, how long it took, and what must not count against the DNS."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event
from sixproof.errors import ChannelLost
from sixproof.model import Family
from sixproof.probes.connect import fake_agents
from sixproof.probes.connect.fake_agents import FakeAgents, Script
from sixproof.probes.dns import judge as dns_judge
from sixproof.probes.dns import lookups as dns_lookups
from sixproof.probes.dns import resolver as dns_resolver
from sixproof.probes.dns.judge import DnsExpectation
from sixproof.probes.dns.lookups import Latencies, Wanted
from sixproof.probes.dns.resolver import LookupObservation, ResolverCall, ResolverProbe
from sixproof.probes.dns.verdict import DnsOutcome
from tests.unit.probes.dns.samples import NAME, ONE, TWO

LOOKUP = ResolverCall(ONE, NAME)
BOTH = ("2001:db8::1", "192.0.2.1")
O = DnsOutcome  # noqa: E741 - as the tables read


def found(event: str = Event.ANSWERED, *addresses: str, **fields: object) -> protocol.Found:
    """What an agent reports of one call."""
    values: dict[str, object] = {"latency": 0.002, **fields}
    return protocol.Found(NAME, "any", event, list(addresses), **values)  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class Case:
    """What a call came to."""

    name: str
    found: protocol.Found
    outcome: DnsOutcome
    because: str = ""
    lag: float = 0.0

    def __str__(self) -> str:
        return self.name


CASES = (
    Case("addresses", found(Event.ANSWERED, *BOTH), O.NOERROR),
    Case("slow addresses", found(Event.ANSWERED, *BOTH, latency=5.01), O.NOERROR),
    Case(
        "slow addresses of a stalled agent",
        found(Event.ANSWERED, *BOTH, latency=5.01),
        O.UNKNOWN,
        "stalled for 4.00 s",
        4.0,
    ),
    Case("quick addresses of a stalled agent", found(Event.ANSWERED, *BOTH), O.NOERROR, lag=4.0),
    Case("no address", found(error="EAI_NODATA"), O.NODATA, "EAI_NODATA"),
    Case("no address of the family", found(error="EAI_ADDRFAMILY"), O.NODATA),
    Case("no name", found(error="EAI_NONAME"), O.NXDOMAIN),
    Case("temporary failure at once", found(error="EAI_AGAIN"), O.SERVFAIL),
    Case("temporary failure in the end", found(error="EAI_AGAIN", latency=10.0), O.TIMEOUT),
    Case(
        "temporary failure of a stalled agent",
        found(error="EAI_AGAIN", latency=10.0),
        O.UNKNOWN,
        "stalled",
        6.0,
    ),
    Case("another error", found(error="EAI_FAIL", detail="failure"), O.ERROR, "EAI_FAIL failure"),
    Case("no return", found(Event.SILENT), O.TIMEOUT, "no result in 40.0 s"),
    Case("no return of a stalled agent", found(Event.SILENT), O.UNKNOWN, "stalled", 3.0),
    Case("not tried", found(Event.FAILED, detail="no thread"), O.UNKNOWN, "no thread"),
    Case("out of files", found(Event.FAILED, error="EAI_SYSTEM"), O.UNKNOWN, "EAI_SYSTEM"),
    Case("no address at all", found(Event.ANSWERED, "hello"), O.UNKNOWN, "no address: hello"),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case) -> None:
    seen = dns_resolver.observe(LOOKUP, case.found, 40.0, case.lag)
    assert (seen.outcome, case.because in seen.reason) == (case.outcome, True), seen


def test_order_of_addresses_is_kept() -> None:
    seen = dns_resolver.observe(LOOKUP, found(Event.ANSWERED, *BOTH), 40.0, 0.0)

    assert [str(a) for a in seen.addresses] == list(BOTH)
    assert seen.data == set(BOTH)
    assert seen.to_json() == {
        "source": "a@worker",
        "call": f"getaddrinfo({NAME}, AF_UNSPEC)",
        "outcome": "NOERROR",
        "addresses": list(BOTH),
        "reason": "",
        "latencySeconds": 0.002,
    }


@pytest.mark.parametrize(
    ("latency", "timeout", "resent"),
    [(0.1, 5.0, False), (4.4, 5.0, False), (4.6, 5.0, True), (1.0, 1.0, True), (None, 5.0, False)],
)
def test_stall_is_of_the_resolver_s_own_timeout(
    latency: float | None, timeout: float, resent: bool
) -> None:
    lookup = dataclasses.replace(LOOKUP, timeout=timeout)
    assert LookupObservation(lookup, O.NOERROR, latency=latency).resent is resent


def resolver(drop: int = 0) -> Script:
    """An agent that finds both addresses of every name; `drop` results are lost."""

    def script(request: object) -> object:
        assert isinstance(request, protocol.Resolve)
        kept = request.lookups[: len(request.lookups) - drop]
        answers = [
            dataclasses.replace(found(Event.ANSWERED, *BOTH), name=k.name, family=k.family)
            for k in kept
        ]
        return protocol.Resolved(answers, 0.0)

    return script


def test_every_pod_gets_one_batch() -> None:
    agents = FakeAgents({ONE.name: resolver(), TWO.name: resolver()})
    lookups = [ResolverCall(s, NAME, f) for f in (None, *Family) for s in (ONE, TWO)]
    seen = ResolverProbe(agents).look_up(lookups, 40.0)

    assert [o.lookup for o in seen] == lookups
    assert sorted(name for name, _ in agents.asked) == [ONE.name, TWO.name]
    request = agents.asked[0][1]
    assert isinstance(request, protocol.Resolve)
    assert [k.family for k in request.lookups] == ["any", "IPv4", "IPv6"]
    assert request.timeout == 40.0


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (fake_agents.failing(ChannelLost("a@worker: control channel silent")), "channel silent"),
        (resolver(drop=1), "1 lookups asked, 0 answered"),
    ],
)
def test_lost_agent_is_unknown(script: Script, said: str) -> None:
    agents = FakeAgents({ONE.name: script, TWO.name: resolver()})
    seen = ResolverProbe(agents).look_up([LOOKUP, ResolverCall(TWO, NAME)], 40.0)

    assert [o.outcome for o in seen] == [O.UNKNOWN, O.NOERROR]
    assert said in seen[0].reason


def observation(latency: float | None, outcome: DnsOutcome = O.NOERROR) -> LookupObservation:
    return LookupObservation(LOOKUP, outcome, latency=latency)


def test_latencies() -> None:
    seen = [observation(i / 1000) for i in range(1, 101)] + [observation(6.0)]
    spread = Latencies.of([*seen, observation(None), observation(9.0, O.UNKNOWN)])

    assert spread is not None
    assert (spread.count, spread.longest, spread.resent) == (101, 6.0, 1)
    assert spread.median == pytest.approx(0.051)
    assert spread.p95 == pytest.approx(0.096)
    assert str(spread) == (
        "101 calls: median 51.0 ms, 95 % within 96.0 ms, longest 6000.0 ms; 1 asked again"
    )
    assert Latencies.of([observation(None)]) is None


def test_lookups_that_asked_again_are_reported() -> None:
    slow = dns_resolver.observe(LOOKUP, found(Event.ANSWERED, *BOTH, latency=5.012), 40.0, 0.0)
    quick = dns_resolver.observe(LOOKUP, found(Event.ANSWERED, *BOTH), 40.0, 0.0)
    lost = dns_resolver.observe(LOOKUP, found(Event.SILENT), 40.0, 0.0)
    text = dns_lookups.stalls([quick, slow, lost])

    assert dns_lookups.stalls([quick]) == ""
    stalled = dataclasses.replace(slow, outcome=O.UNKNOWN, stalled=4.0)
    assert dns_lookups.stalls([quick, stalled]) == "", "its agent was late, not the answer"
    assert text.splitlines()[0].startswith("2 of 3 lookups had to send a question again (")
    assert f"a@worker: getaddrinfo({NAME}, AF_UNSPEC) took 5.01 s" in text
    assert "did not return; its resolver asks again after 5 s" in text


WANTED: Wanted = {
    (NAME, None): DnsExpectation.records(BOTH, "clusterIPs of Service shop/web"),
    (NAME, Family.IPV6): DnsExpectation.records(BOTH[:1], "clusterIPs of Service shop/web"),
}


def test_lookup_that_misses_a_family_is_wrong() -> None:
    whole = dns_resolver.observe(LOOKUP, found(Event.ANSWERED, *BOTH), 40.0, 0.0)
    half = dns_resolver.observe(LOOKUP, found(Event.ANSWERED, BOTH[1]), 40.0, 0.0)
    none = dns_resolver.observe(
        ResolverCall(TWO, NAME, Family.IPV6), found(error="EAI_NONAME"), 40.0, 0.0
    )
    seen = (whole, half, none)
    wrong = dns_lookups.disagreements(seen, WANTED)
    servers = {ONE.name: "10.96.0.10", TWO.name: "fd00:10:96::a"}
    text = dns_lookups.verdict("lookups", seen, wrong, WANTED, servers)

    assert wrong == (half, none)
    assert text.splitlines() == [
        "lookups: 2 of 3 lookups are wrong",
        f"  getaddrinfo({NAME}, AF_UNSPEC): {{192.0.2.1}}, expected {{192.0.2.1, 2001:db8::1}} "
        "(clusterIPs of Service shop/web)",
        "    by a@worker, whose nameservers are 10.96.0.10; missing {2001:db8::1}; after 2.0 ms",
        f"  getaddrinfo({NAME}, AF_INET6): NXDOMAIN, expected {{2001:db8::1}} "
        "(clusterIPs of Service shop/web)",
        "    by a@worker2, whose nameservers are fd00:10:96::a; after 2.0 ms; EAI_NONAME",
    ]


def test_many_wrong_lookups_are_cut() -> None:
    names = [f"n{i}.example." for i in range(20)]
    wanted: Wanted = {(n, None): DnsExpectation.records(BOTH, "-") for n in names}
    seen = [LookupObservation(ResolverCall(ONE, n), O.UNKNOWN, (), "lost") for n in names]
    text = dns_lookups.verdict("lookups", seen, seen, wanted, {})

    assert "not measured, expected" in text
    assert f"... and {20 - dns_judge.KINDS} more" in text
