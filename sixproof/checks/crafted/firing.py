"""Fires crafted packets, those again that could not be measured, with more patience."""

from __future__ import annotations

from collections.abc import Iterable

from sixproof.checks.crafted.crafted_results import PacketSource
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.crafted.probe import CraftedBatch, CraftedResult, CraftedStatus
from sixproof.reporting.allure import steps

MORE_PATIENCE = 3
"""How many times as long the second try waits."""


def fire(
    loads: Iterable[PacketSource], agents: AgentClient, silence: float
) -> tuple[CraftedResult, ...]:
    """What became of every load of packets: one load after the other, since a capture holds so many
    packets and no more. `silence` seconds pass after the last packet of each.

    Raises:
        InfrastructureError: an agent is lost.
    """
    results: list[CraftedResult] = []
    for load in loads:
        if not (packets := tuple(load())):
            continue
        with steps.step(f"When {len(packets)} crafted datagrams are fired"):
            fired = CraftedBatch(agents, silence).fire(packets)
        if any(result.fate is CraftedStatus.UNKNOWN for result in fired):
            with steps.step("When they are fired again, for some could not be measured"):
                fired = CraftedBatch(agents, MORE_PATIENCE * silence).fire(tuple(load()))
        results += fired
    return tuple(results)
