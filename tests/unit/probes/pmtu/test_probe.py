"""The path MTU probe: what it asks of whom, in which order, and what it makes of the answers."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.agent import protocol
from sixproof.agent.protocol import Event, Inspected, RouteSeen, Sized, SizedSeen
from sixproof.errors import AgentError, InfrastructureError
from sixproof.model import Family, Flow, Protocol
from sixproof.probes.connect import fake_agents
from sixproof.probes.connect.fake_agents import FakeAgents, Script
from sixproof.probes.pmtu.path_run import PathRun
from sixproof.probes.pmtu.probe import CHANCES, PathProbe
from sixproof.reporting.matrix import path_text
from tests.unit.probes.pmtu.samples import HERE, NODES, THERE

MTUS = {"eth0": 1430, "vxlan-v6.calico": 1430, "vxlan.calico": 1450, "cali1": 1430}


@dataclasses.dataclass
class Kernel:
    """An agent's answers; `learnt` is what it knows once something large was sent, `own` the MTU of
    its routes each time that it is asked for them, the last one for good."""

    event: str = Event.ECHOED
    bulk: str = Event.ECHOED
    lag: float = 0.0
    learnt: int = 0
    counter: int = 0
    sent: int = 0
    own: tuple[int, ...] = (0,)
    stalls: tuple[float, ...] = ()
    loses: tuple[str, ...] = ()
    again: str | tuple[str, ...] = Event.ECHOED
    row: list[int] = dataclasses.field(default_factory=lambda: [1430])
    at: int = 0

    def __call__(self, request: object) -> object:
        if isinstance(request, protocol.Inspect):
            counters = {"Icmp6InPktTooBigs": 5 + (self.counter if self.sent else 0)}
            return Inspected(dict(MTUS), [], {}, "", counters)
        if isinstance(request, protocol.RouteGet):
            rows = [self.route(a) for a in request.addresses]
            self.own = self.own[1:] or self.own
            return protocol.RoutesSeen(rows)
        if isinstance(request, protocol.SendSized):
            self.sent += 1
            return protocol.SentSized([self.sized(s) for s in request.specs], self.lag)
        assert isinstance(request, protocol.Transfer)
        stall, self.stalls = (*self.stalls, 0.0)[0], self.stalls[1:]
        carried = [protocol.Bulk(f.nonce, self.bulk, stall=stall) for f in request.flows]
        return protocol.Transferred(carried, 0.0)

    def route(self, address: str) -> RouteSeen:
        """A way to an address."""
        if self.learnt and self.sent:
            return RouteSeen(address, "eth0", mtu=self.learnt, expires=600.0)
        return RouteSeen(address, "eth0", mtu=self.own[0])

    def sized(self, spec: protocol.SizedSpec) -> SizedSeen:
        """All of them alike, but for the one `at` a place of the `row` to an address that `loses`
        names; `again` is what becomes of the one that is sent in its place."""
        events = [self.event] * len(spec.sizes)
        if spec.address in self.loses and self.sent <= 4 and spec.sizes == self.row:
            events[self.at] = Event.SILENT
        if spec.address in self.loses and self.sent > 4:
            each = self.again if isinstance(self.again, tuple) else (self.again,)
            events = [each[min(self.sent - 5, len(each) - 1)]]
        sized = [Sized(s, event) for s, event in zip(spec.sizes, events, strict=True)]
        return SizedSeen(spec.nonce, 1430, sized)


def flows() -> list[Flow]:
    """Both directions over both families."""
    found = []
    for family in Family:
        for a, b in ((HERE, THERE), (THERE, HERE)):
            address = b.address(family)
            assert address is not None
            found.append(Flow(a, b, address, Protocol.UDP, 8080))
    return found


def explored(**kernels: Script) -> tuple[PathRun, FakeAgents]:
    """A probe; kernels by ``here``, ``there``, ``node``."""
    names = {HERE.name: "here", THERE.name: "there", "host@w1": "node", "host@w2": "node2"}
    agents = FakeAgents({name: kernels.get(key, Kernel()) for name, key in names.items()})
    probe = PathProbe(agents, patience=1.0, tcp_timeout=3.0)
    return probe.explore(flows(), hosts=NODES.values()), agents


def test_full_size_goes_first_and_bulk_last() -> None:
    """Nothing is sent before the packet that must pass at the first try."""
    seen, agents = explored()
    sent = [
        request
        for name, request in agents.asked
        if name == HERE.name and isinstance(request, (protocol.SendSized, protocol.Transfer))
    ]
    shapes = [
        [spec.sizes for spec in request.specs] if isinstance(request, protocol.SendSized) else []
        for request in sent
    ]
    assert [row[0] if row else None for row in shapes] == [
        [1430],
        [1430] * 4,
        [256, 1431],
        [3000],
        None,
    ]
    assert [r.specs[0].fragment for r in sent if isinstance(r, protocol.SendSized)] == [
        False,
        True,
        False,
        True,
    ]
    assert len(seen.path_results) == 4
    assert [p.flow for p in seen.over(Family.IPV6)] == flows()[2:]


def test_one_message_a_source_and_step() -> None:
    """A source gets its whole row at once (design contract 7)."""
    _, agents = explored()
    for name in (HERE.name, THERE.name):
        kinds = [type(request) for asked, request in agents.asked if asked == name]
        assert kinds.count(protocol.SendSized) == 4
        assert kinds.count(protocol.Transfer) == 1


def test_what_was_learnt_is_kept_by_who_knows_it() -> None:
    """The source and the nodes; what the destination learnt is its own row's finding."""
    seen, _ = explored(here=Kernel(learnt=1350))
    assert [[who for who, _ in p.learnt] for p in seen.path_results] == [[HERE.name], []] * 2
    assert seen.path_results[0].learnt[0][1].mtu == 1350


