"""A cluster with another network plugin: what asks about Calico is skipped with the reason, and
nothing is red for want of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.simulated.cluster import CALICO, STORE, SimulatedCluster
from tests.plugin.simulated.objects import Where
from tests.plugin.test_simulated import Ran, run, with_a_second_try
from tests.unit.kube.recordings import bed
from tests.unit.kube.server import Reply, Seen, refused

DAEMONS = ("/apis/apps/v1", "daemonsets", "kube-system")
WHY = "the CNI is kindnet"


class WithoutCalico(SimulatedCluster):
    """The recorded bed's nodes with kindnet, whose API server knows no kind of Calico's."""

    def __init__(self) -> None:
        super().__init__()
        groups: dict[str, Any] = copy.deepcopy(bed()["/apis"])
        groups["groups"] = [g for g in groups["groups"] if "projectcalico" not in g["name"]]
        self.on("GET", "/apis", Reply(groups))
        self.on("GET", CALICO, refused(404, "NotFound", f"the server could not find {CALICO}"))
        self.objects.remove(Where(*DAEMONS, "calico-node"))
        image = {"name": "kindnet", "image": "sixproof.test/kindnet:bed"}
        self.objects.keep(
            Where(*DAEMONS, "kindnet"), {"spec": {"template": {"spec": {"containers": [image]}}}}
        )
        self.network.sysctls.update(
            {
                "net/ipv4/ip_forward": "1",
                "net/ipv6/conf/all/forwarding": "1",
                "net/ipv6/conf/all/disable_ipv6": "0",
            }
        )

    def answer(self, seen: Seen) -> Reply:
        """The same, but for what is Calico's."""
        if seen.path.startswith((CALICO, STORE)) or seen.path.endswith("/calico-config"):
            self.seen.append(seen)
            return refused(404, "NotFound", f"the server could not find {seen.path}")
        return super().answer(seen)


@pytest.fixture
def simulated() -> SimulatedCluster:
    return WithoutCalico()


def reasons(ran: Ran, folder: str) -> set[str]:
    """Why tests of a folder were skipped."""
    return {
        str(case["reason"])
        for case in ran.results["tests"]
        if f"suites/{folder}" in case["nodeid"] and case["outcome"] == "skipped"
    }


@with_a_second_try
def test_what_asks_about_calico_is_skipped_with_one_reason(
    simulated: SimulatedCluster, tmp_path: Path
) -> None:
    if not isinstance(simulated, WithoutCalico):
        simulated = WithoutCalico()  # a second try is given the other one
    suites = ("calico", "bgp", "policy/test_calico.py", "preflight")
    ran = run(simulated, tmp_path, *(f"suites/{one}" for one in suites))
    assert (ran.status, ran.bad) == (0, set()), ran.text
    assert ran.results["facts"]["cni"] == "kindnet"
    of_calico = [c for c in ran.results["tests"] if "suites/calico" in c["nodeid"]]
    assert len(of_calico) > 20
    assert {case["outcome"] for case in of_calico} == {"skipped"}, ran.text
    assert reasons(ran, "calico") <= {WHY, "it makes objects that a cluster's owner watches"}
    assert WHY in reasons(ran, "calico") & reasons(ran, "bgp") & reasons(ran, "preflight")
    unserved = reasons(ran, "policy/test_calico.py")
    assert unserved
    assert all(why.startswith("this cluster does not serve ") for why in unserved), unserved
