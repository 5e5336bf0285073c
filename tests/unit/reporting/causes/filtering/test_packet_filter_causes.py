"""Rules of packet filters as causes: only where they can take a packet that a failed flow needs."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Sequence

import pytest

from sixproof.agent.protocol import ChainSeen, FilterRuleSeen, FilterSeen, LinkSeen
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.probes.nodes.examination import Examination, FilterReading
from sixproof.reporting.causes.filtering import packet_filter as causes
from sixproof.reporting.causes.filtering.takings import Taking, is_owned
from sixproof.reporting.conclusion.cause import Cause, Confidence
from sixproof.reporting.conclusion.conclusion import Conclusion
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import (
    across,
    conclude,
    concluded,
    drop,
    examined,
    hosts,
    node,
    packet_filter,
)
from tests.unit.reporting.filter_matches import matching
from tests.unit.reporting.samples import OPEN, RUN, pods

SIX, FOUR = Family.IPV6, Family.IPV4
PODS = "fd00:10:244::/56"
REFUSED = Expectation(frozenset({Outcome.REFUSED}), "nobody listens there")
HOSTS = {host.node: host for host in hosts()}
BY_NODE = {pod.node: pod for pod in pods("a")}
HERE, THERE = BY_NODE["worker"], BY_NODE["worker2"]
SERVICE = Endpoint(
    "web", EndpointKind.SERVICE, tuple(map(ipaddress.ip_address, ("10.96.0.9", "fd00:10:96::9")))
)
OUTSIDE = Endpoint(
    "outside",
    EndpointKind.OUTSIDE,
    tuple(map(ipaddress.ip_address, ("203.0.113.7", "2001:db8:0:7::7"))),
)


def flow(
    source: Endpoint,
    destination: Endpoint,
    port: int | None = 8080,
    *,
    protocol: Protocol = Protocol.TCP,
    question: str = "",
    family: Family = SIX,
) -> Flow:
    """One flow of a family."""
    address = destination.address(family)
    assert address is not None
    return Flow(source, destination, address, protocol, port, question)


def filters(
    *rules: FilterRuleSeen, rose: int = 0, where: str = "worker"
) -> dict[str, tuple[FilterSeen, FilterSeen]]:
    """The packet filter of a node with these rules, whose counters rose while flows were sent."""
    before = [
        dataclasses.replace(rule, packets=rule.packets and rule.packets - rose) for rule in rules
    ]
    return {where: (packet_filter(*before), packet_filter(*rules))}


def ran(
    kind: MatrixKind,
    flows: Iterable[Flow],
    outcome: Outcome = Outcome.DROPPED,
    *,
    expected: Expectation = OPEN,
    examination: Examination | None = None,
    other_way: bool = True,
) -> Results:
    """A run in which these flows fail and, `other_way`, those of the other family are carried."""
    wrong = [Observation(f, outcome) for f in flows]
    right = [
        Observation(dataclasses.replace(f, address=address), Outcome.ALLOWED)
        for f in flows
        if other_way and (address := f.destination.address(f.family.other))
    ]
    matrix = Matrix.of("t", [*wrong, *right], kind)
    wanted = {key: expected if o.outcome is outcome else OPEN for key, o in matrix.cells.items()}
    measured = Measured(matrix, wanted, "suites/x/t.py::t")
    cases = (Case("suites/x/t.py::t", CaseOutcome.FAILED),)
    return Results(RUN, cases=cases, matrices=(measured,), examination=examination)


def only_conclusion(results: Results) -> Conclusion:
    """The one conclusion of a run."""
    (one,) = conclude(results).every
    return one


SSH = "IPv6, tcp, dport 22"


@pytest.mark.parametrize("rose", [0, 9])
@pytest.mark.parametrize(
    ("match", "chain"),
    [
        (SSH, "input"),
        (SSH, "forward"),
        ("IPv6, tcp, sport 22", "forward"),
        ("IPv6, tcp, dport 30000-32767", "forward"),
        ("IPv6, sctp", "forward"),
        ("IPv6, source 2001:db8:bad::/48", "prerouting"),
        ("IPv6, destination 2001:db8:bad::5", "postrouting"),
        ("iifname lo", "prerouting"),
        ("oifname docker0", "forward"),
        ("IPv6, icmpv6, type 128", "forward"),
        ("IPv6, icmpv6, type 2", "input"),
        ("IPv6, icmpv6, type 1", "input"),
        ("IPv6, fragment", "prerouting"),
        ("IPv6, hop-by-hop options", "prerouting"),
        ("IPv6, above 1350 bytes", "prerouting"),
        ("IPv6, tcp", "input"),  # pods' packets are forwarded, and their tunnel is UDP
        ("IPv6, udp, dport 4789", "forward"),
        ("iifname vxlan-v6.calico, udp, dport 4789", "input"),
        ("IPv6, udp, dport 53", "input"),
    ],
)
def test_a_rule_that_cannot_take_the_packets_is_no_cause(match: str, chain: str, rose: int) -> None:
    """It dropped 57 packets of somebody else's, be it while failing flows were sent again."""
    flows = [flow(HERE, THERE), flow(THERE, HERE)]
    innocent = filters(drop(57, match, chain=chain), rose=rose)
    one = only_conclusion(ran(MatrixKind.FLOWS, flows, examination=examined(filters=innocent)))
    assert not one.known
    assert one.headline == "all IPv6 tcp/8080 flows are DROPPED (2 of 2 cells)"


