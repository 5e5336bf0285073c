"""Policy steps over 9 x 9 pods, two families, TCP and UDP on two ports: 648 cells.

A step is: change policies, rounds of sampled flows until they agree, one patient round of all
cells, compare. Ten steps are a sequence; no cell may end up other than the oracle says.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence

import testbed
from benchmarks.bench_matrix import topology_on_the_bed
from fixtures.policy import case
from sixproof.agent import protocol
from sixproof.checks.policy.measuring import Measuring
from sixproof.kube.api.client import Cluster
from sixproof.kube.channel import exec_stream
from sixproof.kube.channel.agents import Agents
from sixproof.model import Expectation, Flow, Timing
from sixproof.policy import CALICO_3_31, ClusterSnapshot, Oracle
from sixproof.probes.connect.probe import ConnectProbe
from sixproof.workloads.policy import policy_namespaces as building
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.policy.policy_namespaces import PolicyNamespaces
from sixproof.workloads.probe_pods import probe_pod
from sixproof.workloads.probe_pods.ports import POD_PORTS
from sixproof.workloads.probe_pods.topology import flows

USUAL = Timing()
DENY, PATIENCE, FOLLOW = USUAL.deny, USUAL.connect, USUAL.settle

SEQUENCE = (
    ("16-from-web",),
    ("46-from-api",),
    ("24-udp-only",),
    ("04-deny-both",),
    (),
    ("10-allowed-out-denied-in",),
    ("10-allowed-out-denied-in", "09-union"),
    ("09-union",),
    (),
    ("54-selector",),
)
"""The cases that stand after each step."""


class PolicyBench:
    """Changes policies and follows each change to its end."""

    def __init__(
        self, cluster: Cluster, policy_namespaces: PolicyNamespaces, probe: ConnectProbe
    ) -> None:
        self._cluster = cluster
        self._namespaces = policy_namespaces
        self._measuring = Measuring(probe, DENY, PATIENCE, FOLLOW)
        self._snapshot = ClusterSnapshot.of(
            policy_namespaces.namespace_labels(), endpoints=policy_namespaces.pods
        )
        self._standing: dict[tuple[str, ...], Manifest] = {}
        self.cells = flows(
            policy_namespaces.pods, policy_namespaces.pods, policy_namespaces.families(), POD_PORTS
        )
        self._before: Mapping[Flow, Expectation] = {}
        self.took: list[float] = []
        self.shown: list[float] = []
        self.closed: list[float] = []
        self.wrong: list[str] = []

    def step(self, names: Sequence[str]) -> None:
        """Let these cases stand, and no others."""
        values = {"namespaces": self._namespaces.id, **self._namespaces.homes}
        made = [m for name in names for m in case(name).manifests(self._namespaces, values)]
        oracle = Oracle.of(made, self._snapshot, CALICO_3_31)
        expected = {flow: oracle.judge(flow).expectation() for flow in self.cells}
        began = time.monotonic()
        self._change({_key(m): m for m in made})
        done = self._measuring.follow(expected, self._before, began)
        self._before = expected
        wrong = [o for o in done.observations if o.outcome not in expected[o.flow].outcomes]
        took = time.monotonic() - began
        shown = max(done.seconds.values(), default=FOLLOW)
        self.took.append(took)
        self.shown.append(shown)
        if names:
            self.closed.append(took / (shown + DENY))
        self.wrong += [f"{names}: {o.flow}: {o.outcome} ({o.reason})" for o in wrong]

    def _change(self, wanted: Mapping[tuple[str, ...], Manifest]) -> None:
        for manifest in wanted.values():
            self._cluster.apply(manifest)
        for key in self._standing.keys() - wanted.keys():
            kind, name, namespace = self._cluster.catalog.place(self._standing[key])
            self._cluster.delete(kind, name, namespace)
        self._standing = dict(wanted)


def _key(manifest: Manifest) -> tuple[str, ...]:
    meta = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], meta.get("namespace", ""), meta["name"]


def report(bench: PolicyBench) -> None:
    """Print what was measured so far."""
    steps, cells = len(bench.took), len(bench.cells)
    print(f"{steps} steps of {cells} cells: {_spread(bench.took)}; shown {_spread(bench.shown)}")
    ratio = statistics.median(bench.closed)
    print(f"{len(bench.closed)} that deny something: {ratio:.2f} times (shown + {DENY} s)")
    print(f"{len(bench.wrong)} wrong verdicts of {steps * cells}", flush=True)
    for line in bench.wrong[:20]:
        print(f"  {line}")


def _spread(seconds: Sequence[float]) -> str:
    return f"median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s"


def main() -> None:
    """Build policy namespaces on the bed and measure steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    with topology_on_the_bed() as (cluster, topology, _):
        opened = exec_stream.opener(cluster, probe_pod.CONTAINER, probe_pod.BRIDGE)
        agents = Agents(opened, topology.run.seal.mark)
        try:
            options = probe_pod.PodOptions(testbed.describe().probe_image)
            policy_namespaces = building.build(
                cluster, topology.run, "bench", topology.nodes, (), options, 120
            )
            agents.open(policy_namespaces.pods)
            for pod in policy_namespaces.pods:
                agents.ask(pod, protocol.Inspect(), protocol.Inspected, 30).result()
            bench = PolicyBench(cluster, policy_namespaces, ConnectProbe(agents))
            for _ in range(times):
                for names in SEQUENCE:
                    bench.step(names)
                report(bench)
        finally:
            agents.close()


if __name__ == "__main__":
    main()
