import json
import tarfile
from pathlib import Path

import pytest

from testbed.build import add_ons, gobuild
from testbed.build.images import Supply
from testbed.build.registry import Mode
from testbed.host.paths import Cache
from tests.unit.testbed.test_teardown import FakeEngine


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """One in which MetalLB is built already."""
    made = Cache(tmp_path / "sixproof")
    made.prepare()
    programs = tmp_path / "metallb"
    programs.mkdir()
    for name in gobuild.METALLB.programs:
        (programs / name).write_text(name)
    monkeypatch.setattr(gobuild, "build", lambda *_: programs)
    return made


def test_both_programs_have_an_image_by_the_name_in_the_manifest(cache: Cache) -> None:
    """The same archive once it is written."""
    path = add_ons.metallb(cache, lambda _: None)
    with tarfile.open(path) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert [tag for image in manifest for tag in image["RepoTags"]] == [
        f"quay.io/metallb/{name}:{gobuild.METALLB_VERSION}" for name in ("controller", "speaker")
    ]
    written = path.stat().st_mtime_ns
    assert add_ons.metallb(cache, lambda _: None) == path
    assert path.stat().st_mtime_ns == written


def test_a_cluster_made_of_other_archives_is_another_one(tmp_path: Path) -> None:
    def supply(*archives: Path) -> Supply:
        return Supply(
            Mode.BUILD, FakeEngine({}), tmp_path, "node:1", "python:3", {}, archives=archives
        )

    assert supply().made_of == "node:1"
    assert supply(tmp_path / "a.tar").made_of == "node:1 a"


def test_the_sums_are_those_of_the_pinned_version() -> None:
    """What is built is what the manifest names."""
    text = (gobuild.METALLB.folder / "go.mod").read_text()
    assert f"{gobuild.METALLB_MODULE} {gobuild.METALLB_VERSION}" in text
