"""An endpoint outside the cluster: an agent in the test bed's container beside its nodes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

from sixproof.errors import InfrastructureError
from sixproof.kube.api import wait
from sixproof.kube.channel.channel import Opener, Stream
from sixproof.kube.channel.local_stream import LocalStream
from sixproof.model import Endpoint, EndpointKind, IPAddress
from sixproof.workloads.probe_pods import delivery
from sixproof.workloads.probe_pods.ports import POD_PORTS

NAME = "outside"
PATIENCE = 20.0
"""Seconds that starting or ending the agent may take."""


@dataclasses.dataclass(frozen=True, slots=True)
class OutsidePlace:
    """A machine outside the cluster.

    `addresses` has one of each family, by which it is known and from which it sends; `further` are
    other addresses on which it answers. `command` is the prefix of a command run on it, `forget` a
    command that clears its kernel's learnt path MTUs; empty where this is not permitted. Reports
    call it by its `name`.
    """

    addresses: tuple[IPAddress, ...]
    command: tuple[str, ...]
    further: tuple[IPAddress, ...] = ()
    forget: tuple[str, ...] = ()
    name: str = NAME


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """An agent on a machine that is not a node: `bridge` is the command that connects to it.

    `others` are its further addresses, as endpoints that can be dialled but do not dial.
    """

    endpoint: Endpoint
    bridge: tuple[str, ...]
    others: tuple[Endpoint, ...] = ()
    forget: tuple[str, ...] = ()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every endpoint that can be dialled."""
        return (self.endpoint, *self.others)

    def forget_paths(self) -> bool:
        """Clear its kernel's learnt path MTUs; False where this is not permitted.

        Raises:
            InfrastructureError: it failed.
        """
        if not self.forget:
            return False
        try:
            subprocess.run(
                self.forget, check=True, capture_output=True, text=True, timeout=PATIENCE
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", "") or error).strip()
            raise InfrastructureError(f"learnt path MTUs outside stay: {said[-300:]}") from error
        return True


class OutsideLauncher:
    """The agent outside, while it runs: it ends with this process, however that ends."""

    def __init__(self, place: OutsidePlace, key: str) -> None:
        """Start it; it answers the probes of the run that has this `key`.

        Raises:
            InfrastructureError: it did not start.
        """
        asked = {
            "files": {**delivery.agent_files(), delivery.KEY_PATH: key},
            "serve": delivery.SERVE[1:],
            "port_specs": [str(port_spec) for port_spec in POD_PORTS],
            "name": place.name,
        }
        self._process = subprocess.Popen(
            [*place.command, "python3", "-I", "-S", "-B", "-c", delivery.launcher()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the run, which then ends this
        )
        home = self._started(json.dumps(asked).encode() + b"\n")
        bridge = delivery.bridge(home, f"{home}/agent.sock")
        self.outside = Outside(
            _endpoint(place.name, place.addresses, place.name),
            (*place.command, *bridge),
            tuple(_endpoint(f"{place.name} at {a}", (a,), place.name) for a in place.further),
            place.forget,
        )

    def _started(self, asked: bytes) -> str:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(asked)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # what it printed says more
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


def _endpoint(name: str, addresses: tuple[IPAddress, ...], pod: str) -> Endpoint:
    return Endpoint(name, EndpointKind.OUTSIDE, addresses, pod=pod)


def opener(pods: Opener, *places: Outside | None) -> Opener:
    """An opener that reaches the agents outside as well as those in pods."""
    bridges = {(p.endpoint.namespace, p.endpoint.pod): p.bridge for p in places if p}

    def open_stream(namespace: str, pod: str) -> Stream:
        bridge = bridges.get((namespace, pod))
        return pods(namespace, pod) if bridge is None else _bridge(bridge)

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
