"""A place outside the cluster: an agent in the container that the test bed has beside its nodes."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.resources
import json
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

from sixproof.errors import InfrastructureError
from sixproof.kube import wait
from sixproof.kube.channel import Opener, Stream
from sixproof.kube.local_stream import LocalStream
from sixproof.model import Endpoint, EndpointKind, IPAddress
from sixproof.workloads.lanes import POD_LANES
from sixproof.workloads.probe_pod import FILES

NAME = "outside"
PATIENCE = 20.0
"""Seconds that starting the agent, or ending it, may take."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A machine outside the cluster: its addresses, and the words before a command run on it."""

    addresses: tuple[IPAddress, ...]
    command: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """An agent on a machine that is no node: `bridge` is the command that talks to it."""

    endpoint: Endpoint
    bridge: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON object, read back by `from_json`."""
        return {"endpoint": self.endpoint.to_json(), "bridge": list(self.bridge)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Outside:
        """What `to_json` wrote."""
        return cls(Endpoint.from_json(value["endpoint"]), tuple(map(str, value["bridge"])))


class Keeper:
    """The agent outside, while it runs: it ends with this process, however that ends."""

    def __init__(self, place: Place) -> None:
        """Start it.

        Raises:
            InfrastructureError: it did not start.
        """
        files = importlib.resources.files("sixproof.agent")
        source = (files / "keeper.py").read_text(encoding="utf-8")
        asked = {
            "files": {name: (files / name).read_text(encoding="utf-8") for name in FILES},
            "lanes": [str(lane) for lane in POD_LANES],
            "name": NAME,
        }
        self._process = subprocess.Popen(
            [*place.command, "python3", "-I", "-S", "-B", "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the run, which then ends this
        )
        home = self._started(json.dumps(asked).encode() + b"\n")
        bridge = ("python3", "-I", "-S", "-B", f"{home}/bridge.py", f"{home}/agent.sock")
        endpoint = Endpoint(NAME, EndpointKind.OUTSIDE, place.addresses, pod=NAME)
        self.outside = Outside(endpoint, (*place.command, *bridge))

    def _started(self, asked: bytes) -> str:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(asked)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # what it said tells more
        home = process.stdout.readline().decode().strip()
        if not home:
            process.kill()
            said = process.communicate()[1].decode(errors="replace").strip()
            raise InfrastructureError(f"no agent outside the cluster: {said[-300:]}")
        return home

    def close(self) -> None:
        """End the agent and wait until its files are gone."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        wait.until(
            self._process.poll, lambda status: status is not None, timeout=PATIENCE, first=0.02
        )
        if self._process.poll() is None:
            self._process.kill()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        self._process.wait()


def opener(pods: Opener, outside: Outside | None) -> Opener:
    """An opener that reaches the agent outside as well as those in pods."""

    def open_stream(namespace: str, pod: str) -> Stream:
        if outside is None or (namespace, pod) != (outside.endpoint.namespace, NAME):
            return pods(namespace, pod)
        return _bridge(outside.bridge)

    return open_stream


def _bridge(command: Sequence[str]) -> Stream:
    ours, theirs = socket.socketpair()
    said, stderr = socket.socketpair()
    streams: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": stderr}
    process = subprocess.Popen(command, **streams, start_new_session=True)
    theirs.close()
    stderr.close()

    def ended() -> None:
        process.kill()
        process.wait(timeout=PATIENCE)

    return LocalStream(ours, said, ended, lambda: b"the bridge outside ended")
