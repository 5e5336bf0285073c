"""What pods learn of a path, as matrices: the segment size of a SYN, and spoofed Packet Too Big."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sixproof.checks.judged import expecting_all
from sixproof.checks.pmtu.path_results import UDP
from sixproof.checks.recorder import Recorder
from sixproof.model import Family, Flow, Judged, Matrix, MatrixKind, Observation, Outcome
from sixproof.probes.crafted import handshakes, spoofed_ptb
from sixproof.probes.crafted.handshakes import Handshake
from sixproof.probes.crafted.spoofed_ptb import SpoofedPtb
from sixproof.reporting.allure import steps
from sixproof.reporting.diagnosis import evidence

MSS = "segment sizes of SYNs"
SPOOFED = "spoofed Packet Too Big"


def must_announce_its_link(shakes: Iterable[Handshake], family: Family, recorder: Recorder) -> None:
    """Every SYN of this family announced what its link leaves, and arrived with it.

    Raises:
        VerdictError: one did not.
        NotMeasured: none was wrong, but some were not captured at both ends.
    """
    cells = [_cell(s.seen, handshakes.violation(s), handshakes.doubt(s)) for s in shakes]
    _require(MSS, cells, "RFC 9293 section 3.7.1", family, recorder)


def must_ignore_lies(tried: Iterable[SpoofedPtb], recorder: Recorder) -> None:
    """No victim believed a message that it must ignore.

    Raises:
        VerdictError: one did.
    """
    cells = [_cell(_towards_its_peer(one), spoofed_ptb.violation(one)) for one in tried]
    _require(SPOOFED, cells, "RFC 8201 section 4", Family.IPV6, recorder)


def _require(
    title: str, cells: list[Observation], source: str, family: Family, recorder: Recorder
) -> None:
    with steps.step(f"Then {title}"):
        recorder.matrix(*_matrix(title, source, [c for c in cells if c.flow.family is family]))
        evidence.require(*_matrix(title, source, cells), family=family)


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
    return Observation(flow, Outcome.ALLOWED, attempts=len(spoofed_ptb.LIES))
