"""Has nodes connect to the run's own BGP peer, and compares what they say with what they must."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from sixproof.agent import protocol
from sixproof.agent.protocol import BgpSession
from sixproof.calico.ipam import Ipam
from sixproof.calico.state import CalicoState
from sixproof.checks.bgp import announcements
from sixproof.checks.bgp.announcements import ESTABLISHED, WantedRoute
from sixproof.checks.judged import expecting_all, require
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.kube.api import wait
from sixproof.kube.api.client import Cluster
from sixproof.model import Family, Flow, Matrix, MatrixKind, Observation, Outcome
from sixproof.probes.connect.probe import SLACK, AgentClient
from sixproof.reporting.allure import steps
from sixproof.workloads.bgp.own_peer import HOLD_SECONDS, IDENTIFIER, OwnPeer
from sixproof.workloads.existing.closed_flows import REMEDY
from sixproof.workloads.probe_pods.topology import ProbeTopology

SESSIONS = "BGP sessions with a peer of the run"
ROUTES = "routes that nodes announce"
COMMUNITIES = "communities of announced routes"
IDENTITY = "AS numbers and BGP Identifiers"
KEPT = "KEEPALIVE messages"
FILTERED = "routes behind a BGPFilter"
AGAIN = 2.0
"""Seconds for nodes of a family of which one did not connect before."""
SHOWN = 4
"""Routes that one reason names."""
A = TypeVar("A")
Sessions = Mapping[str, BgpSession]
"""Sessions by the name of their node."""
Routes = Mapping[str, Sequence[WantedRoute]]
"""What each node must announce."""
Said = Mapping[str, Mapping[str, str]]
"""By node, what is asked of it, each with what is wrong with it, "" where nothing is."""
Judge = Callable[[Sessions, Routes], Said]
ReadIpam = Callable[[], Ipam]


class BgpListener:
    """The agent that listens, between `start` and `stop`."""

    def __init__(self, agents: AgentClient, own: OwnPeer) -> None:
        self._agents = agents
        self._own = own
        self.waited: set[Family] = set()
        """The families over which some node did not connect in time: it is not waited for again."""

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen, and end all sessions at the end.

        Raises:
            InfrastructureError: the agent could not be asked.
            NotAsked: its port is taken.
        """
        own = self._own
        request = protocol.StartBgp(own.port, own.as_number, IDENTIFIER, HOLD_SECONDS)
        started = self._ask(request, protocol.BgpStarted)
        if started.problems:
            raise NotAsked(f"{own.pod.name} cannot listen for BGP: {', '.join(started.problems)}")
        try:
            yield
        finally:
            self._ask(protocol.StopBgp(), protocol.BgpSeen)

    def sessions(self) -> Sequence[BgpSession]:
        """What was heard so far.

        Raises:
            InfrastructureError: the agent could not be asked.
        """
        return self._ask(protocol.ReadBgp(), protocol.BgpSeen).sessions

    def _ask(self, request: object, answer: type[A]) -> A:
        return self._agents.ask(self._own.pod, request, answer, SLACK).result()


