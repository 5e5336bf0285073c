"""What becomes of output that cannot be written, without a shell."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from sixproof.explain import terminal
from sixproof.explain.files import Files


class Broken(io.StringIO):
    """A stream that fails when it is written to."""

    def __init__(self, error: OSError, path: Path) -> None:
        super().__init__()
        self.error = error
        self.file = path.open("wb")

    def write(self, _text: str, /) -> int:
        """Fail."""
        raise self.error

    def fileno(self) -> int:
        """A file of its own, so that nothing else is redirected."""
        return self.file.fileno()


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BrokenPipeError(32, "Broken pipe"), 1, ""),
        (OSError(28, "No space left on device"), 2,
         "error: standard output cannot be written: No space left on device\n"),
    ],
)  # fmt: skip
def test_output_that_fails(
    error: OSError,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A closed pipe keeps the status, anything else is reported."""
    stream = Broken(error, tmp_path / "out")
    monkeypatch.setattr("sys.stdout", stream)
    assert terminal.write("text", 1) == status
    assert capsys.readouterr().err == said
    stream.file.close()


@pytest.mark.parametrize("text", ["", "text"])
def test_output_that_is_closed(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing to say is no failure there."""
    monkeypatch.setattr("sys.stdout", None)
    assert terminal.write(text, 0) == (terminal.FAILED if text else 0)
    assert ("it is closed" in capsys.readouterr().err) is bool(text)


def test_notes_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left to report to."""
    stream = Broken(OSError(28, "full"), tmp_path / "err")
    monkeypatch.setattr("sys.stderr", stream)
    terminal.note(["a"])
    stream.file.close()
    monkeypatch.setattr("sys.stderr", None)
    terminal.note(["a"])


def test_streams_that_cannot_be_reconfigured_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of a test, for one."""
    raw = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", raw)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    terminal.make_lenient()
    assert raw.errors == "backslashreplace"


def test_standard_input_that_is_closed_or_named_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is an error of its own."""
    monkeypatch.setattr("sys.stdin", None)
    assert Files.of(["-"]).unread == ["standard input: cannot be read: it is closed"]
    assert Files.of(["-", "-"]).unread[0] == ("standard input is named twice, it can be read once")