def test_a_path_that_moved_meanwhile_is_measured_again() -> None:
    """Against the path that is there now; pairs whose path stayed are measured once."""
    seen, agents = explored(node=Kernel(own=(1350, 0)))
    assert {p.path.promised for p in seen.path_results} == {1430}
    assert {p.first.size for p in seen.path_results} == {1430}
    sizes = [
        request.specs[0].sizes
        for name, request in agents.asked
        if name == HERE.name and isinstance(request, protocol.SendSized)
    ]
    assert [row[0] for row in sizes[::4]] == [1350, 1430], "not the new path's size"
    assert [p.flow for p in seen.path_results] == flows(), "in the order that was asked for"


def test_a_path_that_moves_each_time_is_not_measured() -> None:
    """No verdict, and what moved is said."""
    with pytest.raises(InfrastructureError, match=r"changed 3 times .*1350.* to .*eth0 of w1 1430"):
        explored(node=Kernel(own=(1350, 0, 1350, 0)))


def test_what_is_learnt_moves_no_path() -> None:
    """The kernel reports a learnt MTU in place of the route's own: the route did not change."""
    seen, agents = explored(here=Kernel(own=(1400,), learnt=1350))
    assert [p.path.promised for p in seen.over(Family.IPV6)] == [1400, 1430]
    assert seen.path_results[0].learnt[0][1].mtu == 1350
    asked = [n for n, request in agents.asked if isinstance(request, protocol.Transfer)]
    assert asked.count(HERE.name) == asked.count(THERE.name) == 1


def test_counters_are_reported_by_how_much_they_rose() -> None:
    """And only those that did."""
    seen, _ = explored(here=Kernel(counter=3))
    assert seen.counted[HERE.name] == {"Icmp6InPktTooBigs": 3}
    assert seen.counted[THERE.name] == {}


@pytest.mark.parametrize(("stalls", "kept"), [((1.4,), 0.0), ((1.4, 1.3), 1.3), ((0.9,), 0.9)])
def test_bulk_that_stood_still_is_carried_once_more(stalls: tuple[float, ...], kept: float) -> None:
    """The second attempt counts: what only a busy machine did is not said of the path."""
    seen, agents = explored(here=Kernel(stalls=stalls))
    assert {p.bulk.stall for p in seen.path_results if p.flow.source == HERE} == {kept}
    asked = [n for n, request in agents.asked if isinstance(request, protocol.Transfer)]
    assert asked.count(HERE.name) == (2 if stalls[0] > 1 else 1)
    assert asked.count(THERE.name) == 1


FAR = str(THERE.address(Family.IPV6))


def test_a_packet_that_was_lost_alone_is_sent_once_more() -> None:
    """Four of its size passed after it: it was not lost for its size. The report says so."""
    seen, agents = explored(here=Kernel(loses=(FAR,)))
    (lost,) = [p for p in seen.path_results if p.lost]
    assert (lost.flow.source, lost.flow.family) == (HERE, Family.IPV6)
    assert lost.first.event == Event.ECHOED
    assert "1430 lost once, by chance" in path_text.sizes(lost)
    sent = [r for n, r in agents.asked if n == HERE.name and isinstance(r, protocol.SendSized)]
    assert [[s.sizes for s in r.specs] for r in sent[4:]] == [[[1430]]], "its flow alone"


def test_a_packet_that_is_lost_again_is_sent_again() -> None:
    """What takes one datagram on a busy machine may take the next one, too."""
    again = (Event.SILENT, Event.SILENT, Event.ECHOED)
    seen, _ = explored(here=Kernel(loses=(FAR,), again=again))
    (path_result,) = [p for p in seen.path_results if p.lost]
    assert path_result.first.event == Event.ECHOED
    assert path_result.lost == (1430,)


