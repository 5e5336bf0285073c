"""BGP sessions as causes: the node, or the peer that several nodes have lost, and its family."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Mapping

from sixproof.checks.judged import expecting_all, judged
from sixproof.model import (
    Endpoint,
    EndpointKind,
    Family,
    Flow,
    Matrix,
    MatrixKind,
    Observation,
    Outcome,
    Protocol,
)
from sixproof.reporting.conclusion.conclusion import Conclusions
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome
from tests.unit.reporting.conclusion.cluster import across, conclude, examined, node
from tests.unit.reporting.samples import RUN, measured

SIX = Family.IPV6
TEST = "suites/bgp/test_sessions.py::t"
NODES = ("control-plane", "worker", "worker2")
HOSTS = tuple(
    Endpoint(
        f"host@{n}", EndpointKind.HOST, (ipaddress.ip_address(f"2001:db8::{i}"),), node=n, pod="h"
    )
    for i, n in enumerate(NODES, 1)
)
ROUTER = Endpoint(
    "BGP peer 2001:db8::9", EndpointKind.OUTSIDE, (ipaddress.ip_address("2001:db8::9"),)
)


def sessions(
    down: Callable[[Endpoint, Endpoint], bool],
    *more: Measured,
    refused: Mapping[str, int] | None = None,
) -> Conclusions:
    """What is concluded of such sessions; `refused` are segments by the node that refused them."""
    flows = [
        Flow(a, b, b.addresses[0], Protocol.TCP, question="BGP session")
        for a in HOSTS
        for b in (*HOSTS, ROUTER)
        if a is not b
    ]
    wrong = {f: "the session is Connect" for f in flows if down(f.source, f.destination)}
    seen = [Observation(f, Outcome.ALLOWED) for f in flows]
    kept, expected = judged(MatrixKind.SESSIONS, "BGP sessions of every node", seen, wrong)
    outcome = CaseOutcome.FAILED if wrong else CaseOutcome.PASSED
    cases = (Case(TEST, outcome), *(Case(m.test, CaseOutcome.FAILED) for m in more))
    changed = {
        name: node(name, counters={"TcpExtTCPMD5NotFound": number})
        for name, number in (refused or {}).items()
    }
    results = Results(
        RUN,
        cases=cases,
        matrices=(Measured(kept, expected, TEST), *more),
        examination=examined(changed),
    )
    return conclude(results)


def test_a_node_whose_sessions_are_down_is_named_with_the_family() -> None:
    (one,) = sessions(lambda a, b: "worker" in (a.node, b.node)).every
    assert one.headline.startswith("node worker: 5 of its 5 BGP sessions over IPv6 are not")
    assert "the session is Connect" in one.headline


def test_a_router_that_all_nodes_have_lost_is_the_place() -> None:
    (one,) = sessions(lambda _, b: b is ROUTER).every
    assert one.headline.startswith("BGP peer 2001:db8::9: 3 of its 3 BGP sessions over IPv6")


def test_segments_that_were_refused_for_their_signature_point_to_passwords() -> None:
    """B2: kernels count them; on a node whose sessions stand they say nothing."""
    (one,) = sessions(lambda _, b: b is ROUTER, refused={"worker": 7}).every
    assert one.headline.startswith(
        "BGP peer 2001:db8::9: 3 of its 3 BGP sessions over IPv6 are not Established, with "
        "node control-plane for one: the two sides' passwords differ (TCP MD5 signatures)"
    )
    assert (
        "the kernel of worker refused 7 TCP segments whose MD5 signature (RFC 2385) was"
        in one.evidence[0]
    )
    (other,) = sessions(
        lambda a, b: a.node == "worker2" and b is ROUTER, refused={"worker": 7}
    ).every
    assert "passwords differ" not in other.headline


def test_one_session_is_reported_for_the_node_that_was_asked() -> None:
    (one,) = sessions(lambda a, b: a.node == "worker2" and b is ROUTER).every
    assert one.headline.startswith("node worker2: 1 of its 5 BGP sessions over IPv6 is not")


def test_flows_that_need_its_routes_are_explained_by_it() -> None:
    flows = dataclasses.replace(measured(across(SIX, "worker")), test="suites/pods/t.py::t")
    (one,) = sessions(lambda a, b: "worker" in (a.node, b.node), flows).every
    assert one.causes[0].code == "bgp-session"
    assert one.tests == {TEST, "suites/pods/t.py::t"}


def test_flows_of_another_node_are_not() -> None:
    flows = dataclasses.replace(measured(across(SIX, "worker2")), test="suites/pods/t.py::t")
    conclusions = sessions(lambda a, b: a.node == "worker" and b is ROUTER, flows)
    assert len(conclusions.every) == 2


def test_what_is_behind_a_router_that_all_nodes_have_lost_is_explained_by_it() -> None:
    """B2: a client in the rack is reached by that router's routes; pods of the cluster are not."""
    rack = Endpoint("rack", EndpointKind.OUTSIDE, (ipaddress.ip_address("2001:db8:57::2"),))
    beyond = [Flow(rack, host, host.addresses[0], Protocol.TCP) for host in HOSTS]
    lost = Matrix.of("from the rack", [Observation(f, Outcome.DROPPED) for f in beyond])
    kept, expected = expecting_all(lost, "nothing forbids it")
    behind = Measured(kept, expected, "suites/bgp/test_behind_the_router.py::t")
    (one,) = sessions(lambda _, b: b is ROUTER, behind).every
    assert one.headline.startswith("BGP peer 2001:db8::9")
    assert one.tests == {TEST, behind.test}
    inside = dataclasses.replace(measured(across(SIX, "worker2")), test="suites/pods/t.py::t")
    assert len(sessions(lambda _, b: b is ROUTER, inside).every) == 2


