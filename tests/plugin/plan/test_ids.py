"""What tests are called: a word that a shell takes as one."""

from __future__ import annotations

import subprocess
import sys

from tests.plugin.conftest import ROOT


def test_no_id_of_the_suites_holds_a_blank() -> None:
    """An id is copied from a report to the command line without a quote."""
    command = ["-m", "pytest", "suites", "--collect-only", "-q", "-p", "no:cacheprovider"]
    listed = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    ids = [line for line in listed.stdout.splitlines() if "::" in line]
    assert ids
    assert [line for line in ids if " " in line] == []
