"""From `pytest` to the first verdict, with the bed warm, and what the time consists of."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEST = "suites/pods/test_reachability.py::test_pods_reach_pods_on_other_nodes[IPv6-TCP]"


def main() -> None:
    """Run one test and stop the clock when its verdict is printed."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pytest", TEST, "-v", "--six-provider", "kind"]
        command += ["--six-report-dir", directory, "-p", "no:cacheprovider"]
        begun = time.perf_counter()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        verdict = 0.0
        said = b""
        while piece := os.read(process.stdout.fileno(), 4096):  # a verdict ends no line
            said += piece
            if re.search(rb"PASSED|FAILED|ERROR", said) and not verdict:
                verdict = time.perf_counter() - begun
        process.wait()
        total = time.perf_counter() - begun
        text = (Path(directory) / "results.json").read_text(encoding="utf-8")
    parts = re.findall(r'"Seconds to ([a-z ]+)":\s*"([0-9.]+)"', text)
    print(f"first verdict after {verdict:.1f} s, the whole run with clean-up {total:.1f} s")
    print("of which: " + ", ".join(f"{what} {seconds} s" for what, seconds in parts))


if __name__ == "__main__":
    main()
