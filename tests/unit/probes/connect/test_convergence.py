"""Following a change, with rounds from a script."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from sixproof.model import Family, Observation, Outcome
from sixproof.probes.connect.convergence import FIRST, Converged, converge
from tests.unit.model.places import flow

GOOD, BAD = Outcome.ALLOWED, Outcome.DROPPED


class Rounds:
    """Rounds by family: ``..X`` is good, good, bad, and bad from then on; `timeouts` are what they
    were given."""

    def __init__(self, latency: float = 0.001, **families: str) -> None:
        self.marks = {Family(f"IP{name}"): marks for name, marks in families.items()}
        self.latency = latency
        self.timeouts: list[float] = []

    def __call__(self, timeout: float) -> Sequence[Observation]:
        number = len(self.timeouts)
        self.timeouts.append(timeout)
        seen = []
        for family, marks in self.marks.items():
            mark = marks[min(number, len(marks) - 1)]
            outcome = {".": GOOD, "X": BAD, "?": Outcome.UNKNOWN}[mark]
            latency = self.latency if outcome is GOOD else None
            seen.append(Observation(flow(family), outcome, latency=latency))
        return seen


def all_work(seen: Sequence[Observation]) -> bool:
    """What every test here waits for."""
    return all(o.outcome.works for o in seen)


def follow(rounds: Rounds, deadline: float = 5.0) -> Converged:
    """Follow a change that was made just now."""
    return converge(rounds, all_work, began=time.monotonic(), deadline=deadline, patience=3.0)


def test_a_change_that_shows_at_once_takes_two_rounds_and_one_to_confirm() -> None:
    rounds = Rounds(v4=".", v6=".")
    converged = follow(rounds)
    assert (converged.rounds, len(rounds.timeouts)) == (2, 3)
    assert rounds.timeouts == [FIRST, FIRST, 3.0]
    assert set(converged.seconds) == set(Family)
    assert str(converged).startswith("IPv4 converged after 0.0")


def test_each_family_has_its_own_time() -> None:
    converged = follow(Rounds(v4="X..", v6="XXXXX.."))
    assert converged.seconds[Family.IPV4] < converged.seconds[Family.IPV6]
    assert converged.rounds == 7


def test_one_good_round_is_not_enough() -> None:
    converged = follow(Rounds(v6=".X.."))
    assert converged.rounds == 4


def test_a_family_that_falls_back_has_not_converged() -> None:
    rounds = Rounds(v4="....X", v6="X")
    converged = follow(rounds, deadline=0.5)
    assert converged.seconds == {}
    assert "IPv4 did not converge, IPv6 did not converge" in str(converged)


def test_a_family_that_never_agrees_does_not_hide_the_other() -> None:
    converged = follow(Rounds(v4=".", v6="X"), deadline=0.5)
    assert set(converged.seconds) == {Family.IPV4}
    assert converged.families == (Family.IPV4, Family.IPV6)
    assert converged.waited < 2


def test_the_time_runs_from_the_change() -> None:
    began = time.monotonic() - 2.0
    converged = converge(Rounds(v6="."), all_work, began=began, deadline=5.0, patience=3.0)
    assert 2.0 <= converged.seconds[Family.IPV6] < 3.0


@pytest.mark.parametrize(("latency", "given"), [(0.001, FIRST), (0.05, 1.0), (0.5, 3.0)])
def test_time_outs_follow_what_answers_take(latency: float, given: float) -> None:
    """A loaded cluster must not be read as one that denies."""
    rounds = Rounds(latency=latency, v6=".")
    follow(rounds)
    assert rounds.timeouts[1] == pytest.approx(given)


def test_a_round_that_waits_out_silences_may_be_shorter() -> None:
    rounds = Rounds(latency=0.1, v6=".")
    converge(rounds, all_work, began=time.monotonic(), deadline=5, patience=3.0, margin=5.0)
    assert rounds.timeouts[1] == pytest.approx(0.5)


def test_rounds_that_could_not_be_measured_get_more_time() -> None:
    rounds = Rounds(v6="??..")
    follow(rounds)
    assert rounds.timeouts[:3] == [FIRST, 2 * FIRST, 4 * FIRST]


def test_cheap_rounds_may_be_sure_enough() -> None:
    rounds = Rounds(v6="X..")
    began = time.monotonic()
    converged = converge(rounds, all_work, began=began, deadline=5, patience=3.0, sure=True)
    assert (converged.rounds, len(rounds.timeouts)) == (3, 3)
    assert [o.outcome for o in converged.observations] == [GOOD]


def test_what_did_not_agree_is_judged_by_a_patient_round() -> None:
    rounds = Rounds(v4=".", v6="X")
    began = time.monotonic()
    converge(rounds, all_work, began=began, deadline=0.3, patience=3.0, sure=True)
    assert rounds.timeouts[-1] == 3.0


def test_the_confirming_round_may_be_another_one() -> None:
    final = Rounds(v6="X")
    converged = converge(
        Rounds(v6="."), all_work, began=time.monotonic(), deadline=5, patience=3.0, confirm=final
    )
    assert final.timeouts == [3.0]
    assert [o.outcome for o in converged.observations] == [BAD]


def sampled(
    sampled_flows: Rounds, rounds: Rounds, final: Rounds, deadline: float = 5.0
) -> Converged:
    """Follow a change with sampled flows before whole rounds."""
    return converge(
        rounds,
        all_work,
        began=time.monotonic(),
        deadline=deadline,
        patience=3.0,
        confirm=final,
        sample=sampled_flows,
    )


def test_samples_that_agree_are_confirmed_at_once() -> None:
    sampled_flows, rounds, final = Rounds(v4="X.", v6="XX."), Rounds(v6="."), Rounds(v4=".", v6=".")
    converged = sampled(sampled_flows, rounds, final)
    assert (len(sampled_flows.timeouts), rounds.timeouts, final.timeouts) == (3, [], [3.0])
    assert converged.rounds == 3
    assert converged.seconds[Family.IPV4] < converged.seconds[Family.IPV6]


def test_what_samples_missed_is_followed_by_whole_rounds_and_judged_once_more() -> None:
    sampled_flows, rounds, final = Rounds(v6="."), Rounds(v6="X.."), Rounds(v6="X.")
    converged = sampled(sampled_flows, rounds, final)
    assert (len(sampled_flows.timeouts), len(rounds.timeouts), final.timeouts) == (1, 3, [3.0, 3.0])
    assert [o.outcome for o in converged.observations] == [GOOD]
    assert converged.rounds == 5


def test_the_time_of_the_patient_round_is_not_the_changes() -> None:
    """A busy machine's lasts as long as all that a change gets; whole rounds still follow it."""
    sampled_flows, rounds, final = Rounds(v6="."), Rounds(v6="X.."), Rounds(v6="X.")

    def slowly(timeout: float) -> Sequence[Observation]:
        if not final.timeouts:
            time.sleep(0.5)
        return final(timeout)

    converged = converge(
        rounds,
        all_work,
        began=time.monotonic(),
        deadline=0.4,
        patience=3.0,
        confirm=slowly,
        sample=sampled_flows,
    )
    assert len(rounds.timeouts) == 3
    assert set(converged.seconds) == {Family.IPV6}


def test_a_second_patient_round_that_disagrees_is_the_judgement() -> None:
    sampled_flows, rounds, final = Rounds(v6="."), Rounds(v6="."), Rounds(v6="X")
    converged = sampled(sampled_flows, rounds, final)
    assert final.timeouts == [3.0, 3.0]
    assert [o.outcome for o in converged.observations] == [BAD]


def test_samples_that_never_agree_leave_one_patient_round() -> None:
    sampled_flows, rounds, final = Rounds(v4=".", v6="X"), Rounds(v6="."), Rounds(v4=".", v6="X")
    converged = sampled(sampled_flows, rounds, final, deadline=0.3)
    assert (rounds.timeouts, final.timeouts) == ([], [3.0])
    assert set(converged.seconds) == {Family.IPV4}
