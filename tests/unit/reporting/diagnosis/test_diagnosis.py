"""Diagnosis: every fault is named in its place, with what works beside it, and nothing else."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixproof.model import (
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    Matrix,
    Outcome,
    Protocol,
    edge_of,
)
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.diagnosis.pattern import Pattern, said_list
from sixproof.reporting.diagnosis.places import diagnose
from sixproof.reporting.matrix.grid import CellState, Expected
from tests.unit.reporting.samples import (
    DENY,
    OPEN,
    PORT_SPECS,
    Rule,
    all_open,
    between,
    pods,
    seen,
    topology,
    v6_tunnel_broken,
    works,
)

V6 = Family.IPV6


def dropped(when: object) -> Outcome:
    """DROPPED where the condition holds."""
    return Outcome.DROPPED if when else Outcome.ALLOWED


def patterns(
    rule: Rule, expected: Expected | None = None, **options: object
) -> tuple[Pattern, ...]:
    """The patterns of a probe topology in which everything must be allowed, unless told
    otherwise."""
    matrix = topology(rule, **options)  # type: ignore[arg-type]
    return diagnose(matrix, matrix.disagreements(expected or all_open(matrix)))


def only(rule: Rule, **options: object) -> Pattern:
    """The single pattern of a probe topology in which everything must be allowed."""
    (pattern,) = patterns(rule, None, **options)
    return pattern


def test_nothing_wrong_is_no_pattern() -> None:
    assert patterns(works) == ()


def test_a_broken_node_pair_is_named_with_icmp_and_ipv4_in_contrast() -> None:
    assert only(v6_tunnel_broken).sentence == (
        "all IPv6 TCP and UDP flows from worker to worker2 and back are DROPPED (54 of 54 cells); "
        "ICMPv6 in the same place works; IPv4 works; every other IPv6 TCP and UDP flow works"
    )


@pytest.mark.parametrize(
    ("rule", "where", "beside"),
    [
        (
            lambda f: dropped(f.crosses_nodes and f.destination.node == "worker2"),
            "to pods on worker2 from other nodes",
            "flows from pods on worker2 to other nodes work",
        ),
        (
            lambda f: dropped(f.crosses_nodes and f.source.node == "worker2"),
            "from pods on worker2 to other nodes",
            "flows to pods on worker2 from other nodes work",
        ),
        (
            lambda f: dropped(f.crosses_nodes and "worker" in (f.source.node, f.destination.node)),
            "to and from pods on worker across nodes",
            "every other IPv6 flow works",
        ),
        (
            lambda f: dropped((f.source.node, f.destination.node) == ("worker", "worker2")),
            "from worker to worker2",
            "flows from worker2 to worker work",
        ),
        (lambda f: dropped(f.crosses_nodes), "between nodes", "every other IPv6 flow works"),
        (lambda f: dropped(not f.crosses_nodes), "inside a node", "every other IPv6 flow works"),
        (
            lambda f: dropped(f.source.node == f.destination.node == "worker"),
            "inside node worker",
            "every other IPv6 flow works",
        ),
        (
            lambda f: dropped(
                f.source.node == f.destination.node == "worker" and f.source != f.destination
            ),
            "between the endpoints of node worker",
            "every other IPv6 flow works",
        ),
        (
            lambda f: dropped("b@worker" in (f.source.name, f.destination.name)),
            "to and from pod b on worker",
            "every other IPv6 flow works",
        ),
        (
            lambda f: dropped(f.destination.name == "b@worker"),
            "to pod b on worker",
            "every other IPv6 flow works",
        ),
        (
            lambda f: dropped(f.destination.name == "b@worker" and f.source != f.destination),
            "to pod b on worker from every other endpoint",
            "flows from pod b on worker to every other endpoint work",
        ),
        (
            lambda f: dropped(f.source.name == "b@worker"),
            "from pod b on worker",
            "every other IPv6 flow works",
        ),
        (
            lambda f: dropped(f.source == f.destination),
            "from an endpoint to itself",
            "every other IPv6 flow works",
        ),
        (
            lambda f: dropped(f.destination.name.startswith("b@")),
            "to pods labelled role=b",
            "every other IPv6 flow works",
        ),
        (
            lambda f: dropped((f.source.name, f.destination.name) == ("a@worker", "b@worker2")),
            "from pod a on worker to pod b on worker2",
            "flows from pod b on worker2 to pod a on worker work",
        ),
    ],
    ids=[
        "node-as-destination",
        "node-as-source",
        "node-both-ways",
        "pair-one-way",
        "all-tunnels",
        "inside-nodes",
        "inside-one-node",
        "neighbours",
        "pod",
        "pod-as-destination",
        "pod-but-not-itself",
        "pod-as-source",
        "hairpin",
        "label",
        "one-edge",
    ],
)
def test_a_fault_is_named_in_its_place(rule: Rule, where: str, beside: str) -> None:
    pattern = only(lambda f: rule(f) if f.family is V6 else Outcome.ALLOWED)
    assert pattern.where == where
    assert beside in pattern.contrasts
    assert "IPv4 works" in pattern.contrasts
    assert pattern.sentence.startswith(f"all IPv6 flows {where} are DROPPED")
    assert pattern.categories == (Category.IPV6_ONLY,)


def test_one_family_everywhere() -> None:
    pattern = only(lambda f: dropped(f.family is V6))
    assert pattern.sentence == "all IPv6 flows are DROPPED (324 of 324 cells); IPv4 works"


def test_one_port_only() -> None:
    pattern = only(lambda f: dropped(f.family is V6 and f.port_spec == "tcp/8081"))
    assert pattern.sentence == (
        "all IPv6 tcp/8081 flows are DROPPED (81 of 81 cells); "
        "tcp/8080, UDP and ICMPv6 in the same place work; IPv4 works"
    )


def test_a_services_own_port_is_named_though_no_other_was_asked() -> None:
    """Flows to port 53 stand for DNS, and not for all TCP and UDP."""
    asked = ((Protocol.TCP, 53), (Protocol.UDP, 53))
    matrix = topology(lambda f: dropped(f.family is V6), port_specs=asked)
    (pattern,) = diagnose(matrix, matrix.disagreements(all_open(matrix)))
    assert pattern.fact == "all IPv6 tcp/53 and udp/53 flows are DROPPED (162 of 162 cells)"


def test_both_families_alike_are_one_pattern() -> None:
    pattern = only(lambda f: dropped(f.port_spec == "udp/8080"))
    assert pattern.sentence == (
        "all IPv4 and IPv6 UDP flows are DROPPED (162 of 162 cells); "
        "TCP and ICMP/ICMPv6 in the same place work"
    )
    assert pattern.categories == (Category.BOTH,)


def test_with_two_nodes_the_pair_is_named() -> None:
    pattern = only(
        lambda f: dropped(f.family is V6 and f.crosses_nodes),
        endpoints=pods("abc", ("worker", "worker2")),
    )
    assert pattern.where == "from worker to worker2 and back"


def test_a_node_with_one_endpoint_is_distinguished_from_it_only_in_words() -> None:
    pattern = only(
        lambda f: dropped(f.family is V6 and f.crosses_nodes and f.destination.node == "worker"),
        endpoints=pods("a"),
    )
    assert pattern.where == "to pods on worker from other nodes"
    assert "pod a on worker is the only endpoint there" in pattern.contrasts


def test_two_faults_are_two_patterns_the_larger_first() -> None:
    def rule(flow: Flow) -> Outcome:
        dead = flow.destination.name == "c@control-plane"
        return Outcome.DROPPED if dead else v6_tunnel_broken(flow)

    found = patterns(rule)
    assert [p.where for p in found] == [
        "to pod c on control-plane",
        "from worker to worker2 and back",
    ]


def test_a_few_cells_that_got_through_do_not_hide_the_place() -> None:
    def rule(flow: Flow) -> Outcome:
        lucky = edge_of(flow) == ("a@worker", "a@worker2", "tcp/8080")
        return Outcome.ALLOWED if lucky else v6_tunnel_broken(flow)

    pattern = only(rule)
    assert pattern.where == "from worker to worker2 and back"
    assert pattern.sentence.startswith("nearly all IPv6 TCP and UDP flows")
    assert "(53 of 54 cells)" in pattern.sentence


def test_lost_replies_name_the_direction_in_which_packets_vanish() -> None:
    def rule(flow: Flow) -> Outcome:
        if flow.family is not V6 or not between(flow, "worker", "worker2"):
            return Outcome.ALLOWED
        lost = flow.source.node == "worker2" and flow.port_spec == "udp/8080"
        return Outcome.REPLY_LOST if lost else Outcome.DROPPED

    pattern = only(rule)
    assert "fail: 63 DROPPED, 9 REPLY_LOST" in pattern.sentence
    assert pattern.contrasts[-1] == (
        "requests from worker2 arrive on worker and the replies are lost: "
        "packets from worker to worker2 are lost"
    )


@pytest.mark.parametrize("onward", [True, False], ids=["into the node", "out of the node"])
def test_replies_lost_between_a_node_and_all_others_name_the_direction(onward: bool) -> None:
    """The node sends nothing across, or receives nothing: the path of the replies shows which."""

    def rule(flow: Flow) -> Outcome:
        if flow.family is not V6 or not flow.crosses_nodes:
            return Outcome.ALLOWED
        near, far = (flow.source.node, flow.destination.node)[:: 1 if onward else -1]
        if near == "worker":
            return Outcome.REPLY_LOST
        return Outcome.DROPPED if far == "worker" else Outcome.ALLOWED

    ends = ("worker", "other nodes") if onward else ("other nodes", "worker")
    assert only(rule).contrasts[-1] == (
        f"requests from {ends[0]} arrive on {ends[1]} and the replies are lost: "
        f"packets from {ends[1]} to {ends[0]} are lost"
    )


def test_loss_without_a_place_is_not_given_one() -> None:
    dice = random.Random(7)
    lost = {key for key in topology().cells if dice.random() < 0.03}
    found = patterns(lambda f: dropped((f.family, edge_of(f)) in lost))
    assert all(p.scope is None for p in found)
    assert all("in no common place" in p.sentence for p in found)
    assert sum(len(p.cells) for p in found) == len(lost)


def test_agents_that_stood_still_for_different_times_are_one_sentence() -> None:
    """A busy machine is one cause, however long each agent stood still; the longest is reported."""
    matrix = topology(lambda f: Outcome.UNKNOWN if f.source.name[0] == "b" else Outcome.ALLOWED)
    stalls = {"b@worker": 1.05, "b@worker2": 3.64}
    wrong = [
        dataclasses.replace(
            d,
            observation=dataclasses.replace(
                d.observation,
                reason=f"an agent was stalled for {stalls[d.observation.flow.source.name]} s "
                "of a wait of 1.20 s",
                stalled=stalls[d.observation.flow.source.name],
            ),
        )
        for d in matrix.disagreements(all_open(matrix))
        if d.observation.flow.source.name in stalls
    ]
    (pattern,) = diagnose(matrix, wrong)
    assert "an agent was stalled for 3.64 s of a wait of 1.20 s at worst" in pattern.sentence
    assert len(pattern.cells) == len(wrong)


def test_what_could_not_be_measured_names_agent_and_reason_and_no_fault() -> None:
    pattern = only(lambda f: Outcome.UNKNOWN if f.source.name == "b@worker" else Outcome.ALLOWED)
    assert pattern.sentence == (
        "72 IPv4 and IPv6 cells could not be measured, agent of pod b on worker: agent channel "
        "lost (this says nothing about the network)"
    )
    assert pattern.categories == (Category.NOT_MEASURED,)


@pytest.mark.parametrize(
    ("rule", "agents"),
    [
        (lambda f: f.destination.name == "b@worker", "agent of pod b on worker"),
        (
            lambda f: f.source.node == "worker",
            "agents on node worker: a, b and c",
        ),
        (
            lambda f: f.source.name in ("a@worker", "a@worker2"),
            "agents of pod a on worker and pod a on worker2",
        ),
        (
            lambda f: f.source.name != "",
            "9 agents: pod a on control-plane, pod b on control-plane, pod c on control-plane, "
            "pod a on worker and others",
        ),
    ],
    ids=["asked", "node", "two", "all"],
)
def test_the_agents_that_could_not_measure_are_named(rule: object, agents: str) -> None:
    assert callable(rule)
    pattern = only(lambda f: Outcome.UNKNOWN if rule(f) else Outcome.ALLOWED)
    assert pattern.where == agents


def test_a_fault_beside_unmeasured_cells_is_still_named() -> None:
    def rule(flow: Flow) -> Outcome:
        asked = flow.destination.name == "b@control-plane"
        return Outcome.UNKNOWN if asked else v6_tunnel_broken(flow)

    fault, unknown = patterns(rule)
    assert fault.where == "from worker to worker2 and back"
    assert unknown.state is CellState.UNKNOWN


def denied_to_a(matrix: Matrix) -> Expected:
    """Flows to pods with role=a must be denied, the rest allowed."""
    return {k: DENY if k[1][1].startswith("a@") else OPEN for k in matrix.cells}


def leak(flow: Flow) -> Outcome:
    """A policy that is not enforced for IPv6 on one node."""
    leaks = flow.family is V6 and flow.destination.node == "worker"
    return dropped(flow.destination.name.startswith("a@") and not leaks)


def test_a_policy_leak_is_placed_and_compared_with_the_other_family() -> None:
    (pattern,) = patterns(leak, denied_to_a(topology()))
    assert pattern.sentence == (
        "all IPv6 flows to pod a on worker that must be denied are ALLOWED "
        "(36 of 36 cells; NetworkPolicy x/deny-all ingress: no rule); "
        "the same over IPv4 is denied as expected; every other IPv6 flow is denied as expected"
    )
    assert pattern.categories == (Category.LEAK, Category.IPV6_ONLY)


def test_rightly_denied_flows_do_not_contradict_a_broken_pair() -> None:
    def rule(flow: Flow) -> Outcome:
        denied = flow.destination.name.startswith("a@")
        return dropped(denied or between(flow, "worker", "worker2"))

    (pattern,) = patterns(rule, denied_to_a(topology()))
    assert pattern.where == "from worker to worker2 and back"
    assert "that must be allowed are DROPPED" in pattern.sentence


def test_a_leak_and_a_block_in_one_place_do_not_blur_each_other() -> None:
    found = patterns(
        lambda f: leak(f) if f.destination.name.startswith("a@") else v6_tunnel_broken(f),
        denied_to_a(topology()),
    )
    assert {p.state for p in found} == {CellState.LEAK, CellState.BLOCKED}
    blocked = next(p for p in found if p.state is CellState.BLOCKED)
    assert "ICMPv6 in the same place works" in blocked.contrasts


def test_an_allowed_flow_that_a_rule_lets_pass_and_is_dropped_is_an_over_block() -> None:
    rule = Expectation.allowed("NetworkPolicy x/allow-b ingress rule 1", by_policy=True)
    (pattern,) = patterns(
        lambda f: dropped(f.destination.name.startswith("b@")),
        dict.fromkeys(topology().cells, rule),
    )
    assert pattern.categories == (Category.OVER_BLOCK,)
    assert "NetworkPolicy x/allow-b ingress rule 1" in pattern.sentence


def test_a_denial_of_another_kind_says_which_was_expected() -> None:
    (pattern,) = patterns(
        lambda f: Outcome.REFUSED if f.destination.name == "a@worker" else leak_free(f),
        denied_to_a(topology()),
    )
    assert "to pod a on worker are REFUSED, expected DROPPED" in pattern.sentence
    assert pattern.categories == (Category.OTHER_DENIAL,)


def leak_free(flow: Flow) -> Outcome:
    """The policy as it must be."""
    return dropped(flow.destination.name.startswith("a@"))


def test_a_common_reason_is_quoted() -> None:
    places = pods("a")
    flow_of = topology(endpoints=places)
    cells = [
        o
        if o.flow.source.name != "a@worker" or o.flow.family is not V6
        else type(o)(o.flow, Outcome.UNROUTABLE, reason="no route to host")
        for o in flow_of.observations()
    ]
    matrix = Matrix.of("t", cells)
    (pattern,) = diagnose(matrix, matrix.disagreements(all_open(matrix)))
    assert 'are UNROUTABLE ("no route to host")' in pattern.sentence


def test_services_are_a_place_of_their_own() -> None:
    clients = pods("a")
    service = Endpoint("echo", EndpointKind.SERVICE, clients[0].addresses)
    other = Endpoint("dns", EndpointKind.SERVICE, clients[1].addresses)
    targets = (*clients, service, other)
    flows = [
        Flow(source, target, address, *PORT_SPECS[0])
        for source in clients
        for target in targets
        for address in target.addresses
    ]
    bad = {"echo", "dns"}
    matrix = Matrix.of("s", [seen(f, dropped(f.destination.name in bad)) for f in flows])
    (pattern,) = diagnose(matrix, matrix.disagreements(all_open(matrix)))
    assert pattern.where == "to services"


def test_a_family_that_was_not_measured_is_said_so() -> None:
    pattern = only(lambda f: dropped(f.destination.name == "a@worker"), families=[V6])
    assert "IPv4 was not measured" in pattern.contrasts


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_wrong_cell_is_in_exactly_one_pattern(data: st.DataObject) -> None:
    keys = list(SMALL.cells)
    bad = set(data.draw(st.lists(st.sampled_from(keys), max_size=20)))
    unknown = set(data.draw(st.lists(st.sampled_from(keys), max_size=5)))

    def outcome(flow: Flow) -> Outcome:
        key = (flow.family, edge_of(flow))
        return Outcome.UNKNOWN if key in unknown else dropped(key in bad)

    matrix = topology(outcome, endpoints=SMALL_PODS)
    wrong = matrix.disagreements(all_open(matrix))
    covered = [cell for pattern in diagnose(matrix, wrong) for cell in pattern.cells]
    assert sorted(map(str, covered)) == sorted(map(str, wrong))


SMALL_PODS = pods("ab", ("worker", "worker2"))
SMALL = topology(endpoints=SMALL_PODS)


@pytest.mark.parametrize(
    ("words", "said"),
    [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c")],
)
def test_lists_are_said_with_commas_and_an_and(words: tuple[str, ...], said: str) -> None:
    assert said_list(words) == said