class OwnPeerChecks:
    """What one process asks of nodes that connect to its peer. `closed_by` names the policies that
    are known to close a flow, "" where none is; `settle` is how many seconds sessions and routes
    may take to be there. Each check raises `NotAsked`, as not proven, where policies close a
    session of its family."""

    def __init__(
        self,
        cluster: Cluster,
        listener: BgpListener,
        own: OwnPeer,
        topology: ProbeTopology,
        state: CalicoState,
        recorder: Recorder,
        closed_by: Callable[[Flow], str],
        settle: float,
    ) -> None:
        self._cluster = cluster
        self._listener = listener
        self._own = own
        self._hosts = {host.node: host for host in topology.hosts}
        self._state = state
        self._nodes = {node.name: node for node in state.nodes}
        self._addresses = announcements.addresses_of(state.nodes)
        self._recorder = recorder
        self._closed_by = closed_by
        self._settle = settle

    def must_connect(self, family: Family) -> None:
        """The nodes that the BGPPeer selects have an Established session with the peer, and no
        other covered node has.

        Raises:
            VerdictError: one has none, or one that is not selected has.
            NotAsked: the peer has no address of this family.
        """
        selected, name = self._selected(family), self._own.name(family)
        sessions = self._settled(family, lambda _sessions, _routes: {}, None)[0]
        seen = []
        for node, host in self._hosts.items():
            session = sessions.get(node)
            why = f"{_unestablished(session)} (BGPPeer {name})" if node in selected else ""
            if node in selected and session is not None and session.state == ESTABLISHED:
                why = ""
            if node not in selected and session is not None:
                why = f"it connected, although BGPPeer {name} does not select it"
            seen.append(_observation(self._own.flow(host, family, "BGP session"), why))
        self._require(MatrixKind.SESSIONS, SESSIONS, family, seen)

    def must_announce(self, family: Family, read_ipam: ReadIpam) -> None:
        """Each node announces its own blocks and the ranges of service addresses, with its own
        address as the next hop.

        Raises:
            VerdictError: one does not.
            NotMeasured: one has no session.
            NotAsked: there is nothing to announce over this family.
        """
        self._must(ROUTES, family, _announced, read_ipam)

    def must_add_communities(self, family: Family, read_ipam: ReadIpam) -> None:
        """Routes carry the communities that prefixAdvertisements of BGPConfiguration asks for.

        Raises:
            VerdictError: one lacks some.
            NotMeasured: a node has no session.
            NotAsked: it asks for none of a route that is announced.
        """
        bgp = self._state.bgp
        routes = self._expected(family, read_ipam())
        if not any(bgp.communities_of(route.prefix) for mine in routes.values() for route in mine):
            raise NotAsked(f"no {family} route is to have a community", "prefixAdvertisements")

        def judge(sessions: Sessions, routes: Routes) -> Said:
            return {
                node: {
                    str(route.prefix): announcements.untagged(route, session, wanted)
                    for route in routes[node]
                    if (wanted := bgp.communities_of(route.prefix))
                }
                for node, session in sessions.items()
            }

        self._must(COMMUNITIES, family, judge, read_ipam)

    def must_identify_themselves(self, family: Family) -> None:
        """Each node speaks with the AS number that Calico gives it, and with a BGP Identifier that
        no other node has.

        Raises:
            VerdictError: one does not.
            NotMeasured: one has no session.
        """
        wanted = {n.name: n.as_number or self._state.bgp.as_number for n in self._state.nodes}

        def judge(sessions: Sessions, _: Routes) -> Said:
            said = announcements.misidentified(sessions, wanted)
            return {node: {"AS number": why} for node, why in said.items()}

        self._must(IDENTITY, family, judge)

    def must_keep_alive(self, family: Family) -> None:
        """Each node sends KEEPALIVE messages within the hold time.

        Raises:
            VerdictError: one does not.
            NotMeasured: one has no session.
        """

        def judge(sessions: Sessions, _: Routes) -> Said:
            holds = {node: min(HOLD_SECONDS, s.hold) for node, s in sessions.items()}
            return {
                node: {"KEEPALIVE": announcements.silent(s, holds[node]) if holds[node] else ""}
                for node, s in sessions.items()
            }

        self._must(KEPT, family, judge)

    def must_filter(self, family: Family, read_ipam: ReadIpam) -> None:
        """While a BGPFilter of the peer rejects every route of a family, nodes announce none of it,
        and go on to announce those of the other family; without it they are there again.

        Raises:
            VerdictError: a route of this family stays, or one of the other one goes.
            NotMeasured: a node has no session.
            NotAsked: no BGPFilter may be made, or there is nothing to announce.
        """
        self._expected(family, read_ipam())
        with self._own.filtered(self._cluster, family):
            self._must(FILTERED, family, _kept_back)
            for other in self._own.families:
                if other is not family and not self._closed(other):
                    self._must(f"{ROUTES} beside a filter", other, _announced, read_ipam)
        self._must(f"{ROUTES} without a filter", family, _announced, read_ipam)

    def _selected(self, family: Family) -> Mapping[str, str]:
        if family not in self._own.selected:
            raise NotAsked(f"{self._own.pod.name} or the nodes have no {family} address")
        if closed := self._closed(family):
            by, nodes = ", ".join(dict.fromkeys(closed.values())), ", ".join(closed)
            reason = f"BGP sessions with a peer of the run: {by} closes those of {nodes}"
            raise NotAsked(f"{reason} over {family}", REMEDY, unproven=True, families=[family])
        return self._own.selected[family]

    def _closed(self, family: Family) -> Mapping[str, str]:
        """The nodes whose sessions policies close, with the policies."""
        flows = {n: self._own.flow(self._hosts[n], family) for n in self._own.selected[family]}
        return {node: by for node, flow in flows.items() if (by := self._closed_by(flow))}

    def _expected(self, family: Family, ipam: Ipam) -> Routes:
        found = {
            name: announcements.expected(self._state, ipam, self._nodes[name], family)
            for name in self._selected(family)
        }
        if not any(found.values()):
            raise NotAsked(f"nodes have no {family} route to announce")
        return found

    def _must(
        self, title: str, family: Family, judge: Judge, read_ipam: ReadIpam | None = None
    ) -> None:
        """Nothing is wrong with what any node says that the BGPPeer selects."""
        sessions, said = self._settled(family, judge, read_ipam)
        seen = []
        for node in self._selected(family):
            host = self._hosts[node]
            if node not in said:
                reason = f"no session with the run's peer: {_unestablished(sessions.get(node))}"
                flow = self._own.flow(host, family, title)
                seen.append(Observation(flow, Outcome.UNKNOWN, reason=reason))
            for question, why in said.get(node, {}).items():
                seen.append(_observation(self._own.flow(host, family, question), why))
        self._require(MatrixKind.ANNOUNCEMENTS, title, family, seen)

    def _settled(
        self, family: Family, judge: Judge, read_ipam: ReadIpam | None
    ) -> tuple[Sessions, Said]:
        """The sessions, and what the selected nodes with an Established one say, once nothing is
        wrong or when the time is over. Blocks come and go: they are read at each look."""
        selected = self._selected(family)

        def look() -> tuple[Sessions, Said]:
            routes = self._expected(family, read_ipam()) if read_ipam else {}
            heard = announcements.by_node(self._listener.sessions(), self._addresses, family)
            known = {node: heard[node] for node in self._hosts if node in heard}
            alive = {n: s for n, s in known.items() if n in selected and s.state == ESTABLISHED}
            return known, {node: {} for node in alive} | dict(judge(alive, routes))

        def right(looked: tuple[Sessions, Said]) -> bool:
            said = looked[1]
            return said.keys() == selected.keys() and not any(
                why for answers in said.values() for why in answers.values()
            )

        seconds = min(self._settle, AGAIN) if family in self._listener.waited else self._settle
        with steps.step(f"When nodes connect to {self._own.pod.name} over {family}"):
            looked = wait.until(look, right, timeout=seconds, longest=0.5).value
        if looked[1].keys() != selected.keys():
            self._listener.waited.add(family)
        return looked

    def _require(
        self, kind: MatrixKind, title: str, family: Family, seen: Sequence[Observation]
    ) -> None:
        asked = expecting_all(Matrix.of(title, seen, kind), title)
        require(self._recorder, asked, f"Then {title} over {family} are as they must be")


def _announced(sessions: Sessions, routes: Routes) -> Said:
    return {
        node: {str(r.prefix): announcements.missing(r, session) for r in routes[node]}
        for node, session in sessions.items()
    }


def _kept_back(sessions: Sessions, _: Routes) -> Said:
    found = {}
    for node, session in sessions.items():
        left = ", ".join(sorted(route.prefix for route in session.routes)[:SHOWN])
        said = f"it announces {left} although a BGPFilter rejects it" if left else ""
        found[node] = {"filtered routes": said}
    return found


def _observation(flow: Flow, why: str) -> Observation:
    return Observation(flow, Outcome.WRONG if why else Outcome.ALLOWED, reason=why)


def _unestablished(session: BgpSession | None) -> str:
    """Why a session is not Established, "" where it is."""
    if session is None:
        return "it does not connect"
    if session.state == ESTABLISHED:
        return ""
    return f"the session is {session.state}{f': {session.why}' if session.why else ''}"
