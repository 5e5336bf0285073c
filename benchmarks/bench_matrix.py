"""The full mesh through agents, against one fresh exec per cell.

Peers start a command in a pod for every cell. Here both ways measure the same cells of the same
pods in one run: the whole mesh through the agents, and a sample through fresh execs, scaled up.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import random
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import testbed
from sixproof.agent import protocol
from sixproof.agent.wire import Seal
from sixproof.kube.api.client import Cluster
from sixproof.kube.channel import exec_stream
from sixproof.kube.channel.agents import Agents
from sixproof.kube.channel.channel import STDOUT
from sixproof.kube.facts import discovery
from sixproof.kube.runs import cleanup
from sixproof.model import Flow, Outcome
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.workloads.probe_pods import deploy, placement, probe_pod
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.topology import ProbeTopology, flows

ONE_CELL = """
import socket, sys
kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "TCP" else socket.SOCK_DGRAM)
s.settimeout(3)
s.connect((address, port))
s.send(sys.argv[4].encode() + b"\\n")
print("ok" if s.recv(500).startswith(b"SIX1 benchmark1 ok") else "bad")
"""
PARALLEL = 8


@contextmanager
def topology_on_the_bed() -> Iterator[tuple[Cluster, ProbeTopology, dict[str, float]]]:
    """Nine pods on three nodes, and the seconds that their parts took."""
    bed = testbed.describe()
    took: dict[str, float] = {}
    begun = time.perf_counter()
    with Cluster.connect(bed.kubeconfig, bed.context) as cluster:
        took["connect"] = time.perf_counter() - begun
        facts = discovery.discover(cluster)
        took["discover"] = time.perf_counter() - begun - took["connect"]
        run, where = Run.new(), placement.choose(facts)
        wanted = deploy.plan(run, where, probe_pod.PodOptions(bed.probe_image))
        try:
            begun = time.perf_counter()
            deploy.open_namespaces(cluster, wanted)
            topology = deploy.fill(cluster, run, wanted, where, timeout=120, progress=print)
            took["probe pods"] = time.perf_counter() - begun
            yield cluster, topology, took
        finally:
            cleanup.sweep(cluster, run.id)


def through_agents(agents: Agents, cells: tuple[Flow, ...], rounds: int) -> list[float]:
    """Seconds of wall time of each round over all cells; every cell must be allowed."""
    probe, times = ConnectProbe(agents), []
    for _ in range(rounds):
        begun = time.perf_counter()
        seen = probe.measure(cells, ProbeOptions(timeout=3))
        times.append(time.perf_counter() - begun)
        wrong = [o for o in seen if o.outcome is not Outcome.ALLOWED]
        assert not wrong, f"{len(wrong)} cells are not allowed: {wrong[0]}"
    return times


def through_exec(cluster: Cluster, seal: Seal, flow: Flow) -> float:
    """Seconds of one cell through a fresh exec."""
    line = seal.line("benchmark1", 0, 0).decode().strip()
    words = [flow.protocol.value, str(flow.address), str(flow.port), line]
    command = ["python3", "-I", "-S", "-c", ONE_CELL, *words]
    opened = exec_stream.opener(cluster, probe_pod.CONTAINER, command)
    begun = time.perf_counter()
    stream = opened(flow.source.namespace, flow.source.pod)
    said = b""
    while stream.is_open() and b"\n" not in said:
        stream.update(timeout=5)
        said += stream.read_channel(STDOUT)
    stream.close()
    took = time.perf_counter() - begun
    assert said.strip() == b"ok", f"{flow}: {said!r}"
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=60, help="cells to measure by exec")
    parser.add_argument("--rounds", type=int, default=10, help="rounds over all cells")
    options = parser.parse_args()
    with topology_on_the_bed() as (cluster, topology, took):
        agents = Agents(
            exec_stream.opener(cluster, probe_pod.CONTAINER, probe_pod.BRIDGE),
            topology.run.seal.mark,
        )
        try:
            begun = time.perf_counter()
            agents.open(topology.pods)
            took["channels"] = time.perf_counter() - begun
            compare(cluster, topology, agents, options)
            memory(topology, agents)
        finally:
            agents.close()
    print("set-up: " + ", ".join(f"{what} {seconds:.2f} s" for what, seconds in took.items()))


def compare(
    cluster: Cluster, topology: ProbeTopology, agents: Agents, options: argparse.Namespace
) -> None:
    """The probe topology both ways."""
    cells = flows(topology.pods, topology.pods, topology.families())
    first, *warm = through_agents(agents, cells, options.rounds)
    best, median = min(warm), statistics.median(warm)
    sample = random.Random(6).sample(cells, options.sample)
    one = functools.partial(through_exec, cluster, topology.run.seal)
    alone = [one(flow) for flow in sample]
    scaled = statistics.mean(alone) * len(cells)
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(one, sample))
    side_by_side = (time.perf_counter() - begun) / len(sample) * len(cells)
    print(
        f"{len(cells)} cells through agents: first {first:.2f} s (channels new), then median "
        f"{median:.3f} s, best {best:.3f} s, worst {max(warm):.3f} s of {len(warm)} rounds"
    )
    print(
        f"one fresh exec per cell: {statistics.mean(alone):.3f} s each ({len(sample)} sampled), "
        f"{scaled:.0f} s for all, {scaled / median:.0f} times as long"
    )
    print(f"{PARALLEL} execs at a time: {side_by_side:.0f} s for all, "
          f"{side_by_side / median:.0f} times as long")  # fmt: skip


def memory(topology: ProbeTopology, agents: Agents) -> None:
    """What agents and this runner hold."""
    asked = [agents.ask(p, protocol.Hello(), protocol.Welcome, 30) for p in topology.pods]
    peak = max(a.result().rss_kib for a in asked) / 1024
    runner = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory: largest agent {peak:.1f} MiB at its peak, this runner {runner:.1f} MiB")


if __name__ == "__main__":
    main()