@pytest.mark.parametrize(
    ("match", "chain", "known"),
    [
        ("IPv6, tcp, dport 80", "prerouting", True),
        ("IPv6, tcp, dport 8080", "forward", True),  # where a backend listens
        ("IPv6, tcp", "input", True),  # nobody knows who answers behind it
        (f"IPv6, destination {PODS}", "forward", True),
        ("IPv6, destination 2001:db8:bad::5", "forward", False),
        ("IPv6, udp, dport 4789", "input", True),
        (SSH, "input", False),
    ],
)
def test_behind_a_service_anybody_may_answer(match: str, chain: str, known: bool) -> None:
    """At the service's port or at those of probe pods, on the node or elsewhere."""
    read = examined(filters=filters(drop(57, match, chain=chain)))
    flows = [flow(pod, SERVICE, 80) for pod in pods() if pod.node == "worker"]
    assert only_conclusion(ran(MatrixKind.FLOWS, flows, examination=read)).known is known


def mesh(*protocols: Protocol) -> list[Flow]:
    """Flows between pods of worker and those of other nodes, both ways."""
    ports = {Protocol.ICMP: None}
    others = [BY_NODE[name] for name in ("control-plane", "worker2")]
    pairs = [pair for other in others for pair in ((HERE, other), (other, HERE))]
    return [
        flow(*pair, ports.get(protocol, 8080), protocol=protocol)
        for pair in pairs
        for protocol in protocols
    ]


EVERYTHING = mesh(Protocol.TCP, Protocol.UDP, Protocol.ICMP)
PATH = "the first full-size packet passes"


def sized(question: str, protocol: Protocol = Protocol.UDP) -> list[Flow]:
    """The same between pods, asking something of sizes or shapes."""
    return [dataclasses.replace(f, question=question) for f in mesh(protocol)]


def to_port(port: int, name: str = "worker", question: str = "") -> list[Flow]:
    """Flows to a port of a node's own, from itself and from a pod elsewhere."""
    host = HOSTS[name]
    return [flow(end, host, port, question=question) for end in (host, THERE)]


def dns() -> list[Flow]:
    """TCP questions of pods of worker to the DNS service, and to a replica there by itself."""
    replica = dataclasses.replace(HERE, name="coredns-x")
    asked = [flow(BY_NODE[n], replica, 53) for n in ("control-plane", "worker2")]
    return [flow(HERE, SERVICE, 53), flow(HOSTS["worker"], SERVICE, 53), *asked]


def sessions() -> list[Flow]:
    """The BGP sessions of worker."""
    peers = [HOSTS[name] for name in ("control-plane", "worker2")]
    return [flow(HOSTS["worker"], peer, None, question="BGP session") for peer in peers]


