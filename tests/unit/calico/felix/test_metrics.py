"""Felix's metrics: what is well is silent, and what is not is said with the metric's name."""

from __future__ import annotations

from typing import Any

import pytest

from sixproof.calico.felix import metrics
from sixproof.calico.felix.metrics import Metrics
from sixproof.calico.felix.settings import Felix
from sixproof.model import Family

IPV4, IPV6 = Family
IPTABLES = {
    'felix_iptables_rules{ip_version="4",table="filter"}': 200,
    'felix_iptables_rules{ip_version="6",table="filter"}': 190,
    'felix_iptables_rules{ip_version="6",table="nat"}': 10,
    'felix_nft_rules{ip_version="4"}': 0,
    'felix_nft_rules{ip_version="6"}': 0,
}
NFTABLES = {
    'felix_nft_rules{ip_version="4"}': 200,
    'felix_nft_rules{ip_version="6"}': 190,
    'felix_iptables_rules{ip_version="4",table="filter"}': 0,
    'felix_iptables_rules{ip_version="6",table="filter"}': 0,
}


def metrics_with(**values: Any) -> Metrics:
    """Metrics of a Felix that is in sync, but for these; names may have labels."""
    every = {"felix_resync_state": 3, "process_start_time_seconds": 1.7e9} | values
    found = Metrics.of("".join(f"{name} {value}\n" for name, value in every.items()))
    assert found
    return found


def test_a_page_without_felix_is_none() -> None:
    assert Metrics.of("<html>not here</html>") is None
    assert Metrics.of("go_goroutines 12\n") is None


@pytest.mark.parametrize(
    ("state", "words"),
    [(3, ""), (2, "reading the datastore"), (1, "waiting for the datastore"), (9, "no state")],
)
def test_felix_is_in_sync_or_says_what_it_does(state: int, words: str) -> None:
    said = metrics.out_of_sync(metrics_with(felix_resync_state=state))
    assert (words in said) if words else said == ""


def test_errors_that_rise_are_reported_with_what_they_count() -> None:
    before, now = (
        metrics_with(felix_nft_errors=1),
        metrics_with(felix_nft_errors=3, felix_ipset_errors=1),
    )
    assert metrics.errors(before, now) == (
        "felix_ipset_errors rose from 0 to 1 (failed ipset commands)",
        "felix_nft_errors rose from 1 to 3 (failed nft transactions)",
    )
    assert metrics.errors(now, now) == ()


def test_errors_of_a_new_process_are_all_new() -> None:
    before = metrics_with(felix_nft_errors=5)
    now = metrics_with(felix_nft_errors=2, process_start_time_seconds=1.8e9)
    assert metrics.errors(before, now) == (
        "felix_nft_errors rose from 0 to 2 (failed nft transactions)",
    )


def test_past_errors_are_counted() -> None:
    assert list(
        metrics.counted(metrics_with(felix_int_dataplane_failures=2, felix_ipset_errors=0))
    ) == ["felix_int_dataplane_failures 2 (updates of the dataplane that failed)"]


def counts(policies: int, pods: int, applied: int, **more: Any) -> Metrics:
    """What a Felix has taken and written."""
    taken = {
        f'felix_calc_graph_updates_processed{{type="{kind}"}}': number
        for kind, number in (("PolicyKey", policies), ("WorkloadEndpointKey", pods))
    }
    return metrics_with(**taken, felix_int_dataplane_apply_time_seconds_count=applied, **more)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (counts(3, 5, 8), ""),
        (counts(3, 4, 8), "Felix took no update of the datastore"),
        (counts(3, 5, 7), "Felix wrote nothing to its dataplane"),
        (counts(0, 0, 0, process_start_time_seconds=1.8e9), ""),
        (metrics_with(), "Felix took no update of the datastore"),
    ],
)
def test_a_felix_that_lags_is_reported_with_what_it_has_not_done(now: Metrics, words: str) -> None:
    assert metrics.lagging(counts(3, 4, 7), now) == words


def test_a_felix_that_counts_nothing_shows_nothing() -> None:
    assert "Felix showed no felix_calc_graph" in metrics.lagging(metrics_with(), metrics_with())
    assert metrics_with(felix_odd="NaN").value("felix_odd") is None


@pytest.mark.parametrize(
    ("felix", "rules", "words"),
    [
        (Felix(), IPTABLES, ""),
        (Felix(nftables="Enabled"), NFTABLES, ""),
        (Felix(nftables="Auto"), NFTABLES, ""),
        (Felix(nftables="Auto"), IPTABLES, ""),
        (Felix(), NFTABLES, "190 in nftables), wanted in iptables alone (nftablesMode Disabled)"),
        (
            Felix(nftables="Enabled"),
            IPTABLES,
            "200 in iptables, 0 in nftables), wanted in nftables",
        ),
        (
            Felix(nftables="Enabled"),
            IPTABLES | NFTABLES,
            "10 in iptables, 190 in nftables), wanted",
        ),
        (Felix(), {}, "Felix made no rule of IPv6"),
        (Felix(ipv6=False), {}, ""),
        (Felix(ipv6=False), IPTABLES, "although ipv6Support is off"),
    ],
)
def test_rules_of_ipv6_are_where_they_are_to_be(
    felix: Felix, rules: dict[str, int], words: str
) -> None:
    said = metrics.misplaced_rules(felix, IPV6, metrics_with(**rules))
    assert (words in said) if words else said == ""


def test_rules_of_ipv4_are_there_whatever_ipv6_is_set_to() -> None:
    assert metrics.misplaced_rules(Felix(ipv6=False), IPV4, metrics_with(**IPTABLES)) == ""
    assert "no rule of IPv4" in metrics.misplaced_rules(Felix(ipv6=False), IPV4, metrics_with())


@pytest.mark.parametrize(
    ("programs", "dirty", "words"),
    [(5, 0, ""), (0, 0, "no interface has a program"), (5, 2, "endpoints is 2: interfaces whose")],
)
def test_ebpf_programs(programs: int, dirty: int, words: str) -> None:
    found = metrics_with(
        felix_bpf_dataplane_endpoints=programs, felix_bpf_dirty_dataplane_endpoints=dirty
    )
    said = metrics.failed_programs(found)
    assert (words in said) if words else said == ""
