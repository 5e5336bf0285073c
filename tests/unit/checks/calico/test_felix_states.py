"""Felix's state: who follows is green; who does not is red at its node, who is silent UNKNOWN."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import pytest

from sixproof.calico.nodes import CalicoNode
from sixproof.calico.state import CalicoState
from sixproof.checks.calico.felix_states import FelixStates
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked, NotMeasured, VerdictError
from sixproof.model import Family, MatrixKind, Outcome
from sixproof.probes.connect.fetch import PageProbe
from sixproof.workloads.probe_pods.topology import ProbeTopology
from tests.unit.checks.calico.felixes import (
    FOUR,
    NODES,
    SIX,
    Felixes,
    FelixOfNode,
    Kept,
    Topology,
    settings,
)

WIREGUARD: dict[str, Any] = {"wireguardEnabled": True, "wireguardEnabledV6": True}
KEYS = tuple(CalicoNode(name, wireguard_keys=(FOUR, SIX)) for name in NODES)


def checks(
    felixes: Felixes, nodes: tuple[CalicoNode, ...] = KEYS, **spec: Any
) -> tuple[FelixStates, Kept]:
    kept = Kept()
    made = FelixStates(
        PageProbe(felixes.agents),
        felixes.agents,
        cast(ProbeTopology, Topology()),
        CalicoState("v3", felix=settings(**spec), nodes=nodes),
        cast(Recorder, kept),
        felixes.change,
        0.1,
        0.0,
    )
    return made, kept


def wrong(kept: Kept) -> set[tuple[str, Family]]:
    """The nodes and families of the last matrix that are not as they must be."""
    matrix, _ = kept.judged[-1]
    assert matrix.kind is MatrixKind.FELIX
    return {
        (o.flow.destination.node, o.flow.family)
        for o in matrix.observations()
        if not o.outcome.works
    }


def test_felix_that_follows_is_green() -> None:
    felixes = Felixes()
    made, kept = checks(felixes)
    made.must_follow()
    assert wrong(kept) == set()
    assert len(kept.judged[0][0].cells) == 4, "of each node and family"
    assert felixes.of["worker"].changes == 1


def out_of_sync(one: FelixOfNode) -> None:
    """It reads the datastore."""
    one.state = 2


def stuck(one: FelixOfNode) -> None:
    """It answers, and takes nothing over."""
    one.stuck = True


def idle(one: FelixOfNode) -> None:
    """It reads the datastore, and writes nothing."""
    one.idle = True


def failing(one: FelixOfNode) -> None:
    """It fails with every change."""
    one.fails = 99


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (out_of_sync, "Felix is not in sync: felix_resync_state is 2"),
        (stuck, "Felix took no update of the datastore in 0 s although a pod started there"),
        (idle, "Felix wrote nothing to its dataplane in 0 s although a pod started there"),
        (failing, "felix_int_dataplane_failures rose from 1 to 2"),
    ],
)
def test_a_felix_that_does_not_follow_is_red_over_both_families(
    broken: Callable[[FelixOfNode], None], words: str
) -> None:
    felixes = Felixes()
    broken(felixes.of["worker2"])
    made, kept = checks(felixes)
    with pytest.raises(VerdictError, match=words):
        made.must_follow()
    assert wrong(kept) == {("worker2", SIX), ("worker2", FOUR)}


def test_an_error_that_is_not_there_with_the_next_change_is_no_failure() -> None:
    """Felix tried again, as it must where others change rules at the same time."""
    felixes = Felixes()
    felixes.of["worker"].fails = 1
    made, kept = checks(felixes)
    made.must_follow()
    assert wrong(kept) == set()
    assert felixes.of["worker"].changes == 2


def test_a_felix_whose_metrics_cannot_be_read_is_not_measured() -> None:
    felixes = Felixes()
    felixes.of["worker"].gone = True
    made, kept = checks(felixes)
    with pytest.raises(NotMeasured, match="could not be asked"):
        made.must_follow()
    matrix, _ = kept.judged[0]
    assert {o.outcome for o in matrix.observations() if o.flow.source.node == "worker"} == {
        Outcome.UNKNOWN
    }


def test_metrics_over_either_family_do() -> None:
    felixes = Felixes()
    felixes.of["worker"].deaf = (FOUR,)
    made, kept = checks(felixes)
    made.must_follow()
    assert wrong(kept) == set()


def test_without_metrics_nothing_is_changed() -> None:
    felixes = Felixes()
    made, _ = checks(felixes, prometheusMetricsEnabled=False)
    with pytest.raises(NotAsked, match="metrics are off"):
        made.must_follow()
    assert felixes.of["worker"].changes == 0


@pytest.mark.parametrize("family", Family, ids=str)
def test_rules_where_they_are_to_be_are_green(family: Family) -> None:
    made, kept = checks(Felixes())
    made.must_have_rules(family)
    assert wrong(kept) == set()
    assert kept.judged[0][0].families() == (family,)


def test_a_node_without_rules_of_ipv6_is_red_in_ipv6_alone() -> None:
    felixes = Felixes()
    felixes.of["worker"].ipv6_rules = 0
    made, kept = checks(felixes)
    made.must_have_rules(FOUR)
    with pytest.raises(VerdictError, match="made no rule of IPv6"):
        made.must_have_rules(SIX)
    assert wrong(kept) == {("worker", SIX)}


def test_rules_in_the_other_backend_are_red() -> None:
    felixes = Felixes()
    felixes.of["worker"].rules = "nftables"
    made, kept = checks(felixes)
    with pytest.raises(VerdictError, match="wanted in iptables alone"):
        made.must_have_rules(FOUR)
    assert wrong(kept) == {("worker", FOUR)}


def test_the_ebpf_dataplane_has_programs_and_no_such_rules() -> None:
    felixes = Felixes()
    made, kept = checks(felixes, bpfEnabled=True)
    with pytest.raises(NotAsked, match="eBPF dataplane is on"):
        made.must_have_rules(SIX)
    made.must_have_programs()
    assert wrong(kept) == set()
    felixes.of["worker2"].ipv6_rules = 0
    with pytest.raises(VerdictError, match="no interface has a program"):
        made.must_have_programs()
    assert wrong(kept) == {("worker2", SIX), ("worker2", FOUR)}


def test_without_the_ebpf_dataplane_its_programs_are_not_asked_for() -> None:
    made, _ = checks(Felixes())
    with pytest.raises(NotAsked, match="eBPF dataplane is off"):
        made.must_have_programs()


def test_wireguard_of_both_families_is_green() -> None:
    made, kept = checks(Felixes(), **WIREGUARD)
    for family in Family:
        made.must_encrypt(family)
        assert wrong(kept) == set()


def test_wireguard_that_is_off_for_a_family_is_not_asked() -> None:
    made, _ = checks(Felixes(), wireguardEnabled=True)
    made.must_encrypt(FOUR)
    with pytest.raises(NotAsked, match="off for IPv6") as caught:
        made.must_encrypt(SIX)
    assert "wireguardEnabledV6" in caught.value.enable


def test_a_wireguard_device_that_is_down_is_red() -> None:
    felixes = Felixes()
    felixes.of["worker"].wireguard = False
    made, kept = checks(felixes, **WIREGUARD)
    with pytest.raises(VerdictError, match=r"wg-v6\.cali is down"):
        made.must_encrypt(SIX)
    assert wrong(kept) == {("worker", SIX)}


def test_a_node_that_cannot_be_asked_is_not_measured() -> None:
    felixes = Felixes()
    felixes.lost.add("host@worker2")
    made, _ = checks(felixes, **WIREGUARD)
    with pytest.raises(NotMeasured, match="could not be asked"):
        made.must_encrypt(SIX)


def test_a_node_that_reported_no_key_is_red() -> None:
    nodes = (KEYS[0], dataclasses.replace(KEYS[1], wireguard_keys=(FOUR,)))
    made, kept = checks(Felixes(), nodes, **WIREGUARD)
    made.must_encrypt(FOUR)
    with pytest.raises(VerdictError, match="no WireGuard key for IPv6"):
        made.must_encrypt(SIX)
    assert wrong(kept) == {("worker2", SIX)}
