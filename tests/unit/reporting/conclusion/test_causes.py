"""Each cause: shown by its facts and what fails, silent without either."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sixproof.agent.protocol import (
    FilterRuleSeen,
    FilterSeen,
    ForwardingSeen,
    HealthSeen,
    LinkSeen,
    NeighbourSeen,
    NodeSeen,
    RouteHeld,
    RuleSeen,
)
from sixproof.checks.judged import judged
from sixproof.errors import Subject
from sixproof.kube.facts.components import StrayEndpoint
from sixproof.model import (
    ClusterFacts,
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    IcmpError,
    Matrix,
    MatrixKind,
    NodeFacts,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.probes.nodes import reader
from sixproof.probes.nodes.examination import FailureReading, NodeReading
from sixproof.probes.pmtu.interfaces import UNDERLAY
from sixproof.reporting.causes.filtering import packet_filter as packet_filter_causes
from sixproof.reporting.conclusion import rules, words
from sixproof.reporting.conclusion.cause import Cause, CauseRule, Trait
from sixproof.reporting.conclusion.conclusion import Conclusion, Conclusions
from sixproof.reporting.conclusion.situation import Situation
from sixproof.reporting.diagnosis.faults import FailingPlace
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import (
    FACTS,
    RULES,
    TUNNELS,
    across,
    conclude,
    concluded,
    drop,
    examined,
    first,
    hosts,
    neighbour,
    node,
    packet_filter,
    run,
    with_wrong_cells,
)
from tests.unit.reporting.samples import (
    DENY,
    NODES,
    OPEN,
    RUN,
    pods,
    topology,
    works,
)

SIX = Family.IPV6
BLOCK = "fd00:10:244::/56"


def test_a_healthy_run_concludes_nothing() -> None:
    """Whatever nodes say: without a failure there is no cause."""
    odd = node("worker", routes=[])
    assert concluded(works, examined({"worker": odd})).every == ()


def test_a_rule_that_stumbles_costs_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named among what could not be read, and the other rules are applied."""

    def stumble(_: Situation) -> Iterator[Cause]:
        raise KeyError("a fact that nobody thought of")

    broken = CauseRule("odd", "", "", stumble)
    monkeypatch.setattr(
        "sixproof.reporting.conclusion.conclude.rules", lambda: (broken, *rules.rules())
    )
    sick = node("worker", sysctls={"net/ipv6/conf/all/forwarding": "0"})
    conclusions = concluded(across(SIX, "worker"), examined({"worker": sick}))
    assert "forwarding is 0" in conclusions.every[0].headline
    assert conclusions.every[0].causes[0].traits == {Trait.NOT_FORWARDING}
    (problem,) = conclusions.problems
    assert problem.startswith("the rule odd could not be applied (KeyError: ")


def test_without_facts_the_place_is_reported_with_what_fits() -> None:
    """Nodes could not be asked."""
    (one,) = concluded(across(SIX, "worker")).every
    assert not one.known
    assert "to and from pods on worker across nodes" in one.headline
    assert one.fits
    assert one.apart


def test_a_rule_that_shadows_the_main_table_is_the_cause() -> None:
    """R2: rule and table in the first line."""
    rules = [*RULES, RuleSeen("IPv6", 5270, "table", 52, destination=BLOCK)]
    sick = node("worker")
    sick = dataclasses.replace(
        sick, rules=rules, routes=[*sick.routes, RouteHeld("::/0", 52, "blackhole")]
    )
    (one,) = concluded(across(SIX, "worker"), examined({"worker": sick})).every
    line = one.headline
    assert line.startswith("node worker: policy rule 5270 (to fd00:10:244::/56) sends")
    assert one.causes[0].traits == {Trait.POLICY_RULE}
    assert "new since the run began" in line
    assert "control-plane and worker2" in line
    assert list(map(str, one.causes[0].do)) == [
        "on worker: ip -6 rule show",
        "on worker: ip -6 rule del pref 5270",
        "on worker: ip -6 route flush table 52  # no other rule looks it up",
    ]
    assert "spared" not in " ".join(one.evidence), "its own pods go the same way"


OWN = [f"{pod.address(SIX)}/128" for pod in pods() if pod.node == "worker"]


@pytest.mark.parametrize(
    ("rules", "routes", "why", "do"),
    [
        (
            [RuleSeen("IPv6", 5270, "table", 52, destination=BLOCK)],
            [RouteHeld(prefix, 52, "throw") for prefix in OWN],
            f"table 52 leaves {OWN[0]}, {OWN[1]} and {OWN[2]} to later rules (throw)",
            True,
        ),
        (
            [
                RuleSeen("IPv6", 5269, "table", 51, destination=BLOCK),
                RuleSeen("IPv6", 5270, "table", 52, destination=BLOCK),
            ],
            [RouteHeld(prefix, 51, "unicast", "cali1") for prefix in OWN],
            "the routes to them are found by an earlier rule",
            True,
        ),
        (
            [RuleSeen("IPv6", 5270, "table", 52, destination=BLOCK)],
            [
                *(RouteHeld(prefix, 52, "throw") for prefix in OWN),
                RouteHeld("2001:db8:77::/64", 52, "unicast", "tailscale0"),
            ],
            "to later rules (throw)",
            False,
        ),
        (
            [
                RuleSeen("IPv6", 5270, "table", 52, destination=BLOCK),
                RuleSeen("IPv6", 5290, "table", 52, device="eth9"),
            ],
            [RouteHeld(prefix, 52, "throw") for prefix in OWN],
            "to later rules (throw)",
            False,
        ),
    ],
    ids=["throw", "an earlier rule", "routes of its owner", "another rule"],
)
def test_why_a_rule_spares_the_nodes_own_pods_is_said(
    rules: list[RuleSeen], routes: list[RouteHeld], why: str, do: bool
) -> None:
    """R2: and its table is emptied only where nothing else is in it and nobody else asks it."""
    sick = node("worker")
    held = [*sick.routes, *routes, RouteHeld("::/0", 52, "blackhole")]
    sick = dataclasses.replace(sick, rules=[*RULES, *rules], routes=held)
    (one,) = concluded(across(SIX, "worker"), examined({"worker": sick})).every
    (said,) = [line for line in one.evidence if line.startswith("its own pods are spared: ")]
    assert said.endswith(why)
    assert any("flush" in command.text for command in one.causes[0].do) is do


def test_a_rule_for_other_addresses_spares_the_nodes_own_pods() -> None:
    far = [pod for pod in pods() if pod.node == "worker2"]
    sick = node("worker")
    added = [
        RuleSeen("IPv6", 5270, "table", 52, destination=f"{pod.address(SIX)}/128") for pod in far
    ]
    held = [*sick.routes, RouteHeld("::/0", 52, "blackhole")]
    sick = dataclasses.replace(sick, rules=[*RULES, added[0]], routes=held)

    def rule(flow: Flow) -> Outcome:
        ends = {flow.source.node: flow.source, flow.destination.node: flow.destination}
        lost = flow.family is SIX and ends.get("worker2") == far[0] and "worker" in ends
        return Outcome.DROPPED if lost else Outcome.ALLOWED

    (one,) = concluded(rule, examined({"worker": sick})).every
    assert f"its own pods are spared: they are not in {far[0].address(SIX)}/128" in one.evidence


