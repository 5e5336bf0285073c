"""Runs that listen to signals, also where the tests themselves were started by nohup."""

from __future__ import annotations

import sys

_HEARS = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


def listening(*arguments: str) -> list[str]:
    """The command of a Python with these arguments that no signal of a terminal is kept from: what
    is started in the background inherits that they are ignored."""
    return [sys.executable, "-c", _HEARS, sys.executable, *arguments]
