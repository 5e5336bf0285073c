import io
import tarfile
from pathlib import Path

import pytest

from testbed.build import rootfs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./usr/bin/runc", "usr/bin/runc"),
        ("/lib/systemd/systemd", "usr/lib/systemd/systemd"),
        ("/sbin/init", "usr/sbin/init"),
        ("./lib", "lib"),
        ("/etc/init", "etc/init"),
    ],
)
def test_paths_compare_as_on_a_system_with_merged_usr(name: str, expected: str) -> None:
    assert rootfs.canonical(name) == expected


def base(path: Path) -> Path:
    """A root file system as mmdebstrap leaves it, as far as the split looks."""
    listed = "/.\n/lib\n/lib/systemd\n/lib/systemd/systemd\n/sbin\n/sbin/init\n"
    files = {
        "./usr/lib/systemd/systemd": b"elf",
        "./usr/bin/python3.11": b"elf",
        "./var/lib/dpkg/info/systemd.list": listed.encode(),
    }
    with tarfile.open(path, "w") as tar:
        for name in ("lib", "sbin"):
            link = tarfile.TarInfo(f"./{name}")
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(link)
        folder = tarfile.TarInfo("./usr/lib/systemd")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = {"SCHILY.xattr.security.capability": "x"}
            tar.addfile(info, io.BytesIO(data))
    return path


def test_only_files_of_node_packages_leave_the_shared_layer(tmp_path: Path) -> None:
    tools, node = tmp_path / "tools.tar", tmp_path / "node.tar"
    rootfs.split(base(tmp_path / "whole.tar"), tools, node)
    with tarfile.open(tools) as tar:
        shared = {member.name: member for member in tar}
    with tarfile.open(node) as tar:
        alone = tar.getnames()
    assert alone == ["./usr/lib/systemd/systemd"]
    assert {"./lib", "./sbin", "./usr/lib/systemd", "./usr/bin/python3.11"} <= set(shared)
    assert shared["./lib"].issym()


def test_file_capabilities_are_dropped(tmp_path: Path) -> None:
    tools, node = tmp_path / "tools.tar", tmp_path / "node.tar"
    rootfs.split(base(tmp_path / "whole.tar"), tools, node)
    with tarfile.open(tools) as tar:
        assert tar.getmember("./usr/bin/python3.11").pax_headers == {}


def test_the_key_follows_the_package_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rootfs.key()
    assert rootfs.key() == before
    monkeypatch.setattr(rootfs, "TOOLS", (*rootfs.TOOLS, "jq"))
    assert rootfs.key() != before


def test_layers_that_are_there_are_used_as_they_are(tmp_path: Path) -> None:
    for name in ("tools", "node"):
        (tmp_path / f"{name}-{rootfs.key()}.tar").touch()
    said: list[str] = []
    tools, node = rootfs.build(tmp_path, said.append)
    assert (tools.name.split("-")[0], node.name.split("-")[0]) == ("tools", "node")
    assert said == []
