import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from testbed.build import archive
from testbed.build.archive import ArchiveEntry, Image


def layer(tmp_path: Path, name: str, *entries: ArchiveEntry) -> Path:
    return archive.write_layer(tmp_path / f"{name}.tar", entries)


def test_a_layer_holds_files_links_and_folders_as_asked(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    path = layer(
        tmp_path,
        "l",
        ArchiveEntry("/usr/bin/kube", source=program),
        ArchiveEntry("usr/bin/kubelet", link="kube"),
        ArchiveEntry("etc/text", text="hello", mode=0o644, owner=999),
        ArchiveEntry("var/empty", mode=0o1777),
    )
    with tarfile.open(path) as tar:
        members = {m.name: m for m in tar}
        assert tar.extractfile("usr/bin/kube").read() == b"\x7fELF"  # type: ignore[union-attr]
    assert members["usr/bin/kube"].mode == 0o755
    assert members["usr/bin/kubelet"].linkname == "kube"
    assert (members["etc/text"].mode, members["etc/text"].uid) == (0o644, 999)
    assert members["var/empty"].isdir()


def test_the_same_entries_give_the_same_bytes(tmp_path: Path) -> None:
    first = layer(tmp_path, "a", ArchiveEntry("f", text="x")).read_bytes()
    assert layer(tmp_path, "b", ArchiveEntry("f", text="x")).read_bytes() == first
    assert layer(tmp_path, "c", ArchiveEntry("f", text="y")).read_bytes() != first


def test_an_archive_names_layers_by_digest_and_keeps_a_shared_one_once(tmp_path: Path) -> None:
    base, own = (
        layer(tmp_path, "base", ArchiveEntry("a", text="1")),
        layer(tmp_path, "own", ArchiveEntry("b")),
    )
    images = [
        Image("one.test/a:1", (base,), command=("python3",)),
        Image("one.test/b:1", (base, own), entrypoint=("/b",), user="999"),
    ]
    path = archive.write_archive(tmp_path / "images.tar", images)
    with tarfile.open(path) as tar:
        names = tar.getnames()
        manifest = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        second = tar.extractfile(manifest[1]["Config"]).read()  # type: ignore[union-attr]
    assert len([name for name in names if name.endswith(".tar")]) == 2
    assert manifest[0]["RepoTags"] == ["one.test/a:1"]
    assert manifest[1]["Layers"][0] == manifest[0]["Layers"][0]
    assert manifest[1]["Config"] == f"{hashlib.sha256(second).hexdigest()}.json"
    shown = json.loads(second)
    wanted = [f"sha256:{hashlib.sha256(p.read_bytes()).hexdigest()}" for p in (base, own)]
    assert shown["rootfs"]["diff_ids"] == wanted
    assert shown["config"]["User"] == "999"
    assert shown["config"]["Entrypoint"] == ["/b"]


def test_an_interrupted_write_leaves_no_finished_file(tmp_path: Path) -> None:
    path = tmp_path / "layer.tar"
    missing = ArchiveEntry("f", source=tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        archive.write_layer(path, [missing])
    assert not path.exists()