def test_the_routes_that_a_router_lacks_are_explained_by_its_sessions() -> None:
    """B2: what was asked of its kernel came back, and is wrong all the same."""
    router = Endpoint("router", EndpointKind.OUTSIDE, ROUTER.addresses)  # as its agent is called
    asked = [Flow(router, host, host.addresses[0], Protocol.ICMP, question="r") for host in HOSTS]
    kept, expected = judged(
        MatrixKind.ROUTES,
        "routes of the router outside to every pod",
        [Observation(flow, Outcome.ALLOWED) for flow in asked],
        dict.fromkeys(asked, "there is no route"),
    )
    routes = Measured(kept, expected, "suites/bgp/test_routes.py::t")
    (one,) = sessions(lambda _, b: b is ROUTER, routes).every
    assert one.tests == {TEST, routes.test}
    assert len(sessions(lambda a, b: a.node == "worker" and b is not ROUTER, routes).every) == 2


PEER = Endpoint(
    "a@control-plane",
    EndpointKind.POD,
    (ipaddress.ip_address("fd00:9::7"), ipaddress.ip_address("10.9.0.7")),
    "six-x-a",
    "a-control-plane",
    "control-plane",
)
OWN_TEST = "suites/bgp/test_own_peer.py::t"


def heard(kind: MatrixKind, wrong: Mapping[Flow, str], *right: Flow) -> Measured:
    """What the run's own peer was told."""
    seen = [Observation(flow, Outcome.ALLOWED) for flow in (*wrong, *right)]
    return Measured(*judged(kind, str(kind), seen, wrong), OWN_TEST)


def to_peer(host: Endpoint, question: str, address: int = 0) -> Flow:
    """What a node is asked by the peer."""
    return Flow(host, PEER, PEER.addresses[address], Protocol.TCP, 1790, question)


def test_a_node_that_follows_no_change_is_named_once_for_both_families() -> None:
    """B5: its other sessions stand, so it is neither the network nor the peer."""
    said = "it does not connect (BGPPeer six-x)"
    wrong = {to_peer(HOSTS[1], "BGP session", n): said for n in (0, 1)}
    own = heard(MatrixKind.SESSIONS, wrong, to_peer(HOSTS[2], "BGP session"))
    (one,) = sessions(lambda _a, _b: False, own).every
    assert one.headline.startswith(
        "node worker: its BGP does not follow: it does not connect (BGPPeer six-x), while its "
        "other sessions are Established"
    )
    assert one.tests == {OWN_TEST}


def test_a_node_whose_other_sessions_are_down_as_well_has_lost_its_sessions() -> None:
    """That one does not connect to the run's peer is one more of them."""
    wrong = {to_peer(HOSTS[1], "BGP session"): "it does not connect (BGPPeer six-x)"}
    own = heard(MatrixKind.SESSIONS, wrong)
    conclusions = sessions(lambda a, b: "worker" in (a.node, b.node), own)
    (one,) = conclusions.every
    assert one.headline.startswith("node worker: 6 of its 6 BGP sessions over IPv6 are not")


def test_a_peer_that_no_node_connects_to_is_the_place() -> None:
    """Of nodes that nothing else is known of; the pod is named, not its node."""
    wrong = {to_peer(h, "BGP session"): "it does not connect (BGPPeer six-x)" for h in HOSTS[1:]}
    results = Results(
        RUN,
        cases=(Case(OWN_TEST, CaseOutcome.FAILED),),
        matrices=(heard(MatrixKind.SESSIONS, wrong),),
    )
    (one,) = conclude(results).every
    assert one.headline.startswith("pod a on control-plane: 2 of its 2 BGP sessions over IPv6")


def test_what_a_node_does_not_announce_explains_what_needs_the_route() -> None:
    """B6: packets to and from its pods between nodes; those of another node are not explained."""
    said = "it does not announce fd00:9::40/122, a block of its own (IPPool six)"
    own = heard(MatrixKind.ANNOUNCEMENTS, {to_peer(HOSTS[1], "fd00:9::40/122"): said})
    flows = dataclasses.replace(measured(across(SIX, "worker")), test="suites/pods/t.py::t")
    (one,) = sessions(lambda _a, _b: False, own, flows).every
    assert one.headline.startswith(f"node worker: {said}: what it tells a BGP peer over IPv6")
    assert one.tests == {OWN_TEST, "suites/pods/t.py::t"}
    other = dataclasses.replace(measured(across(SIX, "worker2")), test="suites/pods/t.py::t")
    assert len(sessions(lambda _a, _b: False, own, other).every) == 2
