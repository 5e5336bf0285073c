"""Matrices: cells by family and edge, and where they differ from what was expected."""

from __future__ import annotations

import pytest

from sixproof.model import (
    Expectation,
    Family,
    Matrix,
    Observation,
    Outcome,
    Parity,
    Protocol,
    edge_of,
)
from tests.unit.model.places import CLIENT, ECHO, flow, seen

EDGE = ("client", "echo", "tcp/8080")
OPEN = Expectation.allowed("no policy selects echo")


def matrix(*observations: Observation) -> Matrix:
    """A matrix of these."""
    return Matrix.of("pods", observations)


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.ICMP], ids=str)
def test_edge_is_equal_in_both_families(protocol: Protocol) -> None:
    """ICMP and ICMPv6 are one port, so that the families of an edge can be compared."""
    assert len({edge_of(flow(family, protocol)) for family in Family}) == 1


def test_later_observation_replaces_an_earlier_one() -> None:
    """The matrix shows what was seen last."""
    both = matrix(seen(Outcome.DROPPED), seen(Outcome.ALLOWED))

    assert [o.outcome for o in both.observations()] == [Outcome.ALLOWED]


def test_rows_columns_and_lanes_keep_their_order() -> None:
    """Order of first appearance; families IPv4 before IPv6."""
    back = Observation(flow(source=ECHO, destination=CLIENT), Outcome.ALLOWED)
    measured = matrix(seen(Outcome.ALLOWED), seen(Outcome.ALLOWED, Family.IPV4, port=53), back)

    assert measured.sources() == ("client", "echo")
    assert measured.destinations() == ("echo", "client")
    assert measured.port_specs() == ("tcp/8080", "tcp/53")
    assert measured.families() == (Family.IPV4, Family.IPV6)


def test_cell_that_was_not_measured_is_none() -> None:
    """Absence is distinguished from every outcome."""
    measured = matrix(seen(Outcome.ALLOWED))

    assert measured.cell(Family.IPV4, EDGE) is None
    assert measured.cell(Family.IPV6, EDGE) == seen(Outcome.ALLOWED)


@pytest.mark.parametrize(
    ("observations", "parity"),
    [
        ((seen(Outcome.ALLOWED, Family.IPV4), seen(Outcome.DROPPED)), Parity.IPV6_BROKEN),
        ((seen(Outcome.ALLOWED),), Parity.NOT_COMPARED),
    ],
)
def test_parity_of_an_edge(observations: tuple[Observation, ...], parity: Parity) -> None:
    """The families of one edge side by side."""
    assert matrix(*observations).parities() == {EDGE: parity}


def test_cells_as_expected_do_not_disagree() -> None:
    """Nothing to report where everything is as the oracle said."""
    measured = matrix(seen(Outcome.ALLOWED))

    assert measured.disagreements({(Family.IPV6, EDGE): OPEN}) == ()


def test_disagreement_comes_with_the_other_family() -> None:
    """A failing cell shows its counterpart, which distinguishes IPv6 faults from general ones."""
    good, bad = seen(Outcome.ALLOWED, Family.IPV4), seen(Outcome.DROPPED)
    expected = {(family, EDGE): OPEN for family in Family}

    (only,) = matrix(good, bad).disagreements(expected)

    assert (only.observation, only.expected, only.parity, only.counterpart) == (
        bad,
        OPEN,
        Parity.IPV6_BROKEN,
        good,
    )


def test_unknown_agrees_with_nothing_but_itself() -> None:
    """A cell that could not be measured never passes for a denial."""
    measured = matrix(seen(Outcome.UNKNOWN))
    denied = Expectation(frozenset({Outcome.DROPPED, Outcome.REJECTED}), "deny-all")

    assert len(measured.disagreements({(Family.IPV6, EDGE): denied})) == 1


@pytest.mark.parametrize("keys", [[], [(Family.IPV6, EDGE), (Family.IPV4, EDGE)]])
def test_cells_without_expectation_and_the_reverse_are_errors(
    keys: list[tuple[Family, tuple[str, str, str]]],
) -> None:
    """No green by absence: what was expected must have been measured, and the reverse."""
    with pytest.raises(KeyError, match="measured and expected cells differ"):
        matrix(seen(Outcome.ALLOWED)).disagreements(dict.fromkeys(keys, OPEN))


def test_expectation_prints_its_outcomes() -> None:
    """In a stable order."""
    either = Expectation(frozenset({Outcome.REJECTED, Outcome.DROPPED}), "deny")

    assert (str(either), str(OPEN)) == ("DROPPED or REJECTED", "ALLOWED")
