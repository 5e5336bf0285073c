"""Path results: what one path promises, and what happened to packets on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from sixproof.agent import protocol
from sixproof.model import Endpoint, Family, Flow
from sixproof.probes.pmtu.path import Path


@dataclasses.dataclass(frozen=True, slots=True)
class PathResult:
    """One ordered pair over one family: what its path promises, and what happened to packets.

    `first` fills the promise, with DF, before anything else was sent; `small` and `beyond` (one
    byte more) follow it. `pattern` are datagrams of the source's own MTU from a plain socket,
    `fragments` one that must be fragmented. `learnt` are routes that a Packet Too Big changed, by
    the endpoint that has them. `back` is what the reverse path promises. `lost` are the sizes of
    datagrams that were lost by chance: sent again, they passed, and count as passed. `stalled` says
    that an agent stood still during the pattern, and may not have seen what the kernel reported.
    """

    flow: Flow
    path: Path
    first: protocol.Sized
    small: protocol.Sized
    beyond: protocol.Sized
    pattern: tuple[protocol.Sized, ...]
    fragments: protocol.Sized
    bulk: protocol.Bulk
    learnt: tuple[tuple[str, protocol.RouteSeen], ...] = ()
    lag: float = 0.0
    back: int | None = None
    lost: tuple[int, ...] = ()
    stalled: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        """The names of source and destination."""
        return self.flow.source.name, self.flow.destination.name

    @property
    def name(self) -> str:
        """``a@worker -> a@worker2 over IPv6``."""
        return f"{self.flow.source.name} -> {self.flow.destination.name} over {self.flow.family}"


@dataclasses.dataclass(frozen=True, slots=True)
class PathRun:
    """Everything measured at once, and how the counters of each agent's kernel moved meanwhile."""

    path_results: tuple[PathResult, ...]
    inspected: Mapping[str, protocol.Inspected]
    nodes: Mapping[str, Endpoint]
    counted: Mapping[str, Mapping[str, int]]

    def over(self, family: Family) -> tuple[PathResult, ...]:
        """The paths of a family."""
        return tuple(p for p in self.path_results if p.flow.family is family)

    def back(self, path_result: PathResult) -> PathResult:
        """The path of the same pair the other way, itself where that was not measured."""
        flow = path_result.flow
        wanted = (flow.destination.name, flow.source.name)
        ways = [p for p in self.over(flow.family) if p.ends == wanted]
        return ways[0] if ways else path_result
