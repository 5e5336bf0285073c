"""Running other programs: one place that captures, times out and explains a failure."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import BedError

TAIL_LINES = 12


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished program left: its exit status and both streams as text."""

    argv: tuple[str, ...]
    status: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.status == 0

    def tail(self) -> str:
        """The last lines of the program's output, for an error message."""
        said = (self.err.strip() or self.out.strip() or "no output").splitlines()
        return "\n        ".join(said[-TAIL_LINES:])


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment, overridden by `extra`."""
    return {**os.environ, **(extra or {})}


def attempt(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 600,
) -> Result:
    """Run `argv` and return its result, also when it fails; a missing program has status 127."""
    words = tuple(str(word) for word in argv)
    try:
        done = subprocess.run(
            words,
            input=stdin,
            env=environment(env),
            cwd=cwd,
            timeout=timeout,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        return Result(words, 127, "", f"{words[0]}: no such program")
    except subprocess.TimeoutExpired:
        return Result(words, 124, "", f"no end after {timeout:.0f} s")
    return Result(words, done.returncode, done.stdout, done.stderr)


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 600,
    remedy: str = "",
) -> Result:
    """Like attempt(), but a failure raises BedError with the program's last lines."""
    result = attempt(argv, stdin=stdin, env=env, cwd=cwd, timeout=timeout)
    if not result.ok:
        line = shlex.join(result.argv)
        shown = line if len(line) < 300 else line[:297] + "..."
        raise BedError(
            f"`{shown}` to succeed",
            seen=f"exit status {result.status}: {result.tail()}",
            remedy=remedy,
        )
    return result
