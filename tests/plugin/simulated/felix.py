"""Felix of every node of a simulated cluster: its health, its metrics, and what it takes over."""

from __future__ import annotations

from tests.plugin.simulated.objects import Objects

_PORTS = {9099: ("/liveness", "/readiness"), 9091: ("/metrics",)}


class Felix:
    """All of them. `deaf` are nodes and families over which one answers nobody, `stuck` the nodes
    on which one takes nothing over any more, `bare` nodes and families without rules."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.deaf: set[tuple[str, str]] = set()
        self.stuck: set[str] = set()
        self.bare: set[tuple[str, str]] = set()

    def says(self, node: str, family: str, port: int, path: str) -> tuple[int, str] | None:
        """The status and the page of a node's Felix; None where it answers nobody."""
        if (node, family) in self.deaf:
            return None
        if path not in _PORTS.get(port, ()):
            return 404, "404 page not found"
        return 200, self._metrics(node) if path == "/metrics" else ""

    def _metrics(self, node: str) -> str:
        updates = 0 if node in self.stuck else self._objects.changes
        rules = "".join(
            f'felix_iptables_rules{{ip_version="{family[-1]}",table="filter"}} '
            f"{0 if (node, family) in self.bare else 200}\n"
            for family in ("IPv4", "IPv6")
        )
        return (
            "# TYPE felix_resync_state gauge\nfelix_resync_state 3\n"
            f'felix_calc_graph_updates_processed{{type="PolicyKey"}} {updates}\n{rules}'
            f"felix_int_dataplane_apply_time_seconds_count {updates}\n"
            "process_start_time_seconds 1.7e+09\n"
        )
