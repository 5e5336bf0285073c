"""Paths as text and pictures, and the message of a failing check."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

from sixproof.agent.protocol import Event
from sixproof.errors import VerdictError
from sixproof.model import Family, Flow, Protocol
from sixproof.probes.pmtu import judge as pmtu_judge
from sixproof.probes.pmtu import signals
from sixproof.probes.pmtu.path_run import PathResult
from sixproof.reporting.diagnosis.category import Category
from sixproof.reporting.matrix import path_svg, path_text
from sixproof.reporting.matrix.grid import CellState
from sixproof.reporting.matrix.palette import PAINTS
from tests.unit.probes.pmtu.samples import (
    HERE,
    HOPS,
    PTB,
    THERE,
    bulk,
    narrowed,
    passed,
    path_result,
    path_run,
    refused,
    vanished,
)

STUCK = bulk(Event.SILENT, elapsed=6.0, retransmits=5)


def hole(family: Family = Family.IPV6) -> PathResult:
    """Small passes, large stalls."""
    return path_result(
        family, narrowed(), pattern=(vanished(1430),) * 4, bulk=STUCK, beyond=vanished(1351)
    )


def turned(given: PathResult) -> PathResult:
    """The path from w2 to w1."""
    address = HERE.address(Family.IPV6)
    assert address is not None
    return dataclasses.replace(given, flow=Flow(THERE, HERE, address, Protocol.UDP, 8080))


def message(*path_results: PathResult, **counted: dict[str, int]) -> str:
    """What the verdict about bulk over IPv6 says."""
    return str(error(*path_results, **counted))


def error(*path_results: PathResult, **counted: dict[str, int]) -> VerdictError:
    """The verdict about bulk over IPv6."""
    seen = path_run(*path_results, **counted)
    rule = pmtu_judge.bulk_in_time
    violations = pmtu_judge.judge(seen.over(Family.IPV6), rule)
    return path_text.verdict("bulk passes", violations, seen, rule)


def test_a_black_hole_names_pair_hop_and_node() -> None:
    """Small passes, large stalls, which pair, which hop first, what was counted there."""
    found = error(hole(), path_result(Family.IPV4), w1={"Icmp6OutPktTooBigs": 4})
    text = str(found)
    assert "bulk passes: 1 of 1 ordered pairs over IPv6" in text
    assert "small packets pass, large ones are lost" in text
    assert "a@w1 -> a@w2 over IPv6: TCP silent" in text
    assert "narrowest hop: vxlan-v6.calico of w1 1350 (route to there)" in text
    assert "w1 made 4 (Icmp6OutPktTooBigs), the source received 0" in text
    assert "lost on w1" in text
    assert "look at w1 first" in text
    assert found.categories == {Category.MTU, Category.IPV6_ONLY}
    assert found.families == {Family.IPV6}


def test_a_stall_on_the_way_back_is_reported_with_the_path_back() -> None:
    """The upload was acknowledged whole: it is the server's packets that vanish."""
    stuck = bulk(Event.SILENT, elapsed=6.0, acknowledged=300_037)
    given = turned(path_result(bulk=stuck, hops=HOPS))
    text = message(given, hole(), w1={"Icmp6OutPktTooBigs": 4})
    assert "a@w2 -> a@w1 over IPv6: TCP silent in its exchange on the way back" in text
    assert text.count("narrowest hop: vxlan-v6.calico of w1 1350") == 2
    assert text.count("lost on w1") == 2


def test_both_families_broken_are_no_contrast() -> None:
    """And neither is a family that was not measured."""
    assert error(hole(), hole(Family.IPV4)).categories == {Category.MTU, Category.BOTH}
    assert error(hole()).categories == {Category.MTU, Category.BOTH}


def test_slow_is_no_black_hole() -> None:
    """It is reported, and filed elsewhere."""
    found = error(path_result(bulk=bulk(elapsed=3.0)), path_result(Family.IPV4))
    assert Category.MTU not in found.categories
    assert "bulk took 3.0 s" in str(found)


def test_many_pairs_are_reported_briefly_after_the_first() -> None:
    """Four in full, every one by name."""
    text = message(*[hole()] * 6)
    assert text.count("a@w1 -> a@w2 over IPv6: TCP silent") == 6
    assert text.count("narrowest hop") == 4


def test_a_drawing_has_a_line_a_hop() -> None:
    """With the narrowest marked, what passed, and who said what."""
    given = path_result(
        hops=narrowed(),
        first=passed(1350),
        pattern=(refused(1430, PTB, 1350), *(passed(1430),) * 3),
    )
    lines = list(path_text.drawing(given))
    assert lines[0] == "a@w1 -> a@w2 over IPv6: MTU 1350"
    assert len(lines) == len(narrowed()) + 2
    assert [line for line in lines if "<- narrowest" in line] == [
        "   1350  w1 vxlan-v6.calico  route to there  <- narrowest"
    ]
    assert "passed 256, 1350, 1430" in lines[-1]
    assert "2001:db8::ffff gave MTU 1350" in lines[-1]
    assert "<- narrowest" not in "".join(path_text.drawing(path_result(hops=HOPS)))
    assert next(iter(path_text.drawing(path_result(hops=())))).endswith("MTU unknown")


def test_a_picture_is_well_formed_and_complete() -> None:
    """Static SVG: every hop, every path, the title; text is escaped."""
    picture = path_svg.paths_svg("a <title>", [path_result(), hole()])
    root = ET.fromstring(picture)  # noqa: S314 - made above
    texts = ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]
    assert "a <title>" in texts
    assert sum("vxlan-v6.calico" in text for text in texts) == 3
    assert sum(text.startswith("a@w1 -> a@w2") for text in texts) == 2
    assert "<script" not in picture
    assert path_svg.paths_svg("nothing", []).startswith("<svg")


def test_the_picture_marks_the_narrowest_hop_and_shows_what_kernels_counted() -> None:
    """One bar in the colour of failure, and a line of counters under the path that lost packets."""
    found = [c for c in [signals.delivered(hole())] if c]
    seen = path_run(hole(), w1={"Icmp6OutPktTooBigs": 3})
    notes = path_text.accounts(found, seen)
    picture = path_svg.paths_svg("lost", [hole()], notes)
    assert "w1 made 3 (Icmp6OutPktTooBigs)" in picture
    assert "lost on w1" in picture
    assert picture.count("&lt;- narrowest") == 1
    assert picture.count(PAINTS[CellState.FAILS].fill) == 1
    assert PAINTS[CellState.FAILS].fill not in path_svg.paths_svg("sound", [path_result()])