def holes(behind: str) -> list[RouteHeld]:
    """Blackhole routes to each pod of a node."""
    lost = [pod for pod in pods() if pod.node == behind]
    return [RouteHeld(f"{pod.address(SIX)}/128", 254, "blackhole", metric=-1) for pod in lost]


def test_a_blackhole_route_names_the_pods_behind_it() -> None:
    """I10: one node pair."""
    sick = node("worker")
    sick = dataclasses.replace(sick, routes=[*holes("worker2"), *sick.routes])
    (one,) = concluded(across(SIX, "worker", "worker2"), examined({"worker": sick})).every
    assert one.headline.startswith("node worker: ")
    assert "IPv6 packets to pods of worker2 end in the blackhole route" in one.headline
    (see,) = one.causes[0].see
    assert str(see).endswith("  # answers: Invalid argument")


def test_a_route_that_is_gone_at_the_end_is_named_by_what_was_read_at_the_failure() -> None:
    """I10 of a new pool: Felix removed the route with the pool's last address."""
    sick = node("worker")
    then = dataclasses.replace(sick, routes=[*sick.routes, *holes("worker2")])
    results = run(across(SIX, "worker", "worker2"), examined())
    assert not conclude(results).every[0].known
    reading = FailureReading(results.matrices[0].test, [NodeReading("worker", then)])
    (one,) = conclude(dataclasses.replace(results, failures=(reading,))).every
    assert one.first_screen.startswith("node worker: IPv6 packets to pods of worker2 end in the ")
    assert "and 2 more such (new since the run began). Find out who made them" in one.first_screen
    lost = [f"{pod.address(SIX)}/128" for pod in pods() if pod.node == "worker2"]
    (cause,) = one.causes
    assert list(map(str, cause.do)) == [
        "on worker: ip -6 route show type blackhole",
        *(f"on worker: ip -6 route del blackhole {prefix}" for prefix in lost),
    ]
    assert one.evidence[0] == f"the other blackhole routes: {' and '.join(lost[1:])}"
    assert cause.see[0].text.endswith(f"route get {lost[0].partition('/')[0]}"), (
        "it is in the named route"
    )
    still = examined({"worker": then})
    (known,) = conclude(dataclasses.replace(results, examination=still)).every
    both = dataclasses.replace(results, examination=still, failures=(reading,))
    assert [o.first_screen for o in conclude(both).every] == [known.first_screen]


def test_of_many_refused_routes_three_are_named() -> None:
    """With the command of each; the others are counted."""
    sick = node("worker")
    sick = dataclasses.replace(
        sick, routes=[*holes("worker2"), *holes("control-plane"), *sick.routes]
    )
    (one,) = concluded(across(SIX, "worker"), examined({"worker": sick})).every
    assert "and 5 more such" in one.headline
    listing, *commands = one.causes[0].do
    assert len(commands) == 3
    assert str(listing) == ("on worker: ip -6 route show type blackhole  # 3 more such routes")
    assert one.evidence[0].endswith(" and 2 more")


@pytest.mark.parametrize("announced", [True, False])
def test_a_blackhole_route_that_is_announced_explains_what_comes_from_outside(
    announced: bool,
) -> None:
    """B4: a router outside sends packets for another node's pods to the node that drops them; a
    route that is not announced explains nothing of what comes from there."""
    lost = [pod for pod in pods() if pod.node == "worker2"]
    sick = node("worker")
    sick = dataclasses.replace(sick, routes=[*holes("worker2"), *sick.routes])
    outside = Endpoint("rack", EndpointKind.OUTSIDE, (ipaddress.ip_address("2001:db8:99::1"),))
    hop = next(ipaddress.ip_address(a.address) for a in sick.addresses if ":" in a.address)
    if not announced:
        hop = ipaddress.ip_address("2001:db8::99")
    routes, dropped = [], []
    for pod in lost:
        address = pod.address(SIX)
        assert address is not None
        asked = Flow(outside, pod, address, Protocol.ICMP, question="route")
        routes.append(Observation(asked, Outcome.ALLOWED, next_hop=hop))
        dialled = Flow(outside, pod, address, Protocol.TCP, 8080)
        dropped.append(Observation(dialled, Outcome.DROPPED))
    led = judged(MatrixKind.ROUTES, "led", routes, {o.flow: "via another node" for o in routes})
    reached = Matrix.of("reached", dropped)
    results = Results(
        RUN,
        cases=(Case("t.py::t", CaseOutcome.FAILED),),
        matrices=(
            Measured(*led, "t.py::t"),
            Measured(reached, dict.fromkeys(reached.cells, OPEN), "t.py::t"),
        ),
        examination=examined({"worker": sick}),
    )
    found = conclude(results).every
    told = [one for one in found if "IPv6 packets to pods of worker2 end in" in one.headline]
    assert bool(told) is announced
    if announced:
        assert len(found) == 1
        assert f"the router outside sends packets for {len(lost)} addresses to worker" in "\n".join(
            told[0].evidence
        )


@pytest.mark.parametrize("follows", [True, False])
def test_nodes_that_follow_an_announced_blackhole_lose_services_behind_it(follows: bool) -> None:
    """B4: another node sends packets for those pods to the one that drops them, so some connections
    of its pods to a service are lost; where it has the right route, something else loses them."""
    lost = next(pod for pod in pods() if pod.node == "worker2")
    address = lost.address(SIX)
    assert address is not None
    sick, other = node("worker"), node("control-plane")
    hop = next(a.address for a in sick.addresses if ":" in a.address)
    sick = dataclasses.replace(sick, routes=[*holes("worker2"), *sick.routes])
    if follows:
        led = RouteHeld(f"{address}/128", 254, "unicast", "eth0", hop, -1, 0, 12)
        other = dataclasses.replace(other, routes=[led, *other.routes])
    service = Endpoint("web", EndpointKind.SERVICE, (ipaddress.ip_address("fd00:10:96::9"),))

    def dropped(title: str, source: str, end: Endpoint, ports: int) -> Measured:
        clients = [pod for pod in pods() if pod.node == source]
        to = end.address(SIX)
        assert to is not None
        flows = [Flow(c, end, to, Protocol.TCP, port) for c in clients for port in range(1, ports)]
        matrix = Matrix.of(title, [Observation(flow, Outcome.DROPPED) for flow in flows])
        return Measured(matrix, dict.fromkeys(matrix.cells, OPEN), f"t.py::{title}")

    web = dropped("web", "control-plane", service, 9)
    matrices = (dropped("pods", "worker", lost, 2), web)
    cases = tuple(Case(one.test, CaseOutcome.FAILED) for one in matrices)
    read = examined({"worker": sick, "control-plane": other})
    found = conclude(Results(RUN, cases=cases, matrices=matrices, examination=read)).every
    assert "IPv6 packets to pods of worker2 end in" in found[0].headline
    assert {found[0].causes[0].hits(wrong) for wrong in web.disagreements()} == {follows}


def test_a_route_that_is_missing_is_distinguished_from_one_that_all_lack() -> None:
    """Without a specific route pods are sent to the default gateway."""
    sick = node("worker")
    far = {str(p.address(SIX)) for p in pods() if p.node != "worker"}
    kept = [r for r in sick.routes if r.destination.partition("/")[0] not in far]
    line = first(
        across(SIX, "worker"), examined({"worker": dataclasses.replace(sick, routes=kept)})
    )
    assert "no route to them but the default route" in line


