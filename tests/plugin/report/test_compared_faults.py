"""Two runs with one fault between them are told apart, whatever else differs between any two runs:
run ids, clusterIPs, NodePorts, times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sixproof.__main__ import main
from tests.plugin.simulated.cluster import SimulatedCluster
from tests.plugin.simulated.network import Sent
from tests.plugin.simulated.objects import Manifest
from tests.plugin.test_simulated import Ran, crosses_nodes_over_ipv6, run, with_a_second_try

Fault = Callable[[Sent, Manifest], bool]
ASKED = ("suites/pods/test_reachability.py",)
ONLY = "other_nodes"


def crosses_nodes(sent: Sent, met: Manifest) -> bool:
    """What a broken network between nodes loses, over either family."""
    here: str = met["spec"]["nodeName"]
    return bool(sent.source["spec"]["nodeName"] != here)


@pytest.fixture
def simulated() -> SimulatedCluster:
    """A cluster in which everything is as it should be."""
    return SimulatedCluster()


@with_a_second_try
def test_a_fault_between_two_runs_is_found(
    simulated: SimulatedCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New in one direction, gone in the other; excused as long as it is all that fails."""

    def ran(name: str, *arguments: str, fault: Fault | None = None) -> Ran:
        cluster = SimulatedCluster() if fault else simulated
        cluster.network.faults += [fault] if fault else []
        where = f"reports/{name}"
        options = (*ASKED, *arguments, "--six-connect-timeout=1", f"--six-report-dir={where}")
        return run(cluster, tmp_path, *options, only=ONLY, at=where)

    def compared(one: str, other: str) -> tuple[int, str]:
        status = main(["compare", *(str(tmp_path / "reports" / name) for name in (one, other))])
        return status, capsys.readouterr().out

    healthy, again = ran("healthy"), ran("again")
    assert (healthy.status, again.status) == (0, 0), healthy.text + again.text
    status, text = compared("healthy", "again")
    assert (status, text.splitlines()[-1]) == (0, "No failure")
    for title in ("New", "Changed", "Gone", "Not comparable", "What else differs"):
        assert f"\n{title}" not in text

    broken = ran("broken", fault=crosses_nodes_over_ipv6)
    assert broken.status == 1
    status, text = compared("healthy", "broken")
    assert status == 1
    assert "\nNew\n  ! all IPv6 " in text
    assert "IPv4: works, as before" in text
    assert "IPv6: works, then broken" in text
    status, text = compared("broken", "healthy")
    assert status == 0
    assert "\nGone (measured again, and right)\n  + all IPv6 " in text

    new = ("--six-baseline=reports/broken", "--six-fail-on=new")
    known = ran("known", *new, fault=crosses_nodes_over_ipv6)
    assert known.status == 0, known.text
    assert known.bad == broken.bad
    assert "nothing is new (--six-fail-on new)" in known.text
    more = ran("more", *new, fault=crosses_nodes)
    assert more.status == 1
    assert "Not excused by the baseline (--six-fail-on new): New failures: " in more.text
