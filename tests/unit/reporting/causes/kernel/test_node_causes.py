"""Addresses of nodes, MTUs of routes, and policy rules that go by the source, as causes."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.agent.protocol import AddressHeld, RouteHeld, RuleSeen
from sixproof.model import Disagreement, Family, Flow, Outcome
from sixproof.reporting.causes.kernel import route_mtus
from sixproof.reporting.conclusion.cause import Confidence
from sixproof.reporting.conclusion.conclude import conclude
from sixproof.reporting.conclusion.conclusion import Conclusions
from sixproof.reporting.conclusion.situation import Situation
from tests.unit.reporting.conclusion.cluster import (
    FACTS,
    RULES,
    TUNNELS,
    across,
    concluded,
    examined,
    node,
    run,
)
from tests.unit.reporting.samples import NODES, pods

FOUR, SIX = Family.IPV4, Family.IPV6
ADDRESS = "2001:db8::1"
FIRST = NODES[0]


def held(
    *flags: str, preferred: float | None = None, valid: float | None = None
) -> list[AddressHeld]:
    """The first node's addresses; its IPv6 address has these flags and lifetimes."""
    four, six = node(FIRST).addresses
    flagged = ["permanent", *flags]
    return [four, dataclasses.replace(six, flags=flagged, preferred=preferred, valid=valid)]


def concluded_with(addresses: list[AddressHeld], **more: object) -> Conclusions:
    """What is concluded when IPv6 to and from that node is lost."""
    read = examined({FIRST: node(FIRST, addresses=addresses, **more)})
    return conclude(dataclasses.replace(run(across(SIX, FIRST), read), facts=FACTS))


def test_an_address_that_was_taken_from_a_node_is_named() -> None:
    """I24: since when, and over which family alone."""
    (one,) = concluded_with(held()[:1]).every
    assert one.first_screen.startswith(
        f"node {FIRST}: no device has its InternalIP {ADDRESS}: IPv6 packets between {FIRST} and "
        f"other nodes are lost (new since the run began). Add it again, and see what took it away."
    )
    assert list(map(str, one.causes[0].do)) == [
        f"on {FIRST}: ip -6 address add {ADDRESS}/64 dev eth0"
    ]
    assert one.causes[0].families == (SIX,)


@pytest.mark.parametrize(
    ("device", "said"),
    [("eth0", f"{ADDRESS}/64 dev eth0"), ("bond0", f"{ADDRESS}/PREFIX dev DEVICE")],
)
def test_an_address_that_was_never_there_is_added_as_on_the_other_nodes(
    device: str, said: str
) -> None:
    """Where these have theirs alike; nobody took it away."""
    sick = node(FIRST, addresses=held()[:1])
    other = node("worker")
    moved = [dataclasses.replace(one, device=device) for one in other.addresses]
    read = examined(
        {FIRST: sick, "worker": dataclasses.replace(other, addresses=moved)}, before={FIRST: sick}
    )
    (one,) = conclude(dataclasses.replace(run(across(SIX, FIRST), read), facts=FACTS)).every
    assert one.first_screen.startswith(f"Likely cause: node {FIRST}: no device has its InternalIP")
    assert one.first_screen.endswith("are lost. Add it again.")
    assert one.causes[0].do[0].text == f"ip -6 address add {said}"


def test_a_tentative_address_is_shown_with_its_flags_and_what_detection_takes() -> None:
    """I24: the setting where the node said it."""
    told = {"net/ipv6/conf/eth0/dad_transmits": "255"}
    (one,) = concluded_with(held("tentative"), sysctls=told).every
    assert one.evidence[0] == f"flags of {ADDRESS}: permanent, tentative"
    assert one.evidence[1].startswith("net.ipv6.conf.eth0.dad_transmits is 255: detection sends")
    (other,) = concluded_with(held("deprecated"), sysctls=told).every
    assert other.evidence == (f"flags of {ADDRESS}: permanent, deprecated",)


@pytest.mark.parametrize(
    ("preferred", "valid", "said"),
    [
        (0.0, 290.0, "of 0 s and a valid lifetime of 290 s, after which it is removed"),
        (0.0, None, "of 0 s and a valid lifetime without end"),
        (None, None, ""),
    ],
    ids=["until it is removed", "for good", "without end"],
)
def test_a_deprecated_address_is_shown_with_its_lifetimes(
    preferred: float | None, valid: float | None, said: str
) -> None:
    """RFC 4862 section 5.5.4: where one has an end."""
    (one,) = concluded_with(held("deprecated", preferred=preferred, valid=valid)).every
    lived = [line for line in one.evidence if "lifetime" in line]
    assert lived == ([f"{ADDRESS} has a preferred lifetime {said}"] if said else [])


def test_an_address_that_is_gone_may_have_run_out() -> None:
    """What it had when the run began."""
    before = {FIRST: node(FIRST, addresses=held(preferred=30.0, valid=60.0))}
    read = examined({FIRST: node(FIRST, addresses=held()[:1])}, before=before)
    (one,) = conclude(dataclasses.replace(run(across(SIX, FIRST), read), facts=FACTS)).every
    assert "no device has its InternalIP" in one.headline
    assert one.evidence[0] == (
        f"{ADDRESS} had, when the run began, a preferred lifetime of 30 s and a valid lifetime of "
        "60 s, after which it is removed"
    )