def test_a_route_that_works_is_no_cause() -> None:
    """A blackhole of the other family explains nothing of this one."""
    sick = node("worker")
    holes = [RouteHeld("192.168.0.0/16", 254, "blackhole")]
    (one,) = concluded(
        across(SIX, "worker"),
        examined({"worker": dataclasses.replace(sick, routes=[*holes, *sick.routes])}),
    ).every
    assert not one.known


def test_forwarding_off_is_the_cause() -> None:
    """I16."""
    sick = node("worker")
    off = {**sick.sysctls, "net/ipv6/conf/all/forwarding": "0"}
    line = first(
        across(SIX, "worker"), examined({"worker": dataclasses.replace(sick, sysctls=off)})
    )
    assert line.startswith("node worker: net.ipv6.conf.all.forwarding is 0")


def test_flows_that_work_contradict_a_setting() -> None:
    """Forwarding is off on another node than the one that fails: it worked there."""
    odd = node("worker2")
    off = {**odd.sysctls, "net/ipv6/conf/all/forwarding": "0"}
    (one,) = concluded(
        across(SIX, "worker", "control-plane"),
        examined({"worker2": dataclasses.replace(odd, sysctls=off)}),
    ).every
    assert not one.known


def test_a_rule_whose_counter_rose_is_the_cause() -> None:
    """I7, R9: the filter is named with what it counted while failing flows were sent again."""
    match = "iifname eth0, IPv6, udp, dport 4789"
    filters = {"worker": (packet_filter(drop(3, match)), packet_filter(drop(11, match)))}
    (one,) = concluded(across(SIX, "worker"), examined(filters=filters)).every
    assert one.first_screen.startswith(
        "node worker: a packet filter rule drops IPv6 VXLAN packets meant for the node itself "
        "(iifname eth0): 8 packets while 4 failing flows were sent again"
    )
    assert one.causes[0].traits == {Trait.FILTERS_VXLAN}
    listing, removal = one.causes[0].do
    assert str(listing) == "on worker: nft -a list chain inet x input"
    assert removal.text == "nft delete rule inet x input handle 7"
    assert removal.on == "worker"
    assert removal.note.startswith("drops IPv6 VXLAN packets ")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            drop(9, "IPv6, tcp and udp"),
            "drops IPv6 TCP and UDP packets meant for the node itself",
        ),
        (drop(9, "iifname cali*, IPv6, fragment"), "drops IPv6 fragments from its pods"),
        (
            drop(9, "icmpv6, type 135 and 136"),
            "drops ICMPv6 Neighbor Solicitations and Advertisements meant for the node itself",
        ),
        (
            drop(9, "oifname cali*, IPv6, udp, destination 2001:db8::5"),
            "drops IPv6 UDP packets to its pods (destination 2001:db8::5)",
        ),
        (drop(9, "icmpv6, type 2"), "drops ICMPv6 Packet Too Big messages meant for the node"),
        (
            drop(9, "iifname cali*, IPv6, tcp, flags syn", "rewrite", "MSS to 1220"),
            "sets the MSS to 1220 in IPv6 TCP SYNs from its pods",
        ),
        (drop(9, "IPv6, tcp", "rewrite"), "rewrites IPv6 TCP packets meant for the node itself"),
        (
            drop(9, "IPv6, tcp", "nat", "destination"),
            "translates the destination address of IPv6 TCP packets meant for the node itself",
        ),
        (drop(9, "IPv6", "nat"), "translates the addresses of IPv6 packets meant for the node"),
    ],
)
def test_what_a_rule_does_is_said_in_plain_words(rule: FilterRuleSeen, said: str) -> None:
    """Family, protocol, direction; what is left of its match in brackets."""
    before = dataclasses.replace(rule, packets=3)
    filters = {"worker": (packet_filter(before), packet_filter(rule))}
    results = run(across(SIX, "worker"), examined(filters=filters))
    (cause,) = packet_filter_causes.find(Situation(results))
    assert said in cause.what


def test_a_rule_that_took_nothing_is_no_cause() -> None:
    """It is there, and its counter is 0."""
    filters = {"worker": (packet_filter(drop(0)), packet_filter(drop(0)))}
    (one,) = concluded(across(SIX, "worker"), examined(filters=filters)).every
    assert not one.known


def test_a_rule_of_another_family_is_no_cause() -> None:
    """It takes IPv4 only."""
    filters = {"worker": (packet_filter(drop(3, "IPv4")), packet_filter(drop(11, "IPv4")))}
    (one,) = concluded(across(SIX, "worker"), examined(filters=filters)).every
    assert not one.known


def test_solicitations_that_a_filter_drops_are_named_before_their_signs() -> None:
    """I9: neighbours that fail are the sign, the rule is the cause."""
    match = "icmpv6, type 135"
    filters = {"worker": (packet_filter(drop(3, match)), packet_filter(drop(9, match)))}
    dead = [neighbour("2001:db8::1", "FAILED"), neighbour("2001:db8::3", "INCOMPLETE")]
    sick = node("worker", neighbours=dead)
    (one,) = concluded(across(SIX, "worker"), examined({"worker": sick}, filters=filters)).every
    assert "drops ICMPv6 Neighbor Solicitation" in one.headline
    assert any("neighbour discovery" in line and "FAILED" in line for line in one.evidence)


def test_neighbours_that_fail_are_the_cause_where_no_filter_was_read() -> None:
    """The node that has most of them; what others have towards it is evidence."""
    dead = [neighbour("2001:db8::1", "FAILED"), neighbour("2001:db8::3", "FAILED")]
    other = node("worker2", neighbours=[neighbour("2001:db8::2", "FAILED")])
    line = first(
        across(SIX, "worker"),
        examined({"worker": node("worker", neighbours=dead), "worker2": other}, filters={}),
    )
    assert line.startswith(
        "Possible cause: node worker: neighbour discovery (RFC 4861) fails for 2001:db8::1 on eth0 "
        "(FAILED) and 1 more (new since the run began). See whether something drops Neighbor "
        "Solicitations and Neighbor Advertisements on worker."
    )
    sick = node("worker", neighbours=dead)
    line = first(
        across(SIX, "worker"), examined({"worker": sick}, before={"worker": sick}, filters={})
    )
    assert "(already before the run)" in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"port": 4799}, "has UDP port 4799, the other nodes have 4789"),
        ({"vni": 7}, "has VNI 7, the other nodes have 4096"),
        (
            {"up": False},
            "is down: pods of other nodes are not reached, over IPv6 (new since the run",
        ),
    ],
)
def test_a_tunnel_that_differs_is_the_cause(changes: dict[str, Any], said: str) -> None:
    """R7: what both ends must have alike."""
    sick = node("worker")
    links = [
        dataclasses.replace(link, **changes) if link.name == TUNNELS[SIX] else link
        for link in sick.links
    ]
    line = first(
        across(SIX, "worker"), examined({"worker": dataclasses.replace(sick, links=links)})
    )
    assert line.startswith(f"node worker: {TUNNELS[SIX]} {said}")