Rows = Sequence[tuple[str, str]]
FORMS: tuple[tuple[str, Rows, MatrixKind, list[Flow], Outcome, str], ...] = (
    (
        "I7",
        [
            ("oifname vxlan-v6.calico, tcp and udp", "forward"),
            ("iifname vxlan-v6.calico, tcp and udp", "forward"),
            ("oifname vxlan-v6.calico, tcp and udp", "output"),
            ("iifname vxlan-v6.calico, tcp and udp", "input"),
        ],
        MatrixKind.FLOWS,
        mesh(Protocol.TCP, Protocol.UDP),
        Outcome.DROPPED,
        "2 packet filter rules drop IPv6 TCP and UDP packets forwarded by the node",
    ),
    (
        "R9",
        [("iifname eth0, IPv6, udp, dport 4789", "input")],
        MatrixKind.FLOWS,
        EVERYTHING,
        Outcome.DROPPED,
        "drops IPv6 VXLAN packets meant for the node itself",
    ),
    (
        "R9 output",
        [("oifname eth0, IPv6, udp, dport 4789", "output")],
        MatrixKind.FLOWS,
        EVERYTHING,
        Outcome.REPLY_LOST,
        "drops IPv6 VXLAN packets sent by the node itself",
    ),
    (
        "R3",
        [("IPv6, tcp and udp", "input")],
        MatrixKind.FLOWS,
        to_port(28080),
        Outcome.DROPPED,
        "drops IPv6 TCP and UDP packets meant for the node itself",
    ),
    (
        "I9",
        [("IPv6, icmpv6, type 135", "input"), ("IPv6, icmpv6, type 135", "output")],
        MatrixKind.FLOWS,
        [*EVERYTHING, flow(HERE, dataclasses.replace(HERE, name="b@worker"))],
        Outcome.UNROUTABLE,
        "2 packet filter rules drop ICMPv6 Neighbor Solicitations meant for the node itself and "
        "sent by the node itself",
    ),
    (
        "I1",
        [("IPv6, icmpv6, type 2", chain) for chain in ("forward", "input", "output")],
        MatrixKind.PATHS,
        sized(PATH),
        Outcome.DROPPED,
        "3 packet filter rules drop ICMPv6 Packet Too Big messages forwarded by the node, meant "
        "for the node itself and sent by the node itself",
    ),
    (
        "I1, a client outside is not told",
        [("IPv6, icmpv6, type 2", "output")],
        MatrixKind.PATHS,
        [flow(OUTSIDE, HERE, protocol=Protocol.UDP, question="the sender was told")],
        Outcome.WRONG,
        "drops ICMPv6 Packet Too Big",
    ),
    (
        "I2S",
        [(f"iifname cali*, IPv6, destination fd00:10:96::/112 and {PODS}, above 1350 bytes",
          "prerouting")],
        MatrixKind.PATHS,
        sized(PATH),
        Outcome.DROPPED,
        "drops IPv6 packets from its pods",
    ),
    (
        "F1",
        [("iifname cali*, IPv6, fragment", "prerouting")],
        MatrixKind.PACKETS,
        sized("in order")[::2],
        Outcome.DROPPED,
        "drops IPv6 fragments from its pods",
    ),
    (
        "F2",
        [
            ("iifname cali*, IPv6, hop-by-hop options", "prerouting"),
            ("iifname cali*, IPv6, destination options", "prerouting"),
        ],
        MatrixKind.PACKETS,
        sized("hop-by-hop options")[::2],
        Outcome.DROPPED,
        "drop IPv6 packets from its pods (hop-by-hop options; destination options)",
    ),
    (
        "I23",
        [("IPv6, tcp, dport 53", "forward"), ("IPv6, tcp, dport 53", "output")],
        MatrixKind.DNS_QUESTIONS,
        dns(),
        Outcome.DROPPED,
        "drop IPv6 TCP packets forwarded by the node (dport 53)",
    ),
    (
        "C3",
        [("IPv6, tcp, dport 9091", "input")],
        MatrixKind.FLOWS,
        to_port(9091, question="GET /metrics"),
        Outcome.DROPPED,
        "(dport 9091)",
    ),
    (
        "B1",
        [
            (f"IPv6, tcp, {port} 179", chain)
            for chain in ("input", "output")
            for port in ("sport", "dport")
        ],
        MatrixKind.SESSIONS,
        sessions(),
        Outcome.WRONG,
        "2 packet filter rules drop IPv6 TCP packets",
    ),
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_each_fault_s_rule_can_take_what_it_breaks(
    form: tuple[str, Rows, MatrixKind, list[Flow], Outcome, str],
) -> None:
    """As nft lists it: every rule that the fault lays is a cause of every cell that it makes."""
    _, rows, kind, flows, outcome, said = form
    rules = [
        dataclasses.replace(drop(9, match, chain=chain), handle=number)
        for number, (match, chain) in enumerate(rows)
    ]
    results = ran(kind, flows, outcome, examination=examined(filters=filters(*rules)))
    (cause,) = found(results)
    assert said in cause.what
    assert all(map(cause.hits, Situation(results).wrong))


def found(results: Results) -> list[Cause]:
    """What the rule finds at the nodes of a run."""
    return list(causes.find(Situation(results)))


@pytest.mark.parametrize(
    ("match", "family", "large"),
    [
        ("IPv4, icmp, type 3, code 4", FOUR, "1500 bytes"),
        ("iifname cali*, IPv4, fragment", FOUR, "in order"),
        ("IPv4, icmp, type 3, code 1", FOUR, ""),
    ],
)
def test_the_forms_of_ipv4(match: str, family: Family, large: str) -> None:
    """I1 and F1; a message that a host is not there is none of a size."""
    flows = [
        flow(HERE, THERE, protocol=Protocol.UDP, question=large or "1500 bytes", family=family)
    ]
    rule = filters(drop(9, match, chain="prerouting"))
    results = ran(MatrixKind.PATHS, flows, examination=examined(filters=rule))
    assert only_conclusion(results).known is bool(large)


def test_a_segment_size_that_a_rule_sets_is_of_tcp() -> None:
    """F3: the handshake came with another one."""
    flows = [flow(HERE, THERE, question="")]
    for match, known in (
        ("iifname cali*, IPv6, tcp, flags syn", True),
        ("iifname lo, IPv6, tcp, flags syn", False),
    ):
        rule = drop(9, match, "rewrite", "MSS to 1220", chain="forward")
        results = ran(
            MatrixKind.PATHS, flows, Outcome.WRONG, examination=examined(filters=filters(rule))
        )
        assert only_conclusion(results).known is known


def test_a_port_where_a_refusal_is_wanted() -> None:
    """C4: silence instead of a reset; and the message that would say so, over UDP."""
    for match, protocol, known in (
        ("IPv6, tcp, dport 6667", Protocol.TCP, True),
        ("IPv6, icmpv6, type 1", Protocol.UDP, True),
        ("IPv6, icmpv6, type 2", Protocol.UDP, False),
    ):
        flows = [flow(THERE, HOSTS["worker"], 6667, protocol=protocol)]
        read = examined(filters=filters(drop(9, match)))
        results = ran(MatrixKind.FLOWS, flows, expected=REFUSED, examination=read)
        assert only_conclusion(results).known is known, match


def test_what_is_lost_in_one_payload_and_carried_in_another_may_be_fragments() -> None:
    """The same flow works in another test: its size is what matters."""
    flows = [flow(HERE, THERE, protocol=Protocol.UDP)]
    fragments = filters(drop(9, "IPv6, fragment", chain="prerouting"))
    results = ran(MatrixKind.FLOWS, flows, examination=examined(filters=fragments))
    assert not only_conclusion(results).known
    carried = ran(MatrixKind.FLOWS, flows, Outcome.ALLOWED)
    both = dataclasses.replace(results, matrices=(*results.matrices, *carried.matrices))
    assert only_conclusion(both).known


def test_a_packet_that_is_said_to_be_too_big_is_of_a_size() -> None:
    """The client's kernel refuses it, for a message that it got."""
    flows = [flow(HERE, THERE, protocol=Protocol.UDP)]
    read = examined(filters=filters(drop(9, "IPv6, icmpv6, type 2")))
    assert only_conclusion(ran(MatrixKind.FLOWS, flows, Outcome.TOO_BIG, examination=read)).known


def test_the_small_packet_beside_a_path_check_needs_no_packet_too_big() -> None:
    """Where not even that one passes, the way is closed."""
    read = examined(filters=filters(drop(9, "IPv6, icmpv6, type 2")))
    assert not only_conclusion(ran(MatrixKind.PATHS, sized("256 bytes"), examination=read)).known


@pytest.mark.parametrize(
    ("verdict", "outcome", "known"),
    [
        ("drop", Outcome.DROPPED, True),
        ("drop", Outcome.REFUSED, False),
        ("drop", Outcome.MISROUTED, False),
        ("reject", Outcome.REFUSED, True),
        ("reject", Outcome.CORRUPTED, False),
        ("reject", Outcome.DROPPED, True),
    ],
)
def test_a_rule_makes_flows_fail_in_its_own_way(
    verdict: str, outcome: Outcome, known: bool
) -> None:
    """What is dropped is not answered; what is rejected may be."""
    read = examined(filters=filters(drop(9, "IPv6, tcp", verdict, chain="forward")))
    assert (
        only_conclusion(ran(MatrixKind.FLOWS, mesh(Protocol.TCP), outcome, examination=read)).known
        is known
    )


@pytest.mark.parametrize("kind", [MatrixKind.ROUTES, MatrixKind.ADDRESSES, MatrixKind.FELIX])
def test_what_is_read_and_not_sent_is_no_filter_s_work(kind: MatrixKind) -> None:
    """A route, an address, a state of Felix."""
    flows = [flow(HOSTS["worker"], HERE, None, protocol=Protocol.ICMP, question="which way")]
    read = examined(filters=filters(drop(9, "IPv6")))
    results = ran(kind, flows, Outcome.UNROUTABLE, examination=read)
    (cause,) = found(results)
    assert not any(map(cause.hits, Situation(results).wrong))


def test_a_node_without_a_tunnel_needs_none() -> None:
    """A rule for VXLAN is innocent where nothing is encapsulated."""
    links = [LinkSeen("lo", "", 65536, True, True), LinkSeen("eth0", "veth", 1500, True, True)]
    seen = {"worker": node("worker", links=links)}
    rule = filters(drop(9, "IPv6, udp, dport 4789"))
    results = ran(MatrixKind.FLOWS, EVERYTHING, examination=examined(seen, filters=rule))
    (cause,) = found(results)
    assert not any(map(cause.hits, Situation(results).wrong))


def test_of_a_table_only_the_rules_that_fit_are_named() -> None:
    """Its rule for SSH counted more, and is innocent."""
    ssh = dataclasses.replace(drop(90, SSH), handle=1)
    guilty = dataclasses.replace(drop(9, "IPv6, tcp", chain="forward"), handle=2)
    read = examined(filters=filters(ssh, guilty, rose=4))
    one = only_conclusion(ran(MatrixKind.FLOWS, mesh(Protocol.TCP), examination=read))
    assert "dport 22" not in " ".join((one.first_screen, *one.evidence))
    assert one.causes[0].do[-1].text == "nft delete rule inet x forward handle 2"


@pytest.mark.parametrize(
    ("rose", "packets", "still", "sure"),
    [
        (4, 9, 4, Confidence.SHOWN),
        (0, 9, 4, Confidence.SIGN),  # some that it takes failed again, and it counted nothing
        (0, 9, 0, Confidence.FITS),  # none failed again: it says nothing
        (0, None, 4, Confidence.FITS),  # it does not count
    ],
)
def test_how_sure_a_rule_is_depends_on_its_counter(
    rose: int, packets: int | None, still: int, sure: Confidence
) -> None:
    """A counter that rose while failing flows were sent again, or did not."""
    read = examined(filters=filters(drop(packets, "IPv6, tcp", chain="forward"), rose=rose))
    read = dataclasses.replace(read, still=still)
    (cause,) = found(ran(MatrixKind.FLOWS, mesh(Protocol.TCP), examination=read))
    assert cause.confidence is sure


def test_a_rule_that_did_not_count_comes_behind_one_that_did() -> None:
    """Two tables take the same flows; one rose."""
    still = dataclasses.replace(drop(50, "IPv6, tcp", chain="forward"), table="a")
    moved = drop(9, "IPv6, tcp", chain="forward")
    before = packet_filter(still, dataclasses.replace(moved, packets=5))
    after = packet_filter(still, moved)
    read = examined(filters={"worker": (before, after)})
    one = only_conclusion(ran(MatrixKind.FLOWS, mesh(Protocol.TCP), examination=read))
    assert one.causes[0].do[-1].text.startswith("nft delete rule inet x forward ")
    assert len(one.causes) == 2


def test_what_is_not_sent_again_speaks_against_no_rule() -> None:
    """A path check is not: the counter could not rise."""
    read = examined(filters=filters(drop(9, "IPv6, icmpv6, type 2")))
    (cause,) = found(ran(MatrixKind.PATHS, sized(PATH), examination=read))
    assert cause.confidence is Confidence.FITS
    assert causes.UNASKED in cause.evidence


def closed(
    hook: str, *jumps: str, chain: str = "", where: str = "worker"
) -> dict[str, tuple[FilterSeen, FilterSeen]]:
    """The packet filter of a node with a base chain that drops what its rules leave over."""
    name = chain or hook.upper()
    seen = packet_filter()
    rules = [FilterRuleSeen("ip6", "fw", name, 1, "", jump, 9, []) for jump in jumps]
    chains = [*seen.chains, ChainSeen("ip6", "fw", name, hook, 0, "drop")]
    read = FilterSeen(chains, [*seen.rules, *rules])
    return {where: (read, read)}


@pytest.mark.parametrize(
    ("read", "known"),
    [
        (closed("forward"), True),
        (closed("forward", "mine"), True),
        (closed("forward", "mine", "KUBE-FORWARD"), False),
        (closed("forward", "cali-FORWARD"), False),
        (closed("forward", "DOCKER-USER"), False),
        (closed("forward", chain="cali-x"), False),
    ],
)
def test_a_chain_that_drops_the_rest_is_a_sign(
    read: dict[str, tuple[FilterSeen, FilterSeen]], known: bool
) -> None:
    """Unless a known owner's rules are in it, as Docker's are, which closes FORWARD."""
    results = ran(MatrixKind.FLOWS, mesh(Protocol.TCP), examination=examined(filters=read))
    one = only_conclusion(results)
    assert one.known is known
    if known:
        assert one.headline.startswith(
            "Possible cause: node worker: the packet filter drops all that no rule accepts "
            "(table ip6 fw, chain FORWARD, hook forward, policy drop)"
        )
        assert one.causes[0].confidence is Confidence.SIGN


def test_a_closed_chain_explains_what_passes_its_hook() -> None:
    """What is meant for the node is not forwarded, and the tunnel ends there."""
    read = examined(filters=closed("forward"))
    assert not only_conclusion(ran(MatrixKind.FLOWS, to_port(28080), examination=read)).known
    read = examined(filters=closed("input"))
    assert only_conclusion(ran(MatrixKind.FLOWS, to_port(28080), examination=read)).known
    assert only_conclusion(ran(MatrixKind.FLOWS, mesh(Protocol.TCP), examination=read)).known
    assert concluded(across(FOUR, "worker"), read).every[0].known is False


def test_a_closed_chain_comes_behind_a_rule_that_drops() -> None:
    """Of another node, where flows between the two fail: that rule takes them and counts nothing,
    and of the chain nobody knows what its rules accept."""
    rule = filters(drop(None, "IPv6, tcp", chain="forward"), where="worker2")
    read = examined(filters={**closed("forward"), **rule})
    flows = [flow(HERE, THERE), flow(THERE, HERE)]
    one = only_conclusion(ran(MatrixKind.FLOWS, flows, examination=read))
    assert one.headline.startswith(
        "Likely cause: node worker2: a packet filter rule drops IPv6 TCP packets"
    )
    assert "policy drop" in one.evidence[-1]


@pytest.mark.parametrize("own", [True, False])
def test_a_masquerade_rule_for_others_translates_no_pod(own: bool) -> None:
    """I18: by the prefix of its match; Docker's own rule for its bridge took more packets."""
    saw = HERE.address(SIX) if own else HOSTS["worker"].address(SIX)
    asked = flow(HERE, HOSTS["worker2"])
    wrong = Observation(asked, Outcome.WRONG, f"saw {saw}", peer_saw=saw)
    matrix = Matrix.of("sources", [wrong], MatrixKind.SOURCES)
    measured = Measured(matrix, dict.fromkeys(matrix.cells, OPEN), "suites/x/t.py::t")
    cases = (Case("suites/x/t.py::t", CaseOutcome.FAILED),)
    docker = FilterRuleSeen(
        "ip6", "nat", "POSTROUTING", 3, "nat", "", 900,
        matching("source fd00:d0c::/64, oifname not docker0"), "source",
    )  # fmt: skip
    ours = drop(
        9,
        f"IPv6, source {PODS}, destination not fd00:10:96::/112 and {PODS}",
        "nat",
        "source",
        chain="postrouting",
    )
    results = Results(RUN, cases=cases, matrices=(measured,))
    since = "since table inet x translates them"
    unread = dataclasses.replace(examined(), filters=[])
    for read, said in (
        (examined(filters=filters(docker, ours)), f"not masqueraded, {since}" if own else since),
        (examined(filters=filters(docker)), "See natOutgoing" if own else "Find the masquerade"),
        (unread, "they are not masqueraded there" if own else "the address of eth0 on worker"),
    ):
        line = only_conclusion(dataclasses.replace(results, examination=read)).first_screen
        assert said in line
        assert "ip6 nat" not in line


def test_a_filter_that_was_read_once_speaks_neither_for_nor_against_a_rule() -> None:
    """Its counter did not rise since nobody read it again."""
    rule = packet_filter(drop(20, "IPv6, tcp", chain="forward"))
    flows = [flow(HERE, THERE), flow(THERE, HERE)]
    sure = {}
    for once in (False, True):
        read = examined()
        filtered = [FilterReading("worker", rule, rule, once)]
        read = dataclasses.replace(read, filters=filtered, resent=2, still=2)
        one = only_conclusion(ran(MatrixKind.FLOWS, flows, examination=read))
        sure[once] = one.causes[0].confidence
    assert sure == {False: Confidence.SIGN, True: Confidence.FITS}


def test_an_arp_table_is_of_ipv4() -> None:
    """It takes no IPv6 packet."""
    rule = dataclasses.replace(drop(9, "header bytes"), family="arp")
    for family, known in ((SIX, False), (FOUR, True)):
        flows = [flow(HERE, HERE, family=family)]
        results = ran(MatrixKind.FLOWS, flows, examination=examined(filters=filters(rule)))
        assert only_conclusion(results).known is known


def test_rules_that_differ_in_their_match_alone_are_reported_once() -> None:
    """I7: two devices in one sentence, of more the first two."""
    rules = [
        FilterRuleSeen("inet", "x", "forward", n, "drop", "", 9, matching(f"oifname vxlan{n}, tcp"))
        for n in range(4)
    ]
    chain = ChainSeen("inet", "x", "forward", "forward", 0)
    said = [Taking(rule, chain, 0) for rule in rules]
    assert causes._effects(said[:1], False) == [said[0].said]
    assert said[0].said == "drops TCP packets forwarded by the node (oifname vxlan0)"
    both = "drops TCP packets forwarded by the node (oifname vxlan0; oifname vxlan1)"
    assert causes._effects(said[:2], False) == [both]
    (many,) = causes._effects(said, False)
    assert many.endswith("(oifname vxlan0; oifname vxlan1; and 2 more)")
    plain = Taking(dataclasses.replace(rules[0], match=matching("fragment")), None, 0)
    assert causes._effects([plain, plain], False) == ["drops fragments"]


def test_what_many_rules_match_may_be_left_out() -> None:
    """I7: two devices with long names; of more effects than one the others may be counted."""
    hooks = ("iifname", "forward"), ("oifname", "forward"), ("oifname", "output")
    rules = [
        Taking(
            FilterRuleSeen(
                "ip6", "x", hook, n, "drop", "", 9, matching(f"{way} vxlan-v6.calico, udp")
            ),
            ChainSeen("ip6", "x", hook, hook, 0),
            0,
        )
        for n, (way, hook) in enumerate(hooks)
    ]
    lead = "3 packet filter rules drop IPv6 UDP packets forwarded by the node"
    assert causes._said(rules, 3, matches=True) == (
        f"{lead} (iifname vxlan-v6.calico; oifname vxlan-v6.calico) and sent by the node itself "
        "(oifname vxlan-v6.calico)"
    )
    assert causes._said(rules, 3, matches=False) == f"{lead} and sent by the node itself"
    assert causes._said(rules, 1, matches=False) == f"{lead} and 1 more"


@pytest.mark.parametrize("count", [1, 2])
def test_what_rules_counted_is_in_the_first_line_of_one_alone(count: int) -> None:
    """Of several the line would be too long; then it is evidence."""
    rules = [
        dataclasses.replace(drop(20, "IPv6, udp", chain="forward"), handle=7 + number)
        for number in range(count)
    ]
    examination = examined(filters=filters(*rules, rose=9))
    flows = [flow(HERE, pods()[0], protocol=Protocol.UDP)]
    one = only_conclusion(ran(MatrixKind.FLOWS, flows, examination=examination))
    counted = "9 packets while 4 failing flows were sent again"
    assert (counted in one.first_screen) is (count == 1)
    assert (counted in one.evidence) is (count > 1)
    assert ("node worker: 2 packet filter rules drop" in one.first_screen) is (count > 1)
    what = "table inet x" if count > 1 else "chain inet x forward"
    assert [command.text for command in one.causes[0].do] == [
        f"nft -a list {what}",
        *(f"nft delete rule inet x forward handle {7 + n}" for n in range(count)),
    ]
    assert all(command.on == "worker" for command in one.causes[0].do)
    assert all("drops IPv6 UDP packets" in command.note for command in one.causes[0].do[1:])


def test_of_many_rules_three_are_named() -> None:
    """With the command of each, and one that lists the others."""
    rules = [
        dataclasses.replace(drop(20 + number, "IPv6, udp", chain="forward"), handle=7 + number)
        for number in range(100)
    ]
    flows = [flow(HERE, pods()[0], protocol=Protocol.UDP)]
    one = only_conclusion(
        ran(MatrixKind.FLOWS, flows, examination=examined(filters=filters(*rules)))
    )
    assert "100 packet filter rules drop" in one.headline
    assert [command.text for command in one.causes[0].do] == [
        "nft -a list table inet x",
        *(f"nft delete rule inet x forward handle {7 + n}" for n in range(3)),
    ]
    assert one.causes[0].do[0].note == "97 more such rules"
    assert one.evidence[-1] == "97 more such rules of that table"
    assert len(one.evidence) == 5


@pytest.mark.parametrize("table", ["kindnet-network-policies", "cilium", "calico"])
def test_tables_of_network_plugins_are_not_somebody_else_s(table: str) -> None:
    rule = FilterRuleSeen("inet", table, "forward", 7, "drop", "", 9, [])
    assert is_owned(rule)
    assert not is_owned(dataclasses.replace(rule, table="x"))


def test_a_rule_for_both_families_is_said_to_drop_what_failed() -> None:
    """I7 on a device of one family: the rule names none, the measurements do."""
    rule = FilterRuleSeen("inet", "x", "forward", 1, "drop", "", 9, matching("oifname vxlan1, tcp"))
    chain = ChainSeen("inet", "x", "forward", "forward", 0)
    assert Taking(rule, chain, 0).families == tuple(Family)
    broke = Taking(rule, chain, 0, (Family.IPV6,))
    assert broke.families == (Family.IPV6,)
    assert broke.said == "drops IPv6 TCP packets forwarded by the node (oifname vxlan1)"
    both = Taking(rule, chain, 0, tuple(Family))
    assert both.said == "drops TCP packets forwarded by the node (oifname vxlan1)"
    of_one = dataclasses.replace(rule, family="ip")
    assert Taking(of_one, chain, 0, (Family.IPV6,)).families == (Family.IPV4,)
