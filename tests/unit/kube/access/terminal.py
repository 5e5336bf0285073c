"""Commands at a terminal of their own."""

from __future__ import annotations

import os
import pty
import signal
import sys
import threading


def at_terminal(
    argv: list[str], answers: tuple[tuple[str, str], ...] = (), *, limit: float = 60
) -> tuple[int, str]:
    """The exit status and the output of a command; each answer is typed when its question is seen.

    It is ended after `limit` seconds.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        os.execv(argv[0], argv)  # noqa: S606 - the child is that command
    output = ""
    waiting = list(answers)
    watchdog = threading.Timer(limit, os.kill, (pid, signal.SIGKILL))
    watchdog.start()
    try:
        while True:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            output += data.decode(errors="replace")
            if waiting and waiting[0][0] in output:
                os.write(terminal, waiting.pop(0)[1].encode())
        _, status = os.waitpid(pid, 0)
    finally:
        watchdog.cancel()
        os.close(terminal)
    return os.waitstatus_to_exitcode(status), output