def test_a_packet_that_is_lost_each_time_stays_lost() -> None:
    """And so does one on each of two paths, or one that none of its size followed."""
    seen, agents = explored(here=Kernel(loses=(FAR,), again=Event.SILENT))
    (lost,) = [p for p in seen.path_results if p.first.event == Event.SILENT]
    assert not lost.lost
    kinds = [type(r) for n, r in agents.asked if n == HERE.name]
    assert kinds.count(protocol.SendSized) == 4 + CHANCES
    back = str(HERE.address(Family.IPV6))
    seen, agents = explored(here=Kernel(loses=(FAR,)), there=Kernel(loses=(back,)))
    assert [p.first.event for p in seen.over(Family.IPV6)] == [Event.SILENT] * 2
    assert not any(p.lost for p in seen.path_results)
    kinds = [type(r) for n, r in agents.asked if n == HERE.name]
    assert kinds.count(protocol.SendSized) == 4
    seen, _ = explored(here=Kernel(event=Event.SILENT))
    assert not any(p.lost for p in seen.path_results), "a black hole"


@pytest.mark.parametrize(
    ("row", "at", "size"),
    [([1430] * 4, 2, 1430), ([256, 1431], 0, 256), ([3000], 0, 3000)],
    ids=["of the pattern", "small", "in fragments"],
)
def test_any_datagram_may_be_lost_by_chance(row: list[int], at: int, size: int) -> None:
    """Where the path carried others like it; a first one of the pattern may be lost to a link."""
    seen, _ = explored(here=Kernel(loses=(FAR,), row=row, at=at))
    (path_result,) = [p for p in seen.path_results if p.lost]
    assert path_result.lost == (size,)
    sent = (path_result.small, path_result.fragments, *path_result.pattern)
    assert Event.SILENT not in [one.event for one in sent]
    seen, _ = explored(here=Kernel(loses=(FAR,), row=[1430] * 4, at=0))
    assert not any(p.lost for p in seen.path_results)


@pytest.mark.parametrize(
    "kernel",
    [
        Kernel(event=Event.FAILED),
        Kernel(event=Event.SILENT, lag=1.7),
        Kernel(bulk=Event.FAILED),
        fake_agents.failing(AgentError("gone")),
    ],
)
def test_what_could_not_be_measured_is_no_verdict(kernel: Script) -> None:
    """An agent that failed, stalled or went away is infrastructure."""
    with pytest.raises(InfrastructureError):
        explored(here=kernel)


def test_silence_of_an_agent_that_was_awake_counts() -> None:
    """It is the network's then."""
    seen, _ = explored(here=Kernel(event=Event.SILENT, lag=0.1))
    assert seen.path_results[0].first.event == Event.SILENT


def test_an_agent_that_was_too_busy_is_given_twice_the_time() -> None:
    """Once: only its own flows are sent again."""
    _, agents = explored(here=Kernel(event=Event.SILENT, lag=0.7))
    asked = [(n, r) for n, r in agents.asked if isinstance(r, protocol.SendSized)]
    mine = [r.specs[0].patience for n, r in asked if n == HERE.name]
    assert mine == [1.0, 2.0] * 4
    assert [r.specs[0].patience for n, r in asked if n == THERE.name] == [1.0] * 4


def test_what_a_busy_agent_saw_the_first_time_stands() -> None:
    """The kernel says once that a packet is too big: the second time it knows the MTU."""

    class Narrow(Kernel):
        def sized(self, spec: protocol.SizedSpec) -> SizedSeen:
            seen = super().sized(spec)
            if spec.sizes == [1430] * 4 and spec.patience == 1.0:
                seen.sends[0] = Sized(1430, Event.TOO_BIG)
                seen.sends[1] = Sized(1430, Event.SILENT)
            return seen

    seen, _ = explored(here=Narrow(lag=0.7))
    mine = [p for p in seen.path_results if p.flow.source is HERE]
    for path_result in mine:
        events = [one.event for one in path_result.pattern]
        assert events == [Event.TOO_BIG, Event.ECHOED, Event.ECHOED, Event.ECHOED]
        assert path_result.stalled
    assert not any(p.stalled for p in seen.path_results if p not in mine)


def test_a_source_that_dials_a_node_is_asked_for_that_address_only() -> None:
    """What it learnt towards the pod itself, on some earlier path, is no finding of this one."""
    frontend = NODES["w2"]
    front = frontend.address(Family.IPV6)
    assert front is not None
    agents = FakeAgents(
        {
            HERE.name: Kernel(learnt=1350),
            THERE.name: Kernel(),
            **{host.name: Kernel() for host in NODES.values()},
        }
    )
    probe = PathProbe(agents, patience=1.0, tcp_timeout=3.0)
    flow = Flow(HERE, THERE, front, Protocol.UDP, 30080)
    (path_result,) = probe.explore([flow], hosts=NODES.values()).path_results
    assert [seen.address for who, seen in path_result.learnt if who == HERE.name] == [str(front)]
    assert [(h.where, h.device) for h in path_result.path.hops][:2] == [
        (HERE.name, "eth0"),
        ("w1", "eth0"),
    ]