def test_a_jump_that_one_family_lacks_is_the_cause() -> None:
    """S1: services of one family from that node."""
    service = dataclasses.replace(
        pods()[0], name="web", kind=EndpointKind.SERVICE, node="", pod="", labels=()
    )

    def rule(flow: Flow) -> Outcome:
        dead = flow.destination is service and flow.source.node == "worker" and flow.family is SIX
        return Outcome.DROPPED if dead else Outcome.ALLOWED

    ends = (*pods()[1:], service)
    for lacking, said in (
        ("ip6 KUBE-SERVICES", "chains PREROUTING and OUTPUT of table ip6 nat have no jump"),
        ("ip6 KUBE-SERVICES in OUTPUT", "chain OUTPUT of table ip6 nat has no jump"),
    ):
        filters = {"worker": (packet_filter(lacking=lacking),) * 2}
        (one,) = concluded(rule, examined(filters=filters), ends).every
        assert f"IPv6 packets skip kube-proxy's rules: {said} to KUBE-SERVICES" in one.headline
        assert len(one.causes) == 1, "told twice"


def test_a_jump_that_is_missing_on_the_only_node_that_was_read() -> None:
    """I8 with one covered node: its other family has the jump."""
    (one,) = _leaking(("worker",)).every
    assert one.headline.startswith("Policy leak: node worker: IPv6 packets skip Calico's rules")
    assert one.evidence == ("over IPv4 it is there on worker",)
    assert list(map(str, one.causes[0].do)) == [
        "kubectl -n kube-system delete pod calico-node-worker"
    ]


def test_jumps_that_a_family_has_nowhere_are_a_setting() -> None:
    """Felix does not serve IPv6 at all: one cause, not one a node."""
    (one,) = _leaking(NODES).every
    assert one.first_screen.startswith("Policy leak: every node: IPv6 packets skip Calico's rules")
    assert "ipv6Support" in one.first_screen


def _leaking(nodes: Sequence[str]) -> Conclusions:
    """What is concluded where flows that a policy denies pass over IPv6 between pods of some nodes,
    whose filters alone are read, and none of which has Calico's jump of that family."""
    matrix = topology(works, endpoints=[p for p in pods() if p.node in nodes])
    wanted = {key: DENY if key[0] is SIX else OPEN for key in matrix.cells}
    measured = Measured(matrix, wanted, "suites/policy/t.py::t")
    lacking = (packet_filter(lacking="ip6 cali-FORWARD"),) * 2
    examination = examined(filters=dict.fromkeys(nodes, lacking))
    examination = dataclasses.replace(
        examination, filters=[f for f in examination.filters if f.node in nodes]
    )
    cases = (Case("suites/policy/t.py::t", CaseOutcome.FAILED),)
    return conclude(Results(RUN, cases=cases, matrices=(measured,), examination=examination))


def test_a_proxy_that_stands_still_is_no_matter_of_a_family() -> None:
    """R1: node and pod, both families."""
    service = dataclasses.replace(
        pods()[0], name="web", kind=EndpointKind.SERVICE, node="", pod="", labels=()
    )

    def rule(flow: Flow) -> Outcome:
        dead = flow.destination is service and flow.source.node == "worker"
        return Outcome.DROPPED if dead else Outcome.ALLOWED

    silent = HealthSeen(reader.KUBE_PROXY, 0, error="no answer within 2 s")
    sick = node("worker", health=[silent])
    concluding = concluded(rule, examined({"worker": sick}), (*pods()[1:], service))
    (one,) = concluding.every
    assert one.first_screen.startswith(
        "node worker: kube-proxy does not follow what the API server says of services, over IPv4 "
        "and IPv6 alike"
    )
    assert "1 of 1 service dialled there failed, over IPv4 and IPv6 alike" in one.evidence
    assert "its health port 10256/healthz gives no answer within 2 s" in one.evidence
    assert "then restart kube-proxy-worker" in one.first_screen


def test_a_pod_without_its_address_is_the_cause() -> None:
    """I13: what the API shows and no interface has."""
    victim = pods()[3]
    inside = node("worker", sysctls={"net/ipv6/conf/eth0/disable_ipv6": "1"})

    def rule(flow: Flow) -> Outcome:
        ends = (flow.source.name, flow.destination.name)
        dead = victim.name in ends and ends[0] != ends[1] and flow.family is SIX
        return Outcome.UNROUTABLE if dead else Outcome.ALLOWED

    read = examined()
    read = dataclasses.replace(read, inside=[NodeReading(reader.name(victim), inside)])
    line = first(rule, read)
    assert line.startswith(f"{victim.called}: no interface has its IPv6 address")
    assert "net.ipv6.conf.eth0.disable_ipv6 is 1" in line


def test_two_causes_are_two_conclusions() -> None:
    """Each explains its own cells and not the other's."""
    sick = node("worker")
    off = {**sick.sysctls, "net/ipv6/conf/all/forwarding": "0"}
    before, after = (drop(packets, "IPv4, tcp", chain="forward") for packets in (3, 11))
    filters = {"worker2": (packet_filter(before), packet_filter(after))}

    def rule(flow: Flow) -> Outcome:
        if across(SIX, "worker")(flow) is Outcome.DROPPED:
            return Outcome.DROPPED
        tcp = flow.protocol is Protocol.TCP
        return across(Family.IPV4, "worker2")(flow) if tcp else Outcome.ALLOWED

    facts = examined({"worker": dataclasses.replace(sick, sysctls=off)}, filters=filters)
    lines = [c.headline for c in concluded(rule, facts).every]
    assert len(lines) == 2
    assert any("forwarding is 0" in line for line in lines)
    assert any("node worker2: a packet filter rule drops IPv4" in line for line in lines)


def test_an_examination_survives_results_json(tmp_path: Path) -> None:
    """Written and read again, the same is concluded."""
    sick = node("worker", links=[LinkSeen("lo", "", 65536, True, True)])
    results = run(across(SIX, "worker"), examined({"worker": sick}), (*pods(), *hosts()))
    results.write(tmp_path / "results.json")
    again = Results.read(tmp_path / "results.json")
    assert again.examination == results.examination
    assert [c.headline for c in conclude(again).every] == [
        c.headline for c in conclude(results).every
    ]
    assert {r.node for r in again.examination.after} == set(NODES) if again.examination else False


def test_a_full_table_of_connections_is_the_cause() -> None:
    """Rule "conntrack": both families, whatever starts or ends there."""
    sick = node("worker")
    full = {**sick.sysctls, "net/netfilter/nf_conntrack_count": "131072"}

    def rule(flow: Flow) -> Outcome:
        dead = "worker" in (flow.source.node, flow.destination.node)
        return Outcome.DROPPED if dead else Outcome.ALLOWED

    lines = [
        c.headline
        for c in concluded(
            rule, examined({"worker": dataclasses.replace(sick, sysctls=full)})
        ).every
    ]
    assert lines[0].startswith(
        "node worker: connection tracking is full (131072 of 131072 entries): new connections of "
        "either family are dropped there"
    )


def test_a_table_that_was_full_during_the_run_is_reported_with_what_it_cost() -> None:
    """It has room again, and dropped packets: the first line is short enough for all of it."""
    name = "control-plane"
    before = node(name, counters={"Conntrack_drop": 17})
    after = dataclasses.replace(before, counters={"Conntrack_drop": 1234567})

    def rule(flow: Flow) -> Outcome:
        dead = name in (flow.source.node, flow.destination.node)
        return Outcome.DROPPED if dead else Outcome.ALLOWED

    (one,) = concluded(rule, examined({name: after}, before={name: before})).every
    assert one.headline.startswith(
        "Likely cause: node control-plane: connection tracking was full (400 of 131072 entries "
        "now, 1234550 packets dropped during the run): new connections of either "
        "family were dropped there"
    )


