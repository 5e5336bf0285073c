"""What `suites/every_node` costs on clusters of 10 to 1 000 nodes, and that it finds a dead node.

Run with ``python -m benchmarks scale`` from the checkout, with other numbers of nodes in
BENCH_NODES; it needs no cluster. API server and agents are simulated in this process, the run is
one of its own: its time is wall time with the simulation beside it on the same cores, its CPU time
and memory are its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.plugin.simulated.cluster import SimulatedCluster
from tests.plugin.simulated.network import Sent
from tests.plugin.simulated.objects import Manifest
from tests.unit.kube.server import Seen, kubeconfig, serve

ROOT = Path(__file__).parents[1]
NODES = tuple(map(int, os.environ.get("BENCH_NODES", "10,100,1000").split(",")))
ZONES = 3
HEADINGS = ("nodes", "red", "time", "CPU", "memory", "cells", "exec streams", "API requests")


class Counted(SimulatedCluster):
    """One that counts the exec streams that were opened."""

    streams = 0

    def upgrade(self, seen: Seen, handler: BaseHTTPRequestHandler) -> None:
        """An exec stream into a pod."""
        self.streams += 1
        super().upgrade(seen, handler)


def dead(node: str, sent: Sent, by: Manifest) -> bool:
    """Whether the network loses this: all that comes to pods of a node over IPv6 from others."""
    home = sent.source["spec"]["nodeName"]
    return sent.family == "IPv6" and by["spec"]["nodeName"] == node != home


def measure(nodes: int, broken: str = "") -> str:
    """One run; `broken` is a node to whose pods nothing comes over IPv6."""
    cluster = Counted(nodes, ZONES)
    cluster.network.enforces = False  # there is no policy; it would be looked for at every flow
    if broken:
        cluster.network.faults.append(lambda sent, by: dead(broken, sent, by))
    with tempfile.TemporaryDirectory() as name, serve(cluster) as url:
        home = Path(name)
        command = [sys.executable, "-m", "pytest", str(ROOT / "suites/every_node"), "-q"]
        command += ["--six-kubeconfig", str(kubeconfig(home / "kubeconfig", url))]
        command += ["--six-nodes", "1", "--six-further-nodes", "all", "--six-raw", "off"]
        command += ["-p", "no:cacheprovider", "--six-report-dir", str(home / "report")]
        begun = time.perf_counter()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (home / "said").open("wb") as said:
            run = subprocess.Popen(
                command, cwd=home, env=environment, stdout=said, stderr=subprocess.STDOUT
            )
            _, ended, used = os.wait4(run.pid, 0)
        took = time.perf_counter() - begun
        text = (home / "said").read_text(encoding="utf-8")
        status = os.waitstatus_to_exitcode(ended)
        if status != bool(broken) or broken not in text:
            raise RuntimeError(
                f"{nodes} nodes, {broken or 'healthy'}: status {status}\n{text[-3000:]}"
            )
        results = json.loads((home / "report/results.json").read_text(encoding="utf-8"))
    row = (
        nodes,
        Counter(case["outcome"] for case in results["tests"])["failed"],
        f"{took:.1f} s",
        f"{used.ru_utime + used.ru_stime:.1f} s",
        f"{used.ru_maxrss // 1024} MiB",
        sum(len(matrix["cells"]["source"]) for matrix in results["matrices"]),
        cluster.streams,
        len(cluster.seen),
    )
    return "| " + " | ".join(map(str, row)) + " |"


def main() -> None:
    """Healthy runs, each in a process of its own, and one with a broken node for each."""
    print("| " + " | ".join(HEADINGS) + " |")
    for nodes in NODES:
        print(measure(nodes), flush=True)
        print(measure(nodes, f"six-more{nodes - 1}"), flush=True)


if __name__ == "__main__":
    main()
