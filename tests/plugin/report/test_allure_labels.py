"""Where tests stand in Allure's tree, also those that a mark skips."""

from __future__ import annotations

import json

import pytest

from tests.unit.kube.server import FakeApi, kubeconfig, serve

SKIPPED = '''
import pytest
pytestmark = pytest.mark.feature("Preflight")

@pytest.mark.story("random policies")
@pytest.mark.skip(reason="none is asked for")
@pytest.mark.parametrize("number", [0])
def test_skipped(number):
    """Never runs."""
'''


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "xdist"])
def test_a_test_that_a_mark_skips_has_its_place(
    project: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """Feature and story are set before the skip; a blocked run shows it, for it keeps preflight."""
    path = project.path / "suites/preflight/test_skipped.py"
    path.write_text(SKIPPED, encoding="utf-8")
    with serve(FakeApi()) as url:
        config = kubeconfig(project.path / "kubeconfig", url)
        result = project.runpytest_subprocess(
            *("suites", "--six-kubeconfig", str(config), "--alluredir", "allure", *workers)
        )
    assert result.ret == 1
    read = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in (project.path / "allure").glob("*-result.json")
    ]
    (skipped,) = [r for r in read if "test_skipped" in r["name"] or "test_skipped" in r["fullName"]]
    assert skipped["status"] == "skipped"
    labels = {label["name"]: label["value"] for label in skipped["labels"]}
    assert (labels.get("feature"), labels.get("story")) == ("Preflight", "random policies")
