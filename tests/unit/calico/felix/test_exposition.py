"""Prometheus's text format: what is of it is read, what is not is left out, and nothing crashes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixproof.calico.felix import exposition
from sixproof.calico.felix.exposition import Sample, read

TEXT = r"""# HELP felix_resync_state Current datastore state.
# TYPE felix_resync_state gauge
felix_resync_state 3
felix_iptables_rules{ip_version="6",table="filter"} 211
felix_time{quantile="0.5"} NaN
felix_time_sum 1.25e-05 1700000000000
felix_odd{text="a \"b\" \\ c\n{d}",other="e,f=\"g\""} +Inf
"""


def test_samples_are_read_with_labels_and_values() -> None:
    found = read(TEXT)
    assert found.malformed == 0
    state, rules, time, total, odd = found.samples
    assert state == Sample("felix_resync_state", 3.0)
    assert rules == Sample(
        "felix_iptables_rules", 211.0, (("ip_version", "6"), ("table", "filter"))
    )
    assert math.isnan(time.value)
    assert total.value == 1.25e-05
    assert (odd.label("text"), odd.label("other")) == ('a "b" \\ c\n{d}', 'e,f="g"')
    assert odd.label("none") == ""


@pytest.mark.parametrize(
    "line",
    [
        "<html>",
        "felix_resync_state",
        "felix_resync_state three",
        "1felix 3",
        'felix{a="b} 3',
        "felix{} 1_000",
        "felix 3 later",
        "felix " + "1" * 5000,
    ],
)
def test_what_is_no_sample_is_counted(line: str) -> None:
    assert (read(line).samples, read(line).malformed) == ((), 1)


def test_samples_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "MOST", 3)
    assert len(read("felix 1\n" * 10).samples) == 3


@given(st.text())
def test_nothing_that_comes_crashes(text: str) -> None:
    found = read(text)
    assert len(found.samples) + found.malformed <= text.count("\n") + 1