def test_a_table_of_connections_that_was_full_once() -> None:
    """What was dropped for want of room during the run, and not before it."""

    def dropped(before: int, now: int) -> bool:
        sick = node("worker", counters={"Conntrack_drop": now})
        earlier = {"worker": node("worker", counters={"Conntrack_drop": before})}
        read = examined({"worker": sick}, before=earlier)
        (one,) = concluded(across(SIX, "worker"), read).every
        return one.known and "connection tracking was full" in one.headline

    assert dropped(4, 9)
    assert not dropped(9, 9)


def _died(filters: dict[str, tuple[FilterSeen, FilterSeen]] | None = None) -> Conclusion:
    """What is concluded where packets across nodes died at worker, with these packet filters."""
    results = run(across(SIX, "worker"), examined(filters=filters))
    died = IcmpError(SIX, 3, 0, "2001:db8::2")
    (one,) = conclude(with_wrong_cells(results, icmp=died)).every
    return one


def test_a_hop_limit_is_named_with_the_node_that_said_so() -> None:
    """Rule "hop-limit": the sender's address is one of a node's."""
    one = _died()
    assert one.first_screen.startswith(
        "node worker: IPv6 packets exceed their hop limit on the way: 2001:db8::2 (worker) sent "
        "Time Exceeded. Look for what lowers it there (packet filter rules that set it, net.ipv6."
    )
    assert "hop limit exceeded in transit, said by 2001:db8::2 (worker)" in one.evidence[1]


@pytest.mark.parametrize(
    ("changes", "match", "named"),
    [
        ("hop limit to 1", "iifname cali*, IPv6, tcp and udp", True),
        ("hop limit", "IPv6", True),
        ("hop limit to 64", "IPv6", False),
        ("MSS to 1", "IPv6, tcp", False),
        ("TTL to 1", "IPv4", False),
    ],
)
def test_a_rule_that_lowers_the_hop_limit_is_named(changes: str, match: str, named: bool) -> None:
    """H1: of the family, and low; a filter of another node is no matter."""
    rule = drop(9, match, "rewrite", changes)
    read = (packet_filter(rule), packet_filter(rule))
    one = _died({"worker": read})
    phrase = "hop limit on the way: a packet filter rule sets the hop limit"
    assert (phrase in one.first_screen) is named
    texts = [command.text for command in one.causes[0].do]
    assert ("nft delete rule inet x input handle 7" in texts) is named
    assert phrase not in _died({"worker2": read}).first_screen


@pytest.mark.parametrize(
    ("family", "rose", "refused", "named"),
    [(SIX, 6, 40, True), (Family.IPV4, 6, 40, True), (SIX, 0, 40, False), (SIX, 6, 0, False)],
)
def test_a_hop_limit_of_which_no_client_was_told_is_named_by_its_rule(
    family: Family, rose: int, refused: int, named: bool
) -> None:
    """H1: a kernel sends Time Exceeded sparingly, and answers of servers that die use that up. The
    rule took packets that were sent again, and the kernel refused some meanwhile."""
    changes = "hop limit to 1" if family is SIX else "TTL to 1"
    counter = "Ip6InHdrErrors" if family is SIX else "IpInHdrErrors"
    rules = [drop(3 + n, str(family), "rewrite", changes) for n in (0, rose)]
    read = examined(
        {"worker": node("worker", counters={counter: 100 + refused})},
        before={"worker": node("worker", counters={counter: 100})},
        filters={"worker": (packet_filter(rules[0]), packet_filter(rules[1]))},
    )
    one = concluded(across(family, "worker"), read).every[0]
    phrase = f"node worker: {family} packets exceed their hop limit on the way: a packet filter"
    assert one.headline.startswith(phrase) is named
    if named:
        assert f"the kernel refused {refused} packets during the run ({counter})" in one.evidence[1]


def test_many_routers_that_say_so_are_one_line() -> None:
    """The first of them, and how many more; all of three as evidence."""
    results = run(across(SIX, "worker"), examined())
    (measured,) = results.matrices
    cells = {
        key: o
        if o.outcome.works
        else dataclasses.replace(o, icmp=IcmpError(SIX, 3, 0, f"2001:db8:ffff:ffff:ffff::{n % 3}"))
        for n, (key, o) in enumerate(measured.matrix.cells.items())
    }
    matrix = dataclasses.replace(measured.matrix, cells=cells)
    changed = dataclasses.replace(results, matrices=(dataclasses.replace(measured, matrix=matrix),))
    (one,) = conclude(changed).every
    assert one.headline.startswith("3 routers: IPv6 packets exceed their hop limit on the way: ")
    assert one.evidence[1].count("2001:db8:ffff") == 3


@pytest.mark.parametrize("family", Family, ids=str)
def test_several_who_say_that_a_hop_limit_was_exceeded_are_counted(family: Family) -> None:
    """A routing loop: two of them by name; what sets the limit is each family's own."""
    results = run(across(family, "worker"), examined())
    (measured,) = results.matrices
    sent = [str(a) for name in NODES for a in _addresses(name) if Family.of(a) is family]
    kind = 3 if family is SIX else 11
    cells = {
        key: dataclasses.replace(
            o, icmp=None if o.outcome.works else IcmpError(family, kind, 0, sent[number % 3])
        )
        for number, (key, o) in enumerate(measured.matrix.cells.items())
    }
    matrix = dataclasses.replace(measured.matrix, cells=cells)
    changed = dataclasses.replace(results, matrices=(dataclasses.replace(measured, matrix=matrix),))
    (one,) = conclude(changed).every
    assert one.first_screen.startswith(
        f"3 routers: {family} packets exceed their hop limit on the way"
    )
    assert "and 1 more sent Time Exceeded. Look" in one.first_screen
    limit = "net.ipv6.conf.*.hop_limit" if family is SIX else "net.ipv4.ip_default_ttl"
    assert limit in one.first_screen
    assert one.evidence[0] == f"{len([o for o in cells.values() if o.icmp])} flows met it"
    assert all(address in one.evidence[1] for address in sent)


def test_a_source_that_is_rewritten_is_named_with_its_device() -> None:
    """Rule "source-address": which address servers saw, and whose it is."""
    saw = ipaddress.ip_address("2001:db8::2")
    matrix = topology(works)
    seen = [
        dataclasses.replace(o, peer_saw=saw)
        if o.flow.source.node == "worker" and o.flow.crosses_nodes and o.flow.family is SIX
        else o
        for o in matrix.observations()
    ]
    wrong = {o.flow: f"saw {saw}" for o in seen if o.peer_saw == saw}
    kept, expected = judged(MatrixKind.SOURCES, "sources", seen, wrong)
    measured = Measured(kept, expected, "suites/pods/t.py::t")
    cases = (Case("suites/pods/t.py::t", CaseOutcome.FAILED),)
    dead = [neighbour("2001:db8::1", "FAILED")]
    sick = {"worker": node("worker", neighbours=dead)}
    rule = drop(3, "IPv6", "nat", "source")
    by = {"worker": (packet_filter(rule),) * 2}
    read = examined(sick, filters=by)
    (one,) = conclude(Results(RUN, cases=cases, matrices=(measured,), examination=read)).every
    assert (
        "of eth0 on worker, since table inet x translates them. Find out which" in one.first_screen
    )
    assert one.causes[0].do[-1].text == "nft delete rule inet x input handle 7"
    read = examined(sick)
    (one,) = conclude(Results(RUN, cases=cases, matrices=(measured,), examination=read)).every
    assert "Find the masquerade rule that takes them" in one.first_screen
    assert one.first_screen.startswith(
        "node worker: IPv6 packets of its pods to pod a on control-plane"
    )
    assert "arrive from 2001:db8::2, the address of eth0 on worker" in one.first_screen
    assert [c.code for c in one.causes] == ["source-address"], (
        "packets came back: neighbours answered"
    )


