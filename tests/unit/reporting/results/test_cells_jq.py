"""cells.jq makes of results.json what Python reads of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sixproof.reporting.results import report_files
from sixproof.reporting.results.matrices.measured import Measured
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import RunRecord
from tests.unit import recorded

WHERE = Path(report_files.__file__).parent


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed on this machine")
def test_cells_are_as_they_were_measured(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    Results(RunRecord("six-1"), matrices=(recorded.JUDGED, Measured(recorded.MATRIX))).write(path)
    program = (
        'include "cells"; [cells | [.title, .source, .destination, .outcome, .reason, .nonce]]'
    )
    command = ["jq", "-c", "-L", str(WHERE), program, str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    assert found == 2 * [
        [
            recorded.MATRIX.title,
            seen.flow.source.name,
            seen.flow.destination.name,
            seen.outcome.value,
            seen.reason,
            seen.nonce or None,
        ]
        for seen in recorded.OBSERVATIONS
    ]
