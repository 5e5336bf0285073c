"""Path results as a matrix: a rule and a small packet a path."""

from __future__ import annotations

from sixproof.agent.protocol import Event
from sixproof.model import Family, MatrixKind, Outcome, Parity
from sixproof.probes.pmtu import judge, matrix
from sixproof.probes.pmtu.judge import Rule, Violation, ViolationKind
from sixproof.probes.pmtu.path_run import PathResult
from sixproof.reporting.diagnosis.places import diagnose
from tests.unit.probes.pmtu.samples import bulk, passed, path_result, vanished

TITLE = "the first full-size packet passes"


def outcomes(rule: Rule, *found: PathResult) -> dict[tuple[Family, str], Outcome]:
    """Every cell's outcome by its family and question."""
    cells, _ = matrix.matrix(TITLE, found, judge.judge(found, rule))
    assert cells.kind is MatrixKind.PATHS
    return {(o.flow.family, o.flow.question): o.outcome for o in cells.observations()}


def test_the_small_packet_distinguishes_a_black_hole_from_a_dead_path() -> None:
    """Both lose the large one; in one the small one passes."""
    hole = path_result(first=vanished(1430))
    dead = path_result(Family.IPV4, first=vanished(1430), small=vanished(256))
    assert outcomes(judge.first_try, hole, dead) == {
        (Family.IPV6, TITLE): Outcome.DROPPED,
        (Family.IPV6, "256 bytes"): Outcome.ALLOWED,
        (Family.IPV4, TITLE): Outcome.DROPPED,
        (Family.IPV4, "256 bytes"): Outcome.DROPPED,
    }


def test_what_is_carried_and_not_as_it_must_be_is_wrong() -> None:
    slow = path_result(bulk=bulk(Event.ECHOED, elapsed=3.0))
    assert outcomes(judge.bulk_in_time, slow)[Family.IPV6, TITLE] is Outcome.WRONG

    def narrow(path: PathResult) -> Violation:
        return Violation(path, ViolationKind.NARROW, "1280 only")

    assert outcomes(narrow, slow)[Family.IPV6, TITLE] is Outcome.TOO_BIG


def test_the_diagnosis_names_what_was_asked_and_what_works_beside_it() -> None:
    found = path_result(first=vanished(1430)), path_result(Family.IPV4, first=passed(1430))
    cells, expected = matrix.matrix(TITLE, found, judge.judge(found, judge.first_try))
    (wrong,) = cells.disagreements(expected)
    assert wrong.parity is Parity.IPV6_BROKEN
    (pattern,) = diagnose(cells, [wrong])
    assert pattern.sentence.startswith(f"all IPv6 path checks ({TITLE}) ")
    beside = "what else was asked in the same place is right (256 bytes); IPv4 works"
    assert beside in pattern.sentence