def _late(late: Callable[[Flow], bool]) -> Results:
    """A run in which such flows were not measured: an agent was late by 1.5 s, or by 2.5 s."""
    results = run(lambda flow: Outcome.UNKNOWN if late(flow) else Outcome.ALLOWED, examined())
    (measured,) = results.matrices
    cells = {
        key: o
        if o.outcome.works
        else dataclasses.replace(o, stalled=2.5 if o.flow.crosses_nodes else 1.5, reason="late")
        for key, o in measured.matrix.cells.items()
    }
    matrix = dataclasses.replace(measured.matrix, cells=cells)
    broken = dataclasses.replace(results.cases[0], outcome=CaseOutcome.BROKEN)
    return dataclasses.replace(
        results, cases=(broken,), matrices=(dataclasses.replace(measured, matrix=matrix),)
    )


def _touching(*nodes: str) -> Callable[[Flow], bool]:
    return lambda flow: bool({flow.source.node, flow.destination.node} & set(nodes))


def test_agents_that_were_late_are_no_matter_of_the_network() -> None:
    """Rule "agents-late": the node that is an end of all of them, though other nodes are sources of
    some, the process, how late, and that neither family is spared."""
    (one,) = conclude(_late(_touching("worker"))).every
    assert one.first_screen.startswith(
        "node worker: the probe agents (python) there were late by up to 2.5 s, over IPv4 and IPv6 "
        "alike: 360 cells could not be measured, and this says nothing about the network. "
    )
    assert len(one.headline) <= 200
    assert not one.measured


@pytest.mark.parametrize(
    ("nodes", "listed"),
    [(["worker"], ["worker"]), (NODES, ["worker", "worker2", "control-plane"])],
    ids=["one is late", "all are late"],
)
def test_the_load_of_nodes_is_evidence_for_late_agents(
    nodes: Sequence[str], listed: list[str]
) -> None:
    """Of the node that is named, or of all, the busiest first: by its processors."""
    loads = {"control-plane": (1.0, 8), "worker": (9.4, 2), "worker2": (9.5, 8)}

    def busy(name: str, factor: float = 1.0) -> NodeSeen:
        load, processors = loads[name]
        return node(name, load=load * factor, processors=processors)

    read = examined(
        {name: busy(name) for name in NODES}, before={name: busy(name, 0.5) for name in NODES}
    )
    late = _late(_touching(*nodes))
    (one,) = conclude(dataclasses.replace(late, examination=read)).every
    assert [line.split()[3] for line in one.evidence] == listed
    assert one.evidence[0] == (
        "load average of worker in the last minute of the run: 9.4 on 2 processors (4.7 when the "
        "run began)"
    )
    late = dataclasses.replace(late, examination=dataclasses.replace(read, before=[]))
    (one,) = conclude(late).every
    assert one.evidence[0].endswith(" on 2 processors")


@pytest.mark.parametrize(
    ("limit", "pages", "said"),
    [
        ("100\t200\t300", 301, True),
        ("100\t200\t300", 300, False),
        ("", 301, False),
        ("100 200", 301, False),
    ],
    ids=["over its limit", "at its limit", "not read", "odd"],
)
def test_full_tcp_buffers_are_evidence_for_late_agents(limit: str, pages: int, said: bool) -> None:
    """Of the node that is named alone, and only over the limit."""

    def full(name: str) -> NodeSeen:
        sysctls = {**node(name).sysctls, "net/ipv4/tcp_mem": limit}
        return node(name, sysctls=sysctls, sockets={"TCP_mem": pages})

    read = examined({name: full(name) for name in NODES})
    late = dataclasses.replace(_late(_touching("worker")), examination=read)
    (one,) = conclude(late).every
    line = f"TCP sockets of worker hold {pages} pages of memory, net.ipv4.tcp_mem allows 300"
    assert [x for x in one.evidence if "pages" in x] == [line] * said


def test_one_family_is_not_said_of_both() -> None:
    """Flows of IPv6 alone were tried, or met a late agent: which it was nobody knows."""
    at_worker = _touching("worker")
    (one,) = conclude(_late(lambda flow: flow.family is SIX and at_worker(flow))).every
    assert one.headline.startswith("node worker: ")
    assert "IPv" not in one.headline


@pytest.mark.parametrize(
    ("late", "place"),
    [
        (_touching("worker", "worker2"), "several nodes: "),
        (_touching(*NODES), "several nodes: "),
        (
            lambda flow: {flow.source.node, flow.destination.node} == {"worker", "worker2"},
            "nodes worker and worker2: ",
        ),
        (
            lambda flow: (flow.source.node, flow.destination.node) == ("worker", "worker2"),
            "node worker: ",
        ),
    ],
    ids=["two are late", "all are late", "one of two", "one sent them all"],
)
def test_no_node_is_named_of_which_that_is_not_known(
    late: Callable[[Flow], bool], place: str
) -> None:
    """The place is named as far as the cells show it."""
    (one,) = conclude(_late(late)).every
    assert one.headline.startswith(place)


def test_what_was_found_wrong_is_not_laid_at_late_agents() -> None:
    """A failed test about the node is a conclusion of its own, and the first; one that was not
    measured either belongs to it."""
    about = (Subject.of_node("worker"),)
    wrong = Case(
        "suites/a/t.py::t", CaseOutcome.FAILED, message="not there yet: worker", subjects=about
    )
    unknown = Case(
        "suites/b/t.py::t", CaseOutcome.BROKEN, message="no answer in time", subjects=about
    )
    late = _late(_touching("worker"))
    first, second = conclude(dataclasses.replace(late, cases=(*late.cases, wrong, unknown))).every
    assert first.headline == "not there yet: worker"
    assert not second.measured
    assert second.tests >= {unknown.nodeid}
    late = _late(_touching(*NODES))
    other = dataclasses.replace(unknown, message="worker has no address", subjects=())
    assert len(conclude(dataclasses.replace(late, cases=(*late.cases, other))).every) == 2


def test_a_failed_test_without_cells_is_reported_in_its_own_words() -> None:
    """Twins that say the same are one; the class at the end is left out."""
    said = "1 interface is wrong:\n  a@worker: expected 1430, seen 1500 on eth0\nclass: MTU"
    cases = tuple(
        Case(f"suites/mtu/t.py::t[{family}]", CaseOutcome.FAILED, message=said) for family in Family
    )
    (one,) = conclude(Results(RUN, cases=cases, examination=examined())).every
    assert one.headline == "1 interface is wrong: a@worker: expected 1430, seen 1500 on eth0"
    assert one.measured
    assert len(one.tests) == 2


