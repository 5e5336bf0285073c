"""Felix's endpoints: who answers is green, and who does not is red at its node and family."""

from __future__ import annotations

from typing import Any, cast

import pytest

from sixproof.checks.calico.felix_endpoints import FelixEndpoints
from sixproof.checks.connect.connectivity import Connectivity
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked, NotMeasured, VerdictError
from sixproof.model import Expectation, Family, Flow, Outcome
from sixproof.probes.connect.fetch import PageProbe
from sixproof.probes.connect.probe import ConnectProbe
from sixproof.workloads.existing.policies import ExistingPolicies
from sixproof.workloads.probe_pods.topology import ProbeTopology
from tests.unit.checks.calico.felixes import FOUR, SIX, Felixes, Kept, Topology, settings


class Closing:
    """Policies of the cluster's owner that close all that pods ask."""

    def first(self, expect: Any) -> Any:
        """What they close comes first."""

        def expected(flow: Flow) -> Expectation:
            usual = expect(flow)
            if flow.source.kind == "pod":
                dropped = frozenset({Outcome.DROPPED})
                return Expectation(dropped, "closed", closed_by="NetworkPolicy deny")
            return cast(Expectation, usual)

        return expected


def checks(felixes: Felixes, existing: object = None, **spec: Any) -> tuple[FelixEndpoints, Kept]:
    kept = Kept()
    connectivity = Connectivity(
        cast(ConnectProbe, None),
        cast(Recorder, kept),
        0.1,
        cast("ExistingPolicies | None", existing),
    )
    probe, topology = PageProbe(felixes.agents), cast(ProbeTopology, Topology())
    return FelixEndpoints(probe, topology, settings(**spec), connectivity, 0.0), kept


@pytest.mark.parametrize("family", Family, ids=str)
def test_felix_that_is_well_is_green(family: Family) -> None:
    made, kept = checks(Felixes())
    made.must_be_healthy(family)
    made.must_be_scraped(family)
    health, metrics = (matrix for matrix, _ in kept.judged)
    assert len(health.cells) == 4, "liveness and readiness of two nodes"
    assert len(metrics.cells) == 4, "of two nodes, by themselves and by a pod of the other"
    assert sum(o.flow.crosses_nodes for o in metrics.observations()) == 2
    assert health.families() == metrics.families() == (family,)


def test_a_felix_that_is_not_ready_is_named_with_what_it_says() -> None:
    felixes = Felixes()
    felixes.of["worker2"].ready = False
    made, kept = checks(felixes)
    with pytest.raises(VerdictError, match="HTTP status 503: Felix is not ready"):
        made.must_be_healthy(SIX)
    ((matrix, _),) = kept.judged
    wrong = [o for o in matrix.observations() if not o.outcome.works]
    assert {(o.flow.destination.node, o.outcome) for o in wrong} == {("worker2", Outcome.WRONG)}


def test_an_endpoint_that_is_silent_over_one_family_is_red_there() -> None:
    felixes = Felixes()
    felixes.of["worker"].deaf = (SIX,)
    made, _ = checks(felixes)
    made.must_be_scraped(FOUR)
    with pytest.raises(VerdictError, match="DROPPED"):
        made.must_be_scraped(SIX)
    with pytest.raises(VerdictError):
        made.must_be_healthy(SIX)


def test_metrics_that_pods_do_not_get_are_red() -> None:
    """Felix answers its own node: the way is closed, not Felix."""
    felixes = Felixes()
    felixes.of["worker"].deaf_to_pods = (SIX,)
    made, kept = checks(felixes)
    with pytest.raises(VerdictError, match="a@worker2 -> host@worker over IPv6"):
        made.must_be_scraped(SIX)
    ((matrix, _),) = kept.judged
    assert [o.flow.source.name for o in matrix.observations() if not o.outcome.works] == [
        "a@worker2"
    ]


def test_what_the_owners_policies_close_is_not_proven() -> None:
    felixes = Felixes()
    for one in felixes.of.values():
        one.deaf_to_pods = (SIX,)
    made, kept = checks(felixes, Closing())
    with pytest.raises(NotAsked, match="NetworkPolicy deny") as caught:
        made.must_be_scraped(SIX)
    assert caught.value.unproven
    assert len(kept.judged) == 1


def test_a_page_of_something_else_is_wrong() -> None:
    felixes = Felixes()
    felixes.of["worker"].page = "<html>hello</html>"
    made, _ = checks(felixes)
    with pytest.raises(VerdictError, match="none of them a metric of Felix"):
        made.must_be_scraped(SIX)


def test_an_agent_that_cannot_ask_is_no_verdict() -> None:
    felixes = Felixes()
    made, _ = checks(felixes)
    felixes.lost.add("host@worker")
    with pytest.raises(NotMeasured):
        made.must_be_healthy(SIX)


@pytest.mark.parametrize(
    ("spec", "family", "reason", "enable"),
    [
        ({"healthEnabled": False}, SIX, "health endpoint is off", "healthEnabled"),
        (
            {"healthHost": "localhost"},
            SIX,
            "localhost, port 9099: not over IPv6",
            "FELIX_HEALTHHOST=0.0.0.0",
        ),
        ({"healthHost": "::1"}, FOUR, "not over IPv4", "FELIX_HEALTHHOST=0.0.0.0"),
    ],
)
def test_health_that_does_not_listen_is_not_asked(
    spec: dict[str, Any], family: Family, reason: str, enable: str
) -> None:
    made, _ = checks(Felixes(), **spec)
    with pytest.raises(NotAsked, match=reason) as caught:
        made.must_be_healthy(family)
    assert enable in caught.value.enable


def test_health_on_loopback_is_asked_there() -> None:
    felixes = Felixes()
    made, kept = checks(felixes, healthHost="localhost")
    made.must_be_healthy(FOUR)
    assert {str(o.flow.address) for o in kept.judged[0][0].observations()} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"prometheusMetricsEnabled": False}, "metrics are off"),
        ({"prometheusMetricsHost": "127.0.0.1"}, "not over IPv6"),
    ],
)
def test_metrics_that_do_not_listen_are_not_asked(spec: dict[str, Any], reason: str) -> None:
    made, _ = checks(Felixes(), **spec)
    with pytest.raises(NotAsked, match=reason) as caught:
        made.must_be_scraped(SIX)
    assert "prometheusMetrics" in caught.value.enable


def test_metrics_on_loopback_are_asked_by_the_node_alone() -> None:
    made, kept = checks(Felixes(), prometheusMetricsHost="::1")
    made.must_be_scraped(SIX)
    assert len(kept.judged) == 1
