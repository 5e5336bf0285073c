"""Matrices as text: small and large ones, folded, wrapped, in plain ASCII."""

from __future__ import annotations

import pytest

from sixproof.model import Family, Flow, Outcome
from sixproof.reporting.diagnosis.parity import parity_counts, parity_line
from sixproof.reporting.matrix.text import matrix_lines
from sixproof.reporting.pages.styled_text import plain
from tests.unit.reporting.samples import (
    DENY,
    OPEN,
    PORT_SPECS,
    all_open,
    pods,
    topology,
    v6_tunnel_broken,
)


def test_a_small_matrix_names_its_columns() -> None:
    matrix = topology(v6_tunnel_broken, endpoints=pods("a"), port_specs=PORT_SPECS[:1])
    assert plain(matrix_lines(matrix, all_open(matrix))) == (
        "Pod to pod\n"
        "IPv6: 7 of 9 cells as expected, 2 fail but must be allowed\n"
        "  . ALLOWED   X DROPPED, must be allowed\n"
        "                 a@control-plane  a@worker  a@worker2\n"
        "a@control-plane  .                .         .\n"
        "a@worker         .                .         X\n"
        "a@worker2        .                X         .\n"
        "IPv4: 9 of 9 cells as expected\n"
        "Parity of 9 edges: 7 both work, 2 only IPv6 wrong\n"
    )


def test_a_large_matrix_numbers_its_columns_and_shows_a_broken_node_pair_as_blocks() -> None:
    matrix = topology(v6_tunnel_broken)
    text = plain(matrix_lines(matrix, all_open(matrix)))
    assert (
        "                    control-plane     | worker            | worker2\n"
        "                    1     2     3     | 4     5     6     | 7     8     9\n" in text
    )
    assert " 4 a@worker         .     .     .     | .     .     .     | XXX.  XXX.  XXX.\n" in text
    assert "one letter for all, or in order: tcp/8080   tcp/8081   udp/8080   icmpv6\n" in text


def test_families_that_look_alike_are_drawn_once() -> None:
    matrix = topology()
    text = plain(matrix_lines(matrix, all_open(matrix)))
    assert text.count(" 1 a@control-plane") == 1
    assert "IPv4: 324 of 324 cells as expected\nIPv6: 324 of 324 cells as expected\n" in text
    assert "every cell alike for: tcp/8080" in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    wide = pods("abcdef", [f"node-{n}" for n in range(5)])
    matrix = topology(
        lambda f: Outcome.DROPPED if f.port_spec == "tcp/8080" else Outcome.ALLOWED, endpoints=wide
    )
    lines = matrix_lines(matrix, all_open(matrix), width=width)
    assert max(len(str(line)) for line in lines) <= width
    assert sum("f@node-4 " in str(line) for line in lines) > 1, "the matrix goes on below"


def test_a_name_longer_than_the_terminal_still_prints() -> None:
    matrix = topology(endpoints=pods("a", ["n" * 90, "m"]))
    assert "n" * 90 in plain(matrix_lines(matrix, width=40))


def test_every_character_fits_an_ascii_locale() -> None:
    matrix = topology(lambda f: Outcome.UNKNOWN if f.source.node == "worker" else Outcome.REJECTED)
    assert plain(matrix_lines(matrix, all_open(matrix))).isascii()


def test_without_expectation_the_count_speaks_of_what_is_allowed() -> None:
    text = plain(matrix_lines(topology(v6_tunnel_broken)))
    assert "IPv6: 270 of 324 cells ALLOWED, 54 do not work" in text


def test_columns_that_are_no_rows_are_listed_by_number() -> None:
    everyone = pods("abcdef", ["node-one", "node-two"])
    matrix = topology(endpoints=everyone)
    half = {k: o for k, o in matrix.cells.items() if k[1][0].startswith("a@")}
    text = plain(matrix_lines(type(matrix)("some", half), width=60))
    assert "to 1 a@node-one" in text


def _leak(flow: Flow) -> Outcome:
    denied = flow.destination.name.startswith("a@")
    leaks = flow.family is Family.IPV6 and flow.destination.node == "worker"
    return Outcome.DROPPED if denied and not leaks else Outcome.ALLOWED


def test_parity_calls_a_leak_a_fault_of_the_family_that_leaks() -> None:
    matrix = topology(_leak, endpoints=pods("ab"), port_specs=PORT_SPECS[:1])
    expected = {k: DENY if k[1][1].startswith("a@") else OPEN for k in matrix.cells}
    counts = parity_counts(matrix, expected)
    assert counts == {"both work": 18, "both denied as expected": 12, "only IPv6 wrong": 6}
    assert str(parity_line(matrix, expected)).endswith(
        "18 both work, 12 both denied as expected, 6 only IPv6 wrong"
    )


def test_parity_without_expectation_compares_outcomes() -> None:
    matrix = topology(v6_tunnel_broken, endpoints=pods("a"), port_specs=PORT_SPECS[:1])
    assert parity_counts(matrix) == {"both work": 7, "IPv6 broken": 2}


def test_parity_of_one_family_compares_nothing() -> None:
    matrix = topology(endpoints=pods("a"), port_specs=PORT_SPECS[:1], families=[Family.IPV6])
    assert parity_counts(matrix, all_open(matrix)) == {"not compared": 9}
    assert "Parity" not in plain(matrix_lines(matrix))


def test_both_families_wrong_and_a_difference_that_was_expected() -> None:
    matrix = topology(
        lambda f: Outcome.DROPPED if f.family is Family.IPV6 else Outcome.ALLOWED,
        endpoints=pods("a", ["n"]),
        port_specs=PORT_SPECS[:2],
    )
    differ = {k: DENY if k[0] is Family.IPV6 else OPEN for k in matrix.cells}
    assert parity_counts(matrix, differ) == {"differ as expected": 2}
    turned = {k: OPEN if k[0] is Family.IPV6 else DENY for k in matrix.cells}
    assert parity_counts(matrix, turned) == {"both wrong": 2}
