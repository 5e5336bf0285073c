"""Who this agent is: the name by which it answers, and the key of its run."""

from __future__ import annotations

import os
import socket

from sixproof.agent import files, wire

KEY_FILE = "key"
"""Beside this file: the key of the run, as text."""
SEAL = wire.Seal(files.read(os.path.join(os.path.dirname(__file__), KEY_FILE)).strip().encode())  # noqa: PTH118, PTH120
HOST = os.environ.get("SIXPROOF_POD") or socket.gethostname()
"""The name under which this agent answers; a hostNetwork pod's host name is its node's."""
