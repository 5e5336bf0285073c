"""The run's own BGP peer: what is right is silent, and what is not is named with its node."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from sixproof.agent.protocol import BgpRoute, BgpSession
from sixproof.calico.bgp.configuration import Bgp, PrefixAdvertisement
from sixproof.calico.ipam import Ipam
from sixproof.calico.nodes import CalicoNode
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.checks.bgp import announcements
from sixproof.checks.bgp.own_peer_checks import BgpListener, OwnPeerChecks
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked, NotMeasured, VerdictError
from sixproof.kube.api.client import Cluster
from sixproof.model import EXCLUDED, Endpoint, EndpointKind, Family, Flow, Judged, MatrixKind
from sixproof.workloads.bgp.own_peer import FIRST_AS, OwnPeer, choose
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology

FOUR, SIX = Family
BLOCKS = {"n1": ("10.9.0.0/26", "fd00:9::/122"), "n2": ("10.9.0.64/26", "fd00:9::40/122")}
SERVICES = ("10.96.0.0/12", "fd00:96::/112")
NODES = tuple(
    CalicoNode(
        f"n{n}",
        chosen=tuple(map(ipaddress.ip_interface, (f"192.0.2.{n}/24", f"2001:db8::{n}/64"))),
        labels=(("kubernetes.io/hostname", f"n{n}"),),
    )
    for n in (1, 2, 3)
)
HOSTS = tuple(
    Endpoint(f"host@{n.name}", EndpointKind.HOST, tuple(i.ip for i in n.chosen), node=n.name)
    for n in NODES
)
POD = Endpoint(
    "a@n1",
    EndpointKind.POD,
    (ipaddress.ip_address("10.9.0.7"), ipaddress.ip_address("fd00:9::7")),
    "six-x-a",
    "a-n1",
    "n1",
)
BGP = Bgp(
    True,
    as_number=64512,
    cluster_ips=tuple(map(ipaddress.ip_network, SERVICES)),
    advertisements=(
        PrefixAdvertisement(ipaddress.ip_network("fd00:9::/64"), ("64512:100", "64512:1:2")),
    ),
)
STATE = CalicoState(
    "projectcalico.org/v3",
    pools=(
        Pool("four", ipaddress.ip_network("10.9.0.0/16"), 26),
        Pool("six", ipaddress.ip_network("fd00:9::/64"), 122),
    ),
    bgp=BGP,
    nodes=NODES,
)
IPAM = Ipam(affinities={ipaddress.ip_network(c): n for n, cidrs in BLOCKS.items() for c in cidrs})
RUN = Run("c0ffee")
OWN = choose(RUN, "master", [POD], NODES, BGP, (FOUR, SIX))


def routes(node: str, family: Family, hop: str = "", tags: Sequence[str] = ()) -> list[BgpRoute]:
    """What a node has to announce."""
    at = list(Family).index(family)
    own = hop or str(HOSTS[int(node[1]) - 1].addresses[at])
    mine = [BLOCKS[node][at]] if node in BLOCKS else []
    return [BgpRoute(prefix, own, [64512], list(tags)) for prefix in (*mine, SERVICES[at])]


def session(node: str, family: Family, **other: Any) -> BgpSession:
    """One that is as it must be."""
    number = int(node[1])
    right = BgpSession(
        peer=str(HOSTS[number - 1].addresses[list(Family).index(family)]),
        at=float(number),
        state="Established",
        as_number=64512,
        hold=240,
        identifier=f"192.0.2.{number}",
        kept=[3.0, 2.9],
        routes=routes(node, family, tags=["64512:100", "64512:1:2"]),
    )
    return dataclasses.replace(right, **other)


class Heard:
    """The listener."""

    def __init__(self, sessions: Sequence[BgpSession]) -> None:
        self.heard = list(sessions)
        self.waited: set[Family] = set()

    def sessions(self) -> Sequence[BgpSession]:
        return self.heard


class Noted:
    """The recorder."""

    def __init__(self) -> None:
        self.judged: list[Judged] = []

    def matrix(self, *judged: object, **_: object) -> None:
        self.judged.append(cast(Judged, judged))


class Covered:
    """The topology."""

    hosts = HOSTS


def checks(
    sessions: Sequence[BgpSession],
    state: CalicoState = STATE,
    own: OwnPeer = OWN,
    closed_by: Callable[[Flow], str] = lambda _: "",
) -> tuple[OwnPeerChecks, Noted]:
    noted = Noted()
    made = OwnPeerChecks(
        cast(Cluster, None),
        cast(BgpListener, Heard(sessions)),
        own,
        cast(ProbeTopology, Covered()),
        state,
        cast(Recorder, noted),
        closed_by,
        0.0,
    )
    return made, noted


RIGHT = {family: [session(node, family) for node in OWN.selected[family]] for family in Family}
families = pytest.mark.parametrize("family", Family, ids=str)


@families
def test_what_is_as_it_must_be_is_silent(family: Family) -> None:
    """Each question about each node is a cell."""
    made, noted = checks(RIGHT[family])
    made.must_connect(family)
    made.must_announce(family, lambda: IPAM)
    made.must_identify_themselves(family)
    made.must_keep_alive(family)
    kinds = [matrix.kind for matrix, _ in noted.judged]
    assert kinds == [MatrixKind.SESSIONS, *[MatrixKind.ANNOUNCEMENTS] * 3]
    assert [len(matrix.cells) for matrix, _ in noted.judged] == [
        3,
        4 if family is FOUR else 3,
        2,
        2,
    ]


@families
def test_sessions_that_a_policy_closes_prove_nothing(family: Family) -> None:
    """One of them closed is enough, and nothing is asked; the other family is asked as before."""

    def closed(flow: Flow) -> str:
        return "GNP deny" if flow.family is family and flow.source.node == "n2" else ""

    made, noted = checks([*RIGHT[FOUR], *RIGHT[SIX]], closed_by=closed)
    for ask in (made.must_connect, made.must_identify_themselves, made.must_keep_alive):
        with pytest.raises(NotAsked, match="GNP deny closes those of n2 over") as refused:
            ask(family)
        assert (refused.value.unproven, tuple(refused.value.families)) == (True, (family,))
    assert noted.judged == []
    made.must_connect(SIX if family is FOUR else FOUR)


def test_each_family_leaves_another_node_out() -> None:
    """So that it is asked of both ends of the list whether it stays away."""
    assert [set(OWN.selected[f]) for f in Family] == [{"n1", "n2"}, {"n2", "n3"}]


@pytest.mark.parametrize(
    ("sessions", "node", "said"),
    [
        ([session("n2", SIX)], "n3", "it does not connect"),
        (
            [session("n2", SIX), session("n3", SIX, state="Idle", why="the peer ended it: Cease")],
            "n3",
            "the session is Idle: the peer ended it: Cease",
        ),
        ([*RIGHT[SIX], session("n1", SIX)], "n1", "it connected, although BGPPeer"),
    ],
)
def test_a_node_that_does_not_do_as_the_bgppeer_says_is_named(
    sessions: list[BgpSession], node: str, said: str
) -> None:
    made, noted = checks(sessions)
    with pytest.raises(VerdictError) as caught:
        made.must_connect(SIX)
    assert said in str(caught.value)
    ((matrix, _),) = noted.judged
    assert {o.flow.source.node for o in matrix.observations() if o.reason} == {node}


def test_a_node_that_did_not_connect_is_waited_for_once() -> None:
    """Every test after it would wait as long again; the other family is waited for in full."""
    made, _ = checks([session("n2", SIX), *RIGHT[FOUR]])
    listener = made._listener
    with pytest.raises(VerdictError):
        made.must_connect(SIX)
    made.must_connect(FOUR)
    assert listener.waited == {SIX}


def test_of_several_sessions_the_one_that_stands_counts() -> None:
    """A first try may fail before routes are there."""
    first = session("n3", SIX, state="Idle", why="the connection ended")
    made, _ = checks([first, *RIGHT[SIX], dataclasses.replace(first, at=9.0)])
    made.must_connect(SIX)


def test_what_others_say_is_left_out() -> None:
    """Whoever reaches the port may try."""
    made, _ = checks(
        [
            *RIGHT[SIX],
            dataclasses.replace(RIGHT[SIX][0], peer="fd00:9::99"),
            dataclasses.replace(RIGHT[SIX][0], peer="?"),
        ]
    )
    made.must_connect(SIX)
    made.must_identify_themselves(SIX)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            routes("n2", SIX)[1:],
            "it does not announce fd00:9::40/122, a block of its own (IPPool six)",
        ),
        (
            routes("n2", SIX)[:1],
            "it does not announce fd00:96::/112, one of serviceClusterIPs of BGPConfiguration",
        ),
        (
            routes("n2", SIX, hop="2001:db8::1"),
            "with next hop 2001:db8::1 instead of 2001:db8::2",
        ),
        (routes("n2", SIX, hop=" "), "with next hop   instead of 2001:db8::2"),
    ],
)
def test_a_route_that_is_missing_or_leads_elsewhere_is_named(
    wrong: list[BgpRoute], said: str
) -> None:
    made, _ = checks([session("n2", SIX, routes=wrong), session("n3", SIX)])
    with pytest.raises(VerdictError) as caught:
        made.must_announce(SIX, lambda: IPAM)
    assert said in str(caught.value)


def test_a_node_without_a_session_is_not_measured() -> None:
    """That it announces nothing is nothing that was seen."""
    made, _ = checks([session("n2", SIX)])
    with pytest.raises(NotMeasured, match="no session with the run's peer: it does not connect"):
        made.must_announce(SIX, lambda: IPAM)


@pytest.mark.parametrize("how", ["not exported", "excluded", "a single address"])
def test_what_need_not_be_announced_is_not_asked(how: str) -> None:
    """disableBGPExport of a pool, a node that serves no load balancers, one address of a range."""
    state = STATE
    if how == "not exported":
        pools = tuple(dataclasses.replace(pool, exported=False) for pool in STATE.pools)
        state = dataclasses.replace(STATE, pools=pools)
    elif how == "excluded":
        labels = (*NODES[1].labels, (EXCLUDED, ""))
        nodes = (NODES[0], dataclasses.replace(NODES[1], labels=labels), NODES[2])
        state = dataclasses.replace(STATE, nodes=nodes)
    else:
        single = (ipaddress.ip_network("fd00:96::1/128"),)
        state = dataclasses.replace(STATE, bgp=dataclasses.replace(BGP, cluster_ips=single))
    wanted = announcements.expected(state, IPAM, state.nodes[1], SIX)
    assert [str(route.prefix) for route in wanted] == [
        "fd00:96::/112" if how == "not exported" else "fd00:9::40/122"
    ]


def test_with_nothing_to_announce_nothing_is_asked() -> None:
    state = dataclasses.replace(STATE, pools=(), bgp=Bgp(True))
    made, _ = checks(RIGHT[SIX], state)
    with pytest.raises(NotAsked, match="nodes have no IPv6 route to announce"):
        made.must_announce(SIX, lambda: IPAM)


def test_communities_are_asked_of_routes_in_their_ranges_alone() -> None:
    """The route of the services is in none."""
    made, noted = checks(RIGHT[SIX])
    made.must_add_communities(SIX, lambda: IPAM)
    ((matrix, _),) = noted.judged
    assert [o.flow.question for o in matrix.observations()] == ["fd00:9::40/122"]


def test_a_route_without_its_community_is_named() -> None:
    wrong = routes("n2", SIX, tags=["64512:100"])
    made, _ = checks([session("n2", SIX, routes=wrong), session("n3", SIX)])
    with pytest.raises(VerdictError, match="without community 64512:1:2") as caught:
        made.must_add_communities(SIX, lambda: IPAM)
    assert "it has 64512:100" in str(caught.value)


def test_without_prefix_advertisements_communities_are_not_asked() -> None:
    made, _ = checks(RIGHT[FOUR])
    with pytest.raises(NotAsked, match="no IPv4 route is to have a community"):
        made.must_add_communities(FOUR, lambda: IPAM)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"as_number": 65001}, "it speaks as AS 64512 and 65001, Calico gives it AS 64512"),
        ({"as_number": 65001, "routes": []}, "it speaks as AS 65001, Calico gives it AS 64512"),
        ({"identifier": "192.0.2.2"}, "it has the BGP Identifier 192.0.2.2, which n2 has, too"),
    ],
)
def test_another_as_number_or_the_same_identifier_is_named(
    other: dict[str, object], said: str
) -> None:
    made, _ = checks([session("n2", SIX), session("n3", SIX, **other)])
    with pytest.raises(VerdictError) as caught:
        made.must_identify_themselves(SIX)
    assert said in str(caught.value)


def test_a_nodes_own_as_number_is_what_it_must_have() -> None:
    """The annotation projectcalico.org/ASNumber."""
    nodes = (*NODES[:2], dataclasses.replace(NODES[2], as_number=65003))
    made, _ = checks(
        [session("n2", SIX), session("n3", SIX, as_number=65003, routes=[])],
        dataclasses.replace(STATE, nodes=nodes),
    )
    made.must_identify_themselves(SIX)


@pytest.mark.parametrize(
    ("kept", "said"),
    [([], "it has not sent a second KEEPALIVE"), ([3.0, 11.2], "11.2 s passed between two")],
)
def test_a_node_that_does_not_keep_its_session_alive_is_named(kept: list[float], said: str) -> None:
    made, _ = checks([session("n2", SIX, kept=kept), session("n3", SIX)])
    with pytest.raises(VerdictError, match=said):
        made.must_keep_alive(SIX)


def test_without_a_hold_time_nothing_needs_keeping() -> None:
    """RFC 4271 section 4.2: 0 means no KEEPALIVE messages."""
    made, _ = checks([session(n, SIX, hold=0, kept=[]) for n in ("n2", "n3")])
    made.must_keep_alive(SIX)


class Filtering(Heard):
    """Nodes that do as a filter says, but for what they keep on announcing."""

    def __init__(self, stays: bool = False, loses: bool = False, forgets: bool = False) -> None:
        super().__init__([*RIGHT[FOUR], *RIGHT[SIX]])
        self._stays, self._loses, self._forgets = stays, loses, forgets

    @contextlib.contextmanager
    def filtered(self, _: Cluster, family: Family) -> Iterator[None]:
        """The family whose routes are rejected meanwhile."""
        emptied = {f: [dataclasses.replace(s, routes=[]) for s in RIGHT[f]] for f in Family}
        mine = RIGHT[family] if self._stays else emptied[family]
        theirs = emptied[family.other] if self._loses else RIGHT[family.other]
        self.heard = [*mine, *theirs]
        yield
        self.heard = [*(emptied if self._forgets else RIGHT)[family], *RIGHT[family.other]]


def filtering(monkeypatch: pytest.MonkeyPatch, heard: Filtering) -> OwnPeerChecks:
    made, _ = checks([])
    monkeypatch.setattr(made, "_listener", heard)
    monkeypatch.setattr(OwnPeer, "filtered", lambda _, cluster, f: heard.filtered(cluster, f))
    return made


@families
def test_a_filter_that_does_what_it_says_is_silent(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    filtering(monkeypatch, Filtering()).must_filter(family, lambda: IPAM)


@families
@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (Filtering(stays=True), "although a BGPFilter rejects it"),
        (Filtering(loses=True), "beside a filter"),
        (Filtering(forgets=True), "without a filter"),
    ],
    ids=["stays", "takes the other family", "is not lifted"],
)
def test_a_filter_that_does_not_is_named(
    heard: Filtering, said: str, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = filtering(monkeypatch, heard)
    with pytest.raises(VerdictError, match=said):
        made.must_filter(family, lambda: IPAM)


def test_a_family_that_the_peer_lacks_is_not_asked() -> None:
    own = dataclasses.replace(OWN, selected={FOUR: OWN.selected[FOUR]})
    made, _ = checks(RIGHT[FOUR], own=own)
    with pytest.raises(NotAsked, match="a@n1 or the nodes have no IPv6 address"):
        made.must_connect(SIX)


def test_its_as_number_is_nobody_elses() -> None:
    """A peer of the owner may have the first private one."""
    assert OWN.as_number == FIRST_AS
    taken = dataclasses.replace(BGP, as_number=FIRST_AS)
    assert choose(RUN, "gw1", [POD], NODES, taken, [SIX]).as_number == FIRST_AS + 1