@pytest.mark.parametrize("about", [True, False], ids=["about it", "naming it"])
def test_a_test_about_the_place_of_a_cause_is_reported_with_it(about: bool) -> None:
    """A pod of the node; what a message says proves nothing."""
    sick = node("worker")
    off = {**sick.sysctls, "net/ipv6/conf/all/forwarding": "0"}
    results = run(
        across(SIX, "worker"), examined({"worker": dataclasses.replace(sick, sysctls=off)})
    )
    late = Case(
        "suites/services/t.py::t",
        CaseOutcome.FAILED,
        message="not there yet: worker",
        subjects=(Subject("pod", "shop/web", "worker"),) if about else (),
    )
    one, *others = conclude(dataclasses.replace(results, cases=(*results.cases, late))).every
    assert one.known
    assert ("suites/services/t.py::t" in one.tests) is about
    assert bool(others) is not about


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ('nodePortAddresses: ["192.0.2.0/24", "fd00:dead::/64"]', True),
        ('nodePortAddresses: ["192.0.2.0/24", "2001:db8::/64"]', False),
        ('nodePortAddresses: ["192.0.2.0/24"]', False),  # none of a family means all of it
        ("nodePortAddresses: null", False),
        (": : {", False),
    ],
)
def test_node_ports_without_a_range_of_a_family(text: str, known: bool) -> None:
    """R8: a range that holds no node is distinguished from none."""
    port = dataclasses.replace(
        pods()[0],
        name="node-port at worker",
        kind=EndpointKind.SERVICE,
        node="worker",
        pod="",
        labels=(),
        addresses=tuple(_addresses("worker")),
    )

    def rule(flow: Flow) -> Outcome:
        dead = flow.destination is port and flow.family is SIX
        return Outcome.REFUSED if dead else Outcome.ALLOWED

    facts = ClusterFacts(
        "https://x", "v1.37.0", nodes=tuple(NodeFacts(n, tuple(_addresses(n))) for n in NODES)
    )
    results = run(rule, examined(settings={"kube-proxy": text}), (*pods()[1:], port))
    (one,) = conclude(dataclasses.replace(results, facts=facts)).every
    assert one.known is known
    if known:
        assert one.headline.startswith(
            "kube-proxy: nodePortAddresses (192.0.2.0/24, fd00:dead::/64)"
        )
        assert "holds no IPv6 address of any node" in one.headline


