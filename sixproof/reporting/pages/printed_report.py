"""A report as text: what a Job without a volume prints into its log, and reading that again.

The block is that of RFC 7468: base64 between two lines that name what it is. It holds a gzipped tar
archive of the report's files, without those for Allure.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import gzip
import io
import sys
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from sixproof.errors import UsageError
from sixproof.explain.command import Output
from sixproof.reporting.results import report_files

BEGIN = "-----BEGIN SIXPROOF REPORT-----"
END = "-----END SIXPROOF REPORT-----"
FILES = (
    report_files.OVERVIEW,
    report_files.SUMMARY,
    report_files.RESULTS,
    report_files.CELLS_JQ,
    report_files.JUNIT,
    report_files.DIAGNOSTICS,
    report_files.COMPARE_PAGE,
    report_files.COMPARE_TEXT,
    report_files.COMPARE_JSON,
)
"""The files that are printed: those that the others cannot be made of. matrices.csv is results.json
once more."""
LARGEST = 1 << 30
"""Bytes of all files of a printed report: what a log says is not trusted."""
_LINE = 48
"""Bytes of a line, 64 characters of base64."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a command line."""
    command = commands.add_parser(
        "unpack",
        help="take a report out of the log of a run with --six-print-report",
        description="Take the last report out of the log of a run with --six-print-report: the "
        "log of a Job, say. Needs no cluster.",
        epilog="exit status: 0 written; 2 there is no whole report in the log, or it cannot be "
        "read or written",
    )
    command.add_argument("log", metavar="LOG", help="the log, or - for stdin")
    command.add_argument("directory", metavar="DIR", type=Path, help="a new directory for it")


def unpack_log(arguments: argparse.Namespace) -> Output:
    """Write the report in a log.

    Raises:
        UsageError: the log cannot be read or holds none, or the directory cannot be written.
    """
    try:
        if arguments.log == "-":
            written = unpack(sys.stdin, arguments.directory)
        else:
            with Path(arguments.log).open(encoding="utf-8", errors="replace") as log:
                written = unpack(log, arguments.directory)
    except OSError as error:
        raise UsageError(f"{error.filename or arguments.log}: {error.strerror}") from error
    return Output(0, "".join(f"{path}\n" for path in written), ())


def printed(directory: Path) -> Iterator[str]:
    """The lines that a report is printed as.

    Raises:
        OSError: a file cannot be read.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in FILES:
            if (directory / name).is_file():
                archive.add(directory / name, name, filter=_anonymous)
    data = packed.getvalue()
    yield BEGIN
    for at in range(0, len(data), _LINE):
        yield base64.b64encode(data[at : at + _LINE]).decode()
    yield END


def unpack(lines: Iterable[str], directory: Path) -> tuple[Path, ...]:
    """Write the files of the last report in a log into a directory; returns what was written.

    Lines may have something before them, as logs with times do. Names that no report has are left
    out.

    Raises:
        UsageError: the log holds no whole report, or the directory holds files already.
        OSError: a file cannot be written.
    """
    packed = _last(lines)
    if directory.exists() and any(directory.iterdir()):
        raise UsageError(f"{directory} holds something already: name another directory")
    written = []
    left = LARGEST
    try:
        data = base64.b64decode("".join(packed), validate=True)
        with (
            gzip.GzipFile(fileobj=io.BytesIO(data)) as unzipped,
            tarfile.open(fileobj=unzipped, mode="r|") as archive,
        ):
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or member.name not in FILES:
                    continue
                if (left := left - member.size) < 0:
                    raise UsageError(f"the report is larger than {LARGEST >> 20} MiB")
                directory.mkdir(parents=True, exist_ok=True)
                path = directory / member.name
                path.write_bytes(content.read())
                written.append(path)
    except (binascii.Error, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"the report in the log is damaged: {error}") from error
    return tuple(written)


def _last(lines: Iterable[str]) -> list[str]:
    """What the last whole block of a log holds, without what is before its lines."""
    found: list[str] | None = None
    block: list[str] | None = None
    indent = 0
    for line in lines:
        text = line.rstrip()
        if text.endswith(BEGIN):
            block, indent = [], len(text) - len(BEGIN)
        elif block is not None and text.endswith(END):
            found, block = block, None
        elif block is not None:
            block.append(text[indent:])
    if found is not None:
        return found
    if block:
        raise UsageError("the log ends within a report: was it cut, or is the run not over?")
    raise UsageError(
        "the log holds no report: was the run started with --six-print-report, and has it ended?"
    )


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
