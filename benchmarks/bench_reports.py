"""How large results.json of a run of all suites is, and what putting its reports together takes.

Run with ``python -m benchmarks reports`` from the checkout; it needs no cluster. The run is made
up: as many matrices and cells as all suites have on the test bed, with times, nonces and ports that
differ from cell to cell as measured ones do. Time is CPU time; memory is the peak of a process that
does nothing else.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sixproof.model import (
    Endpoint,
    EndpointKind,
    Expectation,
    Family,
    Flow,
    Matrix,
    Observation,
    Outcome,
    Protocol,
    edge_of,
)
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.part_files import PartFiles, PartWriter
from sixproof.reporting.results.report_files import RESULTS, write_bundle
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import Case, CaseOutcome, RunRecord

MATRICES, CELLS = 418, 193_000
"""Of a run of all suites on the test bed (2026-11)."""
PORTS = ((Protocol.TCP, 8080), (Protocol.TCP, 8081), (Protocol.UDP, 8080), (Protocol.UDP, 8081))
MIB = 1 << 20


def pods() -> list[Endpoint]:
    """Three pods on each of three nodes, over both families."""
    return [
        Endpoint(
            f"{'abc'[n % 3]}@six-worker{n // 3}",
            EndpointKind.POD,
            (ipaddress.ip_address(f"10.244.0.{n + 1}"), ipaddress.ip_address(f"fd00:244::{n + 1}")),
            namespace=f"six-0123ab-{'abc'[n % 3]}",
            pod=f"{'abc'[n % 3]}-six-worker{n // 3}",
            node=f"six-worker{n // 3}",
            labels=(("app.kubernetes.io/managed-by", "sixproof"), ("sixproof.dev/run", "0123ab")),
        )
        for n in range(9)
    ]


def measured(number: int, cells: int, chance: random.Random) -> Measured:
    """A matrix in which a policy denies some pods what the others may do."""
    ends = pods()
    flows = [
        Flow(source, destination, address, protocol, port)
        for source in ends
        for destination in ends
        for address in destination.addresses
        for protocol, port in PORTS
    ][:cells]
    seen, expected = [], {}
    for flow in flows:
        denied = (len(flow.destination.name) + ends.index(flow.destination) + number) % 4 == 0
        policy = f"policy-{number}"
        wanted = (
            Expectation(frozenset({Outcome.DROPPED}), f"{policy} denies {flow.source.name}", True)
            if denied
            else Expectation.allowed(f"{policy} admits {flow.source.name}", by_policy=True)
        )
        family = Family.of(flow.address)
        expected[family, edge_of(flow)] = wanted
        latency = None if denied else chance.expovariate(200)
        seen.append(
            Observation(
                flow,
                Outcome.DROPPED if denied else Outcome.ALLOWED,
                "no arrival at the server" if denied else "",
                waited=1.2 if latency is None else latency + chance.expovariate(2000),
                latency=latency,
                peer_saw=None if denied else flow.source.address(family),
                peer_port=None if denied else chance.randrange(32768, 61000),
                answered_by="" if denied else flow.destination.pod,
                arrived=not denied,
                nonce=f"{chance.getrandbits(64):016x}",
            )
        )
    return Measured(Matrix.of(f"matrix {number}", seen), expected, f"suites/x/t.py::t{number}")


def leave(directory: Path) -> int:
    """The part files of two workers; how many cells they hold."""
    chance = random.Random(1)
    count = 0
    for number in range(MATRICES):
        writer = PartWriter(directory, f"gw{number % 2}")
        one = measured(number, min(648, (CELLS - count) // (MATRICES - number) + 1), chance)
        count += len(one.matrix.cells)
        writer.write(one)
        writer.write(Case(one.test, CaseOutcome.PASSED, 1.0))
    return count


def assemble(directory: Path) -> None:
    """Put reports together as the controller does, and print what that took."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    parts = PartFiles.read(directory / "parts")
    read = time.process_time()
    write_bundle(directory, Results.of(RunRecord("bench"), parts))
    written = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([read - begun, written - read, before * 1024, peak * 1024]))


def main() -> None:
    """Measure in processes of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        cells = leave(home / "parts")
        command = [sys.executable, "-m", "benchmarks.bench_reports", scratch]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        reading, writing, before, peak = json.loads(done.stdout.splitlines()[-1])
        parts = sum(path.stat().st_size for path in (home / "parts").iterdir())
        text = (home / RESULTS).read_bytes()
        print(f"{MATRICES} matrices, {cells} cells; part files {parts / 1e6:.1f} MB")
        print(
            f"results.json {len(text) / 1e6:.1f} MB ({len(text) / cells:.0f} bytes a cell), "
            f"compressed {len(gzip.compress(text)) / 1e6:.1f} MB"
        )
        print(
            f"put together in {reading + writing:.1f} s of CPU time: parts read {reading:.1f} s, "
            f"reports written {writing:.1f} s; peak {peak / MIB:.0f} MiB, of which "
            f"{before / MIB:.0f} MiB before it"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        assemble(Path(sys.argv[1]))
    else:
        main()
