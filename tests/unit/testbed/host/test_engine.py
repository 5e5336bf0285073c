import json
import os
from pathlib import Path

import pytest

from testbed.errors import BedError
from testbed.host import engine


@pytest.mark.parametrize(
    ("bound", "missing"), [("000001fffeffffff", True), ("000001ffffffffff", False)]
)
def test_the_missing_capability_is_read_from_the_bounding_set(bound: str, missing: bool) -> None:
    assert engine.capability_missing(f"CapEff:\t0\nCapBnd:\t{bound}\n") is missing


def test_a_pid_file_of_another_process_is_not_believed(tmp_path: Path) -> None:
    assert engine.pid(tmp_path) is None
    (tmp_path / "docker.pid").write_text(str(os.getpid()))
    assert engine.pid(tmp_path) is None
    (tmp_path / "docker.pid").write_text("nonsense")
    assert engine.pid(tmp_path) is None


def test_stopping_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    assert engine.stop(tmp_path) is False


def test_the_engine_has_its_own_state_and_leaves_the_firewall_alone(tmp_path: Path) -> None:
    line = engine._arguments(tmp_path, Path("/bin/wrapper"))
    settings = json.loads(Path(line[-1]).read_text())
    own = {"data-root", "exec-root", "pidfile"}
    assert all(settings[name].startswith(str(tmp_path)) for name in own)
    assert settings["hosts"] == [f"unix://{tmp_path}/docker.sock"]
    assert (settings["iptables"], settings["ip-forward"], settings["bridge"]) == (
        False,
        False,
        "none",
    )
    assert settings["default-runtime"] == "nores"


def test_mounts_below_a_folder_come_innermost_first() -> None:
    text = "\n".join(
        f"{n} 1 0:4 / {point} rw - ext4 x rw"
        for n, point in enumerate(["/c/engine/run", "/c/engine/run/netns/a", "/c/engineer", "/"])
    )
    assert engine.mounts(text, "/c/engine") == ["/c/engine/run/netns/a", "/c/engine/run"]


def test_a_socket_path_that_the_kernel_does_not_take_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "existing", lambda _: None)
    with pytest.raises(BedError, match="socket path") as caught:
        engine.ensure(tmp_path / ("x" * 120), None)
    assert "SIX_CACHE" in caught.value.remedy