def test_addresses_that_were_not_read_to_the_end_are_not_missed() -> None:
    (one,) = concluded_with(held()[:1], cut=["addresses"]).every
    assert not one.known


@pytest.mark.parametrize(
    ("addresses", "words"),
    [
        (held("tentative", "dadfailed"), "failed duplicate address detection"),
        (held("tentative"), "is tentative"),
        (held("deprecated"), "is deprecated"),
        (held(preferred=0), "is deprecated"),
    ],
)
def test_an_address_that_the_kernel_does_not_use_is_named(
    addresses: list[AddressHeld], words: str
) -> None:
    (one,) = concluded_with(addresses).every
    assert words in one.headline
    assert f"{ADDRESS} on eth0" in one.headline
    assert one.headline.startswith("Likely cause: ")


@pytest.mark.parametrize(
    ("addresses", "sure"),
    [
        (held("tentative", "dadfailed"), Confidence.SHOWN),
        (held("tentative"), Confidence.SHOWN),
        (held("deprecated"), Confidence.FITS),
        (held("tentative", "optimistic", "deprecated"), Confidence.FITS),
    ],
)
def test_an_address_that_takes_no_packets_from_the_beginning_is_shown(
    addresses: list[AddressHeld], sure: Confidence
) -> None:
    """The kernel takes none for a tentative address; a deprecated one is still answered."""
    sick = node(FIRST, addresses=addresses)
    read = examined({FIRST: sick}, before={FIRST: sick})
    (one,) = conclude(dataclasses.replace(run(across(SIX, FIRST), read), facts=FACTS)).every
    assert one.confidence is sure
    assert one.headline.startswith("Likely cause: ") is (sure is Confidence.FITS)


def test_an_optimistic_address_is_used() -> None:
    """RFC 4429: the kernel takes packets for it while detection goes on."""
    (one,) = concluded_with(held("tentative", "optimistic")).every
    assert not one.known


def test_a_policy_rule_for_what_pods_send_is_found_though_the_node_itself_is_not_hit() -> None:
    """R2F: the node's own packets take the main table, and those of its pods another one."""
    rules = [
        *RULES,
        RuleSeen(SIX.value, 5271, "table", 53, source="fd00::/8", destination="fd00::/8"),
    ]
    sick = node("worker")
    routes = [*sick.routes, RouteHeld("::/0", 53, "blackhole")]
    sick = dataclasses.replace(sick, rules=rules, routes=routes)

    def rule(flow: Flow) -> Outcome:
        return across(SIX, "worker")(flow)

    (one,) = concluded(rule, examined({"worker": sick})).every
    assert one.headline.startswith("node worker: policy rule 5271 (from fd00::/8 to fd00::/8")
    assert "IPv6 packets of its pods to pods of 2 nodes into the blackhole" in one.headline
    assert one.evidence[:2] == (
        "policy rule 5271 (from fd00::/8 to fd00::/8 lookup 53)",
        "to pods of control-plane and worker2",
    )
    sent = next(p for p in pods() if p.node == "worker").address(SIX)
    assert f"from {sent} iif cali" in one.causes[0].see[0].text


def of_a_size(wrong: Disagreement, outcome: Outcome) -> Disagreement:
    """The cell as one of a path check that came to this."""
    seen = wrong.observation
    flow = dataclasses.replace(seen.flow, question="a plain UDP socket gets through")
    seen = dataclasses.replace(seen, flow=flow, outcome=outcome)
    return dataclasses.replace(wrong, observation=seen)


def test_a_narrow_route_is_a_sign_of_its_mtu_and_of_the_pods_behind_it() -> None:
    """A path may be narrow: that alone loses nothing, and what lost is wrong stands first."""
    sick = node("worker")
    far = [f"{p.address(SIX)}/128" for p in pods() if p.node == "worker2"]
    routes = [dataclasses.replace(r, mtu=1300) if r.destination in far else r for r in sick.routes]
    read = examined({"worker": dataclasses.replace(sick, routes=routes)})
    situation = Situation(run(across(SIX, "worker"), read))
    (cause,) = route_mtus.find(situation)
    assert cause.what.startswith("its route fd00:")
    assert f"dev {TUNNELS[SIX]} has MTU 1300 bytes, the device 1450 bytes" in cause.what
    assert cause.what.endswith("larger IPv6 packets to worker2 are too big")
    assert cause.since == "new since the run began"
    lost = [of_a_size(wrong, Outcome.DROPPED) for wrong in situation.wrong]
    assert any(map(cause.hits, lost))
    carried = [of_a_size(wrong, Outcome.WRONG) for wrong in situation.wrong]
    assert not any(map(cause.hits, carried)), "what was carried was not too big"
    ordinary = concluded(across(SIX, "worker"), read)
    assert not any(one.known for one in ordinary.every), "lost small packets are not of a size"