def _addresses(name: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return [ipaddress.ip_address(a.address) for a in node(name).addresses]


@pytest.mark.parametrize(
    ("entries", "remotes", "said", "shown"),
    [
        (
            [],
            ["2001:db8::3"],
            "has no neighbour entry for fd00::3",
            "that were read: 0, none of them usable for fd00::3",
        ),
        (
            ["aa:03"],
            [],
            "has no forwarding entry for aa:03",
            "forwarding entry for aa:03: not there (0 entries of vxlan-v6.calico were read)",
        ),
        (
            ["aa:03"],
            ["2001:db8::9"],
            "sends frames for worker2 to 2001:db8::9, which is none of its addresses",
            "forwarding entry for aa:03: 2001:db8::9 (1 entries",
        ),
        (["aa:03"], ["2001:db8::3"], "", ""),
    ],
)
def test_a_tunnel_that_does_not_know_its_peer(
    entries: list[str], remotes: list[str], said: str, shown: str
) -> None:
    """V1: neighbour entry, forwarding entry, and where that leads. What was read is told from the
    command that shows it."""
    sick = node("worker")
    far = {str(p.address(SIX)) for p in pods() if p.node == "worker2"}
    routes = [
        dataclasses.replace(r, gateway="fd00::3") if r.destination.partition("/")[0] in far else r
        for r in sick.routes
    ]
    sick = dataclasses.replace(
        sick,
        routes=routes,
        neighbours=[NeighbourSeen("fd00::3", TUNNELS[SIX], "PERMANENT", mac) for mac in entries],
        forwarding=[ForwardingSeen("aa:03", TUNNELS[SIX], remote) for remote in remotes],
    )
    facts = ClusterFacts(
        "https://x", "v1.37.0", nodes=tuple(NodeFacts(n, tuple(_addresses(n))) for n in NODES)
    )
    knew = [NeighbourSeen("fd00::3", TUNNELS[SIX], "PERMANENT", "aa:03")]
    forwarding = [ForwardingSeen("aa:03", TUNNELS[SIX], "2001:db8::3")]
    well = dataclasses.replace(sick, neighbours=knew, forwarding=forwarding)
    for before, when in ((well, "new since the run began"), (sick, "already before the run")):
        read = examined({"worker": sick}, before={"worker": before})
        results = run(across(SIX, "worker", "worker2"), read)
        (one,) = conclude(dataclasses.replace(results, facts=facts)).every
        assert one.known is bool(said)
        assert said in one.first_screen
        if said:
            assert f"IPv6 packets to pods there go nowhere ({when})" in one.first_screen
            assert "See the log of calico-node there" in one.first_screen
            assert shown in one.evidence[0]
            assert one.causes[0].see[0].text.startswith("bridge fdb show dev ")
            assert "bridge" not in " ".join(one.evidence)


def test_a_rule_takes_what_is_dialled_at_its_nodes_own_address() -> None:
    """I1 behind a NodePort: neither end is on the node, and its packets pass there all the same."""
    source, server = pods()[0], pods()[-1]
    flow = Flow(source, server, ipaddress.ip_address("2001:db8::2"), Protocol.UDP, 30001, "bulk")
    seen = Observation(flow, Outcome.DROPPED)
    matrix, expected = judged(MatrixKind.PATHS, "paths", [seen], {flow: "it vanished"})
    measured = Measured(matrix, expected, "suites/mtu/t.py::t")
    examination = examined(filters={"worker": (packet_filter(drop(1)), packet_filter(drop(9)))})
    cases = (Case("suites/mtu/t.py::t", CaseOutcome.FAILED),)
    results = Results(RUN, cases=cases, matrices=(measured,), examination=examination, facts=FACTS)
    (one,) = conclude(results).every
    assert one.headline.startswith("node worker: a packet filter rule drops")
    (other,) = conclude(dataclasses.replace(results, facts=None)).every
    assert not other.known


def test_a_slice_that_leads_nowhere_is_the_cause() -> None:
    """S2: the slice by its name, the service, the address, and who keeps it."""
    service = dataclasses.replace(
        pods()[0], name="web", kind=EndpointKind.SERVICE, node="", pod="", labels=()
    )

    def rule(flow: Flow) -> Outcome:
        dead = flow.destination is service and flow.family is SIX
        return Outcome.DROPPED if dead else Outcome.ALLOWED

    stray = StrayEndpoint("six-x-svc", "web", "by-hand", "2001:db8:bad::1")
    ran = run(rule, examined(strays=[stray]), (*pods()[1:], service))
    listed = "2001:db8:bad::1 port 80 is listed by EndpointSlice by-hand, no ready pod has it"
    own = Case(
        "suites/services/t.py::slices",
        CaseOutcome.FAILED,
        message=listed,
        subjects=(Subject("EndpointSlice", "six-x-svc/by-hand"),),
    )
    (one,) = conclude(dataclasses.replace(ran, cases=(*ran.cases, own))).every
    assert own.nodeid in one.tests, "it names the slice without its namespace"
    assert one.headline.startswith(
        "EndpointSlice six-x-svc/by-hand: it sends IPv6 traffic of Service web to "
        "2001:db8:bad::1, which no pod has"
    )
    assert "no controller keeps it" in one.evidence


def test_tunnels_of_both_families_that_differ_alike_are_one_cause() -> None:
    """R7: a node's setting concerns both its tunnels."""
    sick = node("worker")
    links = [
        dataclasses.replace(link, port=4799) if link.kind == "vxlan" else link
        for link in sick.links
    ]

    def rule(flow: Flow) -> Outcome:
        return across(flow.family, "worker")(flow)

    line = first(rule, examined({"worker": dataclasses.replace(sick, links=links)}))
    assert line.startswith(
        "node worker: vxlan-v6.calico and vxlan.calico have UDP port 4799, the other nodes have "
        "4789: neither side takes the other's packets, over IPv4 and IPv6 (new since the run began)"
    )


def test_words_of_a_test_that_a_fact_explains_become_its_cause() -> None:
    """I3T: the device of the node that the test is about, and what the other nodes have."""
    sick = node("worker")
    links = [
        dataclasses.replace(link, mtu=1300) if link.name == TUNNELS[SIX] else link
        for link in sick.links
    ]
    read = examined({"worker": dataclasses.replace(sick, links=links)})
    results = Results(RUN, examination=read)
    failed = Case(
        "suites/mtu/t.py::t",
        CaseOutcome.FAILED,
        message="1 tunnel is wrong",
        subjects=(Subject.of_node("worker", TUNNELS[SIX]),),
    )
    (one,) = conclude(dataclasses.replace(results, cases=(failed,))).every
    assert one.first_screen.startswith(
        f"node worker: {TUNNELS[SIX]} has MTU 1300 bytes (1450 bytes when the run began), on the "
        "other nodes it has 1450 bytes. Set it to 1450 bytes, and "
    )
    assert words.explains(one) == ("1 test: t",)


def test_what_a_cause_explains_adds_up() -> None:
    """The wrong results of the places that are named, and of those that are not."""
    sick = node("worker")
    links = [dataclasses.replace(link, up=link.name not in TUNNELS.values()) for link in sick.links]

    def rule(flow: Flow) -> Outcome:
        return across(flow.family, "worker")(flow)

    read = examined({"worker": dataclasses.replace(sick, links=links)})
    (one,) = concluded(rule, read).every
    (place,) = one.faults
    cells = len(place.pattern.cells)
    assert words.explains(one) == ("1 test: t", place.pattern.fact)
    twice = dataclasses.replace(one, cases=(Case("suites/pods/t.py::other", CaseOutcome.FAILED),))
    assert words.explains(twice)[0] == f"2 tests ({words.ONCE})"
    many = dataclasses.replace(one, faults=(place,) * 4)
    lead, *named, rest = words.explains(many)
    assert lead == "1 test: t"
    assert named == [place.pattern.fact] * 2
    assert rest == f"{2 * cells} wrong results in 2 other places"


def test_leaks_and_what_was_not_measured_are_no_wrong_results_like_others() -> None:
    """A leak is what its first line begins with."""
    sick = node("worker")
    links = [dataclasses.replace(link, up=link.name not in TUNNELS.values()) for link in sick.links]

    def rule(flow: Flow) -> Outcome:
        return across(flow.family, "worker")(flow)

    (one,) = concluded(rule, examined({"worker": dataclasses.replace(sick, links=links)})).every
    (place,) = one.faults
    cells = len(place.pattern.cells)

    def of(state: CellState) -> FailingPlace:
        pattern = dataclasses.replace(place.pattern, state=state)
        return dataclasses.replace(place, pattern=pattern)

    leaking = dataclasses.replace(one, faults=(place, of(CellState.LEAK), of(CellState.UNKNOWN)))
    lead, *_, rest = words.explains(leaking)
    assert lead == "1 test: t"
    assert rest == f"{cells} results not measured in 1 other place"
    assert leaking.headline == f"Policy leak: {one.headline}"
    unknown = dataclasses.replace(leaking, causes=())
    assert unknown.headline == f"Policy leak: {place.pattern.fact}"


def _wider(name: str, mtu: int, *devices: str) -> NodeSeen:
    """A node whose devices have that MTU."""
    seen = node(name)
    links = [
        dataclasses.replace(link, mtu=mtu) if link.name in devices else link for link in seen.links
    ]
    return dataclasses.replace(seen, links=links)


def _sizes(source: str, server: str) -> Results:
    """A run in which a large packet did not pass from one node's pod to another's."""
    ends = {pod.node: pod for pod in pods()}
    address = ends[server].address(SIX)
    assert address is not None
    flow = Flow(ends[source], ends[server], address, Protocol.UDP, 8080, "a plain socket")
    seen = Observation(flow, Outcome.DROPPED)
    matrix, expected = judged(MatrixKind.PATHS, "paths", [seen], {flow: "it vanished"})
    measured = Measured(matrix, expected, "suites/mtu/t.py::t")
    cases = (Case("suites/mtu/t.py::t", CaseOutcome.FAILED),)
    return Results(RUN, cases=cases, matrices=(measured,), facts=FACTS)


def test_a_link_under_the_tunnels_comes_before_the_tunnels_that_took_it_over() -> None:
    """I2L: eth0 of that node; its tunnels are signs. Tests about either are its own."""
    sick = _wider("worker", 9000, "eth0", *TUNNELS.values())
    parts = [[UNDERLAY], list(TUNNELS.values())]
    cases = [
        Case(
            f"suites/mtu/t.py::u{i}",
            CaseOutcome.FAILED,
            message=f"{some} are wrong",
            subjects=tuple(Subject.of_node("worker", part) for part in some),
        )
        for i, some in enumerate(parts)
    ]
    results = _sizes("worker", "worker2")
    examination = examined({"worker": sick}, before={"worker": sick})
    (one,) = conclude(
        dataclasses.replace(results, cases=(*results.cases, *cases), examination=examination)
    ).every
    assert one.first_screen.startswith(
        "Likely cause: node worker: eth0 has MTU 9000 bytes, on the other nodes it has 1500 bytes; "
        "it carries IPv4 and IPv6 (already before the run). Set it to 1500 bytes, and "
    )
    assert len(one.tests) == 3
    (alone,) = conclude(
        Results(RUN, cases=tuple(cases), facts=FACTS, examination=examination)
    ).every
    assert one.first_screen == f"Likely cause: {alone.first_screen}"


def test_a_node_is_not_odd_because_another_one_is() -> None:
    """Two others that differ are no majority against it: nothing is said of the node that is well,
    where packets between it and the third fail of something else."""
    sick = _wider("worker", 9000, *TUNNELS.values())
    results = _sizes("control-plane", "worker2")
    (one,) = conclude(dataclasses.replace(results, examination=examined({"worker": sick}))).every
    assert not one.known


def test_of_two_nodes_that_differ_the_one_that_changed_is_odd() -> None:
    """Without a majority nothing shows which is right, but what it had when the run began."""
    sick = _wider("worker", 9000, *TUNNELS.values())
    two = ("control-plane", "worker")

    def conclusion_with(**more: Any) -> Conclusion:
        seen = examined({"worker": sick}, **more)
        after = [reading for reading in seen.after if reading.node in two]
        results = _sizes("control-plane", "worker")
        (one,) = conclude(
            dataclasses.replace(results, examination=dataclasses.replace(seen, after=after))
        ).every
        return one

    line = conclusion_with().first_screen
    assert line.startswith(
        f"Likely cause: node worker: {TUNNELS[SIX]} has MTU 9000 bytes (1450 bytes when the run"
    )
    assert "has 1450 bytes; it carries IPv6. Set" in line
    assert not conclusion_with(before={"worker": sick}).known
