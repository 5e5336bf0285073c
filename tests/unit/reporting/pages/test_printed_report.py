"""A report that went through a log."""

from __future__ import annotations

import base64
import gzip
import io
import sys
import tarfile
from pathlib import Path

import pytest

from sixproof.__main__ import main
from sixproof.errors import UsageError
from sixproof.reporting.pages import printed_report
from sixproof.reporting.pages.printed_report import BEGIN, END, printed, unpack


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report, with files that are not printed."""
    directory = tmp_path / "made"
    (directory / "allure-results").mkdir(parents=True)
    for name in ("results.json", "overview.html", "matrices.csv", "allure-results/x.json"):
        (directory / name).write_text(f"{name}\n" * 40, encoding="utf-8")
    return directory


def block(*members: tuple[str, bytes | None]) -> list[str]:
    """The lines of an archive of such members; a link where there are no bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            if data is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            member.size = len(data or b"")
            archive.addfile(member, io.BytesIO(data or b""))
    return [BEGIN, base64.b64encode(packed.getvalue()).decode(), END]


@pytest.mark.parametrize("before", ["", "2026-01-01T00:00:00.000000000Z ", "run-x7 run | "])
def test_what_was_printed_is_written_again(report: Path, tmp_path: Path, before: str) -> None:
    """Whatever stands before the lines, and between two reports."""
    lines = list(printed(report))
    assert max(map(len, lines)) <= 64
    log = ["one passed", *lines, "another run", *block(("summary.txt", b"old")), *lines, "end"]
    written = unpack((f"{before}{line}\n" for line in log), tmp_path / "new")

    assert [path.name for path in written] == ["overview.html", "results.json"]
    for path in written:
        assert path.read_bytes() == (report / path.name).read_bytes()


def test_nothing_leads_out_of_the_directory(tmp_path: Path) -> None:
    """Names that no report has, links and directories are left out."""
    directory = tmp_path / "new"
    members = ("../results.json", b"x"), ("/tmp/x", b"x"), ("overview.html", None)  # noqa: S108
    written = unpack(block(*members, ("summary.txt", b"good")), directory)

    assert written == (directory / "summary.txt",)
    assert sorted(directory.rglob("*")) == [directory / "summary.txt"]


def test_a_report_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some bytes of a log may stand for a disk full of zeros."""
    monkeypatch.setattr(printed_report, "LARGEST", 3 << 20)
    with pytest.raises(UsageError, match="is larger than 3 MiB"):
        unpack(block(("summary.txt", bytes(4 << 20))), tmp_path / "new")
    assert not (tmp_path / "new/summary.txt").exists()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "holds no report"),
        (["a", "b"], "holds no report"),
        ([BEGIN, "QUJD"], "ends within a report: was it cut, or is the run not over"),
        ([END], "holds no report"),
        ([BEGIN, "no base64!", END], "damaged"),
        ([BEGIN, "QUJD", END], "damaged"),
        ([BEGIN, base64.b64encode(gzip.compress(b"no archive" * 99)).decode(), END], "damaged"),
        ([BEGIN, block(("summary.txt", b"a" * 9_999))[1][:60], END], "damaged"),
    ],
)
def test_what_is_no_report_is_told(lines: list[str], why: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=why):
        unpack(lines, tmp_path / "new")


def test_the_command(
    report: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From a file, then from standard input into what holds a report already."""
    log, new = tmp_path / "log", tmp_path / "new"
    log.write_text("\n".join(printed(report)) + "\n", encoding="utf-8")
    assert main(["unpack", str(log), str(new)]) == 0
    assert capsys.readouterr().out == f"{new}/overview.html\n{new}/results.json\n"

    with log.open(encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert main(["unpack", "-", str(new)]) == 2
    assert (
        capsys.readouterr().err == f"error: {new} holds something already: name another directory\n"
    )

    assert main(["unpack", str(tmp_path / "none"), str(tmp_path / "y")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}/none: No such file or directory\n"
