from collections import namedtuple
from pathlib import Path

import pytest

from testbed.errors import BedError
from testbed.host import machine
from testbed.host.command import Result

Usage = namedtuple("Usage", "total used free")


def test_too_little_memory_is_reported_in_gib() -> None:
    with pytest.raises(BedError, match=r"5 GiB of available memory\n  seen: 1\.0 GiB") as caught:
        machine.memory("MemTotal: 9999999 kB\nMemAvailable: 1048576 kB\n")
    assert "stop what uses it" in caught.value.remedy


def test_enough_memory_is_no_error() -> None:
    machine.memory(f"MemAvailable: {6 << 20} kB\n")


def test_a_full_disk_names_the_folder_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, 3 << 30))
    machine.disk(tmp_path, 3)
    with pytest.raises(BedError, match=r"15 GiB free for .*\n  seen: 3\.0 GiB") as caught:
        machine.disk(tmp_path, 15)
    assert "SIX_CACHE" in caught.value.remedy


def test_for_a_user_without_root_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(BedError, match=r"wanted: root.*\n  seen: user id 1000\n    do: .*sudo"):
        machine.root()


def test_missing_programs_without_apt_name_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    said: list[str] = []
    with pytest.raises(BedError, match="dockerd") as caught:
        machine.install(machine.ENGINE_PACKAGES, said.append)
    assert "docker.io" in caught.value.remedy
    assert said == []


def test_programs_that_are_there_install_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    said: list[str] = []
    machine.install(machine.ENGINE_PACKAGES, said.append)
    assert said == []


def test_for_a_kernel_without_a_kind_of_link_the_module_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed = Result(("ip",), 2, "", "RTNETLINK answers: Operation not supported")
    monkeypatch.setattr("testbed.host.command.attempt", lambda _: failed)
    monkeypatch.setattr(Path, "exists", lambda _: True)
    with pytest.raises(BedError, match="VXLAN") as caught:
        machine.kernel([("vxlan", "id", "6")])
    assert caught.value.seen == "RTNETLINK answers: Operation not supported"
    assert "modprobe vxlan" in caught.value.remedy
