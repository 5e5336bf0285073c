"""The bridge: what an exec stream starts in the pod, between its standard streams and the agent.

Kept apart from the rest and free of heavy imports, since every runner process starts one in every
pod. Ends when either side ends.

``bridge.py SOCKET``
    copies.
``bridge.py SOCKET listens``
    ends once the agent listens on every port: its socket is there no sooner.
"""

import contextlib
import os
import select
import socket
import sys
import time

PATIENCE, FIRST_PATIENCE = 15.0, 60.0
"""Seconds to wait for an agent that is still starting: for a request, and for ``listens``."""

CHUNK = 1 << 16


def connected(path: str, patience: float) -> socket.socket:
    """A connection to the agent's Unix socket.

    Raises:
        OSError: nothing listened there within `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return sock


def copy(agent: int, stdin: int = 0, stdout: int = 1) -> None:
    """Copy both ways between descriptors until either side ends.

    Neither way waits for the other: a runner that only writes and an agent that only answers would
    otherwise deadlock.
    """
    for number in (agent, stdout):
        os.set_blocking(number, False)
    to_agent = to_runner = b""
    while True:
        sources = [fd for fd, full in ((stdin, to_agent), (agent, to_runner)) if not full]
        targets = [fd for fd, full in ((agent, to_agent), (stdout, to_runner)) if full]
        readable, writable, _ = select.select(sources, targets, [])
        if stdin in readable and not (to_agent := os.read(stdin, CHUNK)):
            return
        if agent in readable and not (to_runner := os.read(agent, CHUNK)):
            return
        if agent in writable:
            to_agent = written(agent, to_agent)
        if stdout in writable:
            to_runner = written(stdout, to_runner)


def written(target: int, data: bytes) -> bytes:
    """Write what there is room for; returns the rest."""
    with contextlib.suppress(BlockingIOError):
        return data[os.write(target, data) :]
    return data


def main() -> int:
    """Entry point; exit status 1 says that there is no agent."""
    try:
        if sys.argv[2:] == ["listens"]:
            connected(sys.argv[1], FIRST_PATIENCE).close()
            return 0
        with connected(sys.argv[1], PATIENCE) as sock:
            copy(sock.fileno())
    except OSError as error:
        print(f"bridge: {sys.argv[1]}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
