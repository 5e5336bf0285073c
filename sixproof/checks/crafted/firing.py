"""What is sent to targets: packets of every shape, load after load."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sixproof.checks.crafted.crafted_results import DENIED, FULL, ROUTE
from sixproof.model import Endpoint, Family, Protocol
from sixproof.probes.connect.probe import AgentClient
from sixproof.probes.crafted import shapes
from sixproof.probes.crafted.probe import (
    CraftedBatch,
    CraftedPacket,
    CraftedResult,
    CraftedStatus,
    CraftedTarget,
)
from sixproof.reporting.allure import steps
from sixproof.workloads.probe_pods.ports import UDP, PortSpec

SHUT = PortSpec(Protocol.UDP, 8081)
PacketSource = Callable[[], Iterable[CraftedPacket]]


def at(
    targets: Iterable[CraftedTarget], way: str, widths: Mapping[str, int]
) -> Iterator[CraftedPacket]:
    """Every shape, to each target by one way; `widths` are the MTUs of the pods that send, in
    bytes, by their names."""
    return (packet for target in targets for packet in _crafted_packets(target, way, widths))


def _crafted_packets(
    target: CraftedTarget, way: str, widths: Mapping[str, int]
) -> Iterator[CraftedPacket]:
    yield shapes.baseline(target, way)
    yield from shapes.fragmented(target, way)
    yield from shapes.behind_headers(target, way)
    yield shapes.full_size(target, widths[target.source.name], FULL + way)


def source_routed(
    targets: Iterable[CraftedTarget], pods: Sequence[Endpoint]
) -> Iterator[CraftedPacket]:
    """By way of the server to a third pod, where there is one, and their baselines."""
    for target in targets:
        others = [p for p in pods if p not in (target.source, target.server)]
        if others and target.family is Family.IPV6:
            beyond = others[0].address(target.family)
            yield shapes.baseline(target, ROUTE)
            if beyond is not None:
                yield shapes.baseline(
                    dataclasses.replace(target, server=others[0], address=beyond), ROUTE
                )
            yield from shapes.source_routed(target, others[0], ROUTE)


def forbidden(
    targets: Iterable[CraftedTarget], pods: Sequence[Endpoint]
) -> Iterator[CraftedPacket]:
    """To the guarded pod beside each server: its open port is the baseline of its closed one."""
    beside = {pod.node: pod for pod in pods}
    for target in targets:
        server = beside[target.server.node]
        address = server.address(target.family)
        if address is None:
            continue
        opened = CraftedTarget(target.source, server, address, UDP.port or 0, target.seal)
        shut = dataclasses.replace(opened, port=SHUT.port or 0)
        yield shapes.baseline(opened, DENIED)
        yield from shapes.forbidden(shut, opened, DENIED)


MORE_PATIENCE = 3
"""How many times as long the second try waits."""


def fire(
    loads: Iterable[PacketSource], agents: AgentClient, silence: float
) -> tuple[CraftedResult, ...]:
    """The outcome of every load of packets: one load after the other, since a capture holds a
    limited number of packets. `silence` seconds pass after the last packet of each.

    Raises:
        InfrastructureError: an agent is lost.
    """
    results: list[CraftedResult] = []
    for load in loads:
        if not (packets := tuple(load())):
            continue
        with steps.step(f"When {len(packets)} crafted datagrams are fired"):
            fired = CraftedBatch(agents, silence).fire(packets)
        if any(result.status is CraftedStatus.UNKNOWN for result in fired):
            with steps.step("When they are fired again, for some could not be measured"):
                fired = CraftedBatch(agents, MORE_PATIENCE * silence).fire(tuple(load()))
        results += fired
    return tuple(results)
