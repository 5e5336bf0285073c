import re
import shutil
from pathlib import Path

import pytest

from testbed.build import gobuild, recipes
from testbed.build.gobuild import Module
from testbed.errors import BedError

MODULES = [gobuild.KUBERNETES, gobuild.CALICO]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the module folders that a test may change."""
    target = tmp_path / "modules"
    shutil.copytree(gobuild.MODULES, target)
    monkeypatch.setattr(gobuild, "MODULES", target)
    return target


def test_a_key_names_the_sources_the_flags_and_the_tool_chain(copied: Path) -> None:
    module = gobuild.KUBERNETES
    before = gobuild.key(module, "go1.25.0")
    assert gobuild.key(module, "go1.25.0") == before
    assert gobuild.key(module, "go1.26.0") != before
    other = Module(module.name, module.targets, module.programs, flags="-s")
    assert gobuild.key(other, "go1.25.0") != before
    (copied / "kubernetes" / "cmd" / "kube" / "main.go").write_text("package main\n")
    assert gobuild.key(module, "go1.25.0") != before


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_requirement_is_pinned_with_its_checksum(module: Module) -> None:
    text = (module.folder / "go.mod").read_text()
    sums = (module.folder / "go.sum").read_text()
    required = re.findall(r"^\t(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE)
    replaced = set(re.findall(r"^\t(\S+)(?: v\S+)? => ", text, re.MULTILINE))
    unsummed = [
        f"{name} {version}"
        for name, version in required
        if name not in replaced and f"{name} {version}/go.mod h1:" not in sums
    ]
    assert len(required) > 50
    assert unsummed == []


def test_versions_in_words_are_those_of_the_modules() -> None:
    text = (gobuild.KUBERNETES.folder / "go.mod").read_text()
    assert f"k8s.io/kubernetes {gobuild.KUBERNETES_VERSION}" in text
    assert f"go.etcd.io/etcd/server/v3 v{gobuild.ETCD_VERSION}" in text
    assert f"github.com/coredns/coredns {gobuild.COREDNS_VERSION}" in text
    assert f"gitVersion={gobuild.KUBERNETES_VERSION}" in gobuild.KUBERNETES.flags
    assert f"Version={gobuild.CALICO_VERSION}" in gobuild.CALICO.flags


def test_the_combined_program_answers_to_every_name_that_images_use() -> None:
    source = (gobuild.KUBERNETES.folder / "cmd" / "kube" / "main.go").read_text()
    missing = [name for name in recipes.KUBERNETES_PROGRAMS if f'"{name}"' not in source]
    assert missing == []


def test_a_finished_build_is_not_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gobuild, "go_version", lambda: "go1.25.0")
    done = tmp_path / f"runtime-{gobuild.key(gobuild.RUNTIME, 'go1.25.0')}"
    done.mkdir()
    (done / "runtime").touch()
    said: list[str] = []
    assert gobuild.build(gobuild.RUNTIME, tmp_path, said.append) == done
    assert said == []


def test_on_a_machine_without_go_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BedError, match="Go tool chain") as caught:
        gobuild.go_version()
    assert "install Go" in caught.value.remedy


def test_a_failing_build_shows_its_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.host.command.environment", lambda _: {"PATH": "/usr/bin:/bin"})
    with pytest.raises(BedError, match=r"status 3.*\n.*undefined: x"):
        list(gobuild._lines(["sh", "-c", "echo a; echo undefined: x; exit 3"], gobuild.RUNTIME, {}))
