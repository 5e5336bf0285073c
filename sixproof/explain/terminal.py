"""Standard output and error of a command: streams that may be closed, full, or unable to show a
character. Whatever happens to them, there is one line and an exit status, never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable
from typing import TextIO

FAILED = 2
"""The exit status when the answer could not be written."""


def make_lenient() -> None:
    """Show characters that a stream's encoding lacks as escapes instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write(text: str, status: int) -> int:
    """Write an answer to standard output; `status`, or `FAILED` where it cannot be written. An
    empty one only flushes what was written before.

    A reader that has seen enough and closed the pipe (``| head -1``) is not a failure.
    """
    try:
        if sys.stdout is None:
            if not text:
                return status
            raise OSError(None, "it is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
    except OSError as bad:
        _drop(sys.stdout)
        note([f"error: standard output cannot be written: {bad.strerror}"])
        return FAILED
    return status


def note(lines: Iterable[str]) -> None:
    """Write lines to standard error, if possible."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.writelines(f"{line}\n" for line in lines)
        sys.stderr.flush()
    except OSError:
        _drop(sys.stderr)


def _drop(stream: TextIO | None) -> None:
    """Discard what a stream still holds: the interpreter would fail on it once more."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]  # None: AttributeError
        os.close(nowhere)
