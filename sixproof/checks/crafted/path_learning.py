"""What pods learn of a path, as matrices: the segment size of a SYN, and spoofed Packet Too Big."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from sixproof.checks.judged import expecting_all, require
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked
from sixproof.model import Endpoint, Family, Flow, Judged, Matrix, MatrixKind, Observation, Outcome
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.crafted import handshakes, spoofed_ptb
from sixproof.probes.crafted.handshakes import Handshake
from sixproof.probes.crafted.spoofed_ptb import SpoofedPtb
from sixproof.workloads.probe_pods import topology as topologies
from sixproof.workloads.probe_pods.ports import UDP

MSS = "segment sizes of SYNs"
SPOOFED = "spoofed Packet Too Big"


def must_announce_its_link(shakes: Iterable[Handshake], family: Family, recorder: Recorder) -> None:
    """Every SYN of this family announced what its link leaves, and arrived with it.

    Raises:
        VerdictError: one did not.
        NotMeasured: none was wrong, but some were not captured at both ends.
    """
    cells = [_cell(s.seen, handshakes.violation(s), handshakes.doubt(s)) for s in shakes]
    require(recorder, _matrix(MSS, "RFC 9293 section 3.7.1", cells), f"Then {MSS}", family)


def must_ignore_spoofed_ptbs(tried: Iterable[SpoofedPtb], recorder: Recorder) -> None:
    """No victim believed a message that it must ignore.

    Raises:
        VerdictError: one did.
    """
    cells = [_cell(_towards_its_peer(one), spoofed_ptb.violation(one)) for one in tried]
    asked = _matrix(SPOOFED, "RFC 8201 section 4", cells)
    require(recorder, asked, f"Then {SPOOFED}", Family.IPV6)


def paths_to_spoof(victims: Sequence[Endpoint]) -> tuple[Flow, ...]:
    """The paths that spoofed messages are about, IPv6 only: from each pod to the next one."""
    pairs = zip(victims, (*victims[1:], *victims[:1]), strict=True)
    return tuple(
        flow
        for victim, peer in pairs
        if victim != peer
        for flow in topologies.flows([victim], [peer], [Family.IPV6], [UDP])
    )


def send_spoofed_ptbs(
    agents: AgentClient, flows: Iterable[Flow], forgers: Mapping[str, Endpoint], silence: float
) -> tuple[SpoofedPtb, ...]:
    """Send every spoofed message to the source of each flow, from the forger on its node, and wait
    `silence` seconds for its effect.

    Raises:
        NotAsked: no source takes the message that it should believe, so that what it ignores shows
            nothing.
    """
    found = [
        spoofed_ptb.try_all(agents, f.source, f.destination, forgers[f.source.node], silence)
        for f in flows
    ]
    controlled = tuple(one for one in found if one.control_holds)
    if not controlled:
        why = "no pod takes a Packet Too Big from a pod beside it, so what it ignores is not shown"
        raise NotAsked(why, "two nodes, and a plugin that lets such a message through")
    return controlled


def _matrix(title: str, source: str, cells: Iterable[Observation]) -> Judged:
    return expecting_all(Matrix.of(title, cells, MatrixKind.PATHS), source)


def _cell(seen: Observation, violation: str, doubt: str = "") -> Observation:
    """What was seen of one flow: wrong, in doubt, or right."""
    outcome = Outcome.UNKNOWN if doubt else Outcome.WRONG if violation else Outcome.ALLOWED
    return dataclasses.replace(seen, outcome=outcome, reason=doubt or violation)


def _towards_its_peer(tried: SpoofedPtb) -> Observation:
    """The way that the messages are about."""
    address = tried.peer.address(Family.IPV6)
    assert address is not None
    flow = Flow(tried.victim, tried.peer, address, UDP.protocol, UDP.port)
    return Observation(flow, Outcome.ALLOWED, attempts=len(spoofed_ptb.SPOOFED))
