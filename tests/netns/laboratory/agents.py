"""Real agents in namespaces, and an opener that reaches them as an exec stream reaches a pod."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from sixproof.agent.wire import Seal
from sixproof.errors import ApiError
from sixproof.kube.channel.channel import Stream
from sixproof.kube.channel.local_stream import LocalStream
from sixproof.workloads.probe_pods import delivery
from tests.delivered import deliver
from tests.netns.laboratory.namespace import PREFIX, Namespace, orphans, run

NOBODY = 65534
UNPRIVILEGED = [
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=-all",
    "--ambient-caps=-all",
    "--bounding-set=-all",
    "--no-new-privs",
    "--pdeathsig=KILL",
]


def root_with(capability: str) -> list[str]:
    """What a pod with a capability is: root, who has that one alone."""
    return [
        "setpriv",
        "--clear-groups",
        "--inh-caps=-all",
        "--ambient-caps=-all",
        f"--bounding-set=-all,+{capability.lower()}",
        "--no-new-privs",
        "--pdeathsig=KILL",
    ]


KEY = "a key of the lab"
SEAL = Seal(KEY.encode())


def interpreter() -> str:
    """A Python that an unprivileged user may execute, the machine's own first."""
    tried = [shutil.which("python3", path=os.defpath) or "", os.path.realpath(sys.executable)]
    for python in filter(None, tried):
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            run(
                [
                    *UNPRIVILEGED,
                    python,
                    "-c",
                    "import asyncio, sys; assert sys.version_info >= (3, 10)",
                ]
            )
            return python
    raise RuntimeError(f"none of these runs as uid {NOBODY}: {tried}")


def sweep() -> None:
    """Remove the files of earlier runs that were killed; their processes died with them."""
    for path in orphans(Path(tempfile.gettempdir())):
        shutil.rmtree(path, ignore_errors=True)


class AgentProcess:
    """One agent in a namespace, as uid 65534 without a capability, or as root with NET_RAW."""

    def __init__(
        self,
        home: Home,
        namespace: Namespace,
        pod: str,
        port_specs: Iterable[str],
        capability: str = "",
    ) -> None:
        self.pod = pod
        self.capability = capability
        self.home = home
        self.namespace = namespace
        self.port_specs = tuple(port_specs)
        self.socket = home.path / "run" / f"{pod}.sock"
        self.log = home.path / f"{pod}.log"
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return self.home.spawn(
                self.namespace,
                [*delivery.SERVE[1:], str(self.socket), *self.port_specs],
                pod=self.pod,
                capability=self.capability,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def wait_ready(self) -> None:
        """Wait until it serves."""
        deadline = time.monotonic() + 15
        while b"serving" not in self.log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"agent {self.pod} did not start: {self.log.read_text()}")
            time.sleep(0.02)

    def running(self) -> bool:
        """Whether the process lives (stopped counts)."""
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as the kernel's OOM killer would."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(timeout=10)

    def restart(self) -> None:
        """What kubelet does to a container that ended."""
        self.kill()
        self.process = self._spawn()
        self.wait_ready()


class Home:
    """The agent's files where any user can read them, and every process started from them."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-"))
        self.path.chmod(0o755)
        room = self.path / "run"
        room.mkdir()
        room.chmod(0o1777)  # root without DAC_OVERRIDE writes here as nobody does
        deliver(self.path, KEY)
        self.python = interpreter()
        self.agents: dict[str, AgentProcess] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._bridges: dict[str, list[subprocess.Popen[bytes]]] = {}

    def spawn(
        self,
        namespace: Namespace,
        command: list[str],
        pod: str,
        capability: str = "",
        **streams: object,
    ) -> subprocess.Popen[bytes]:
        """Start Python in a namespace, in the folder of the agent's files."""
        process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
            [
                *namespace.prefix(),
                *(root_with(capability) if capability else UNPRIVILEGED),
                self.python,
                *command,
            ],
            cwd=self.path,
            env={"PATH": os.defpath, "SIXPROOF_POD": pod},
            **streams,
        )
        self._processes.append(process)
        return process

    def agent(
        self, namespace: Namespace, pod: str, port_specs: Iterable[str] = (), capability: str = ""
    ) -> AgentProcess:
        """Start an agent; `wait_ready` waits for it."""
        agent = self.agents[pod] = AgentProcess(self, namespace, pod, port_specs, capability)
        return agent

    def open(self, _: str, pod: str) -> Stream:
        """The opener that `Agents` needs: a bridge beside the agent, its streams in our hands."""
        agent = self.agents[pod]
        if not agent.running():
            raise ApiError(f"container of pod {pod} is not running", status=500)
        ours, theirs = socket.socketpair()
        said, stderr = socket.socketpair()
        bridge = self.spawn(
            agent.namespace,
            [*delivery.bridge(str(self.path), str(agent.socket))[1:]],
            pod=pod,
            capability=agent.capability,
            stdin=theirs,
            stdout=theirs,
            stderr=stderr,
        )
        self._bridges.setdefault(pod, []).append(bridge)
        theirs.close()
        stderr.close()

        def ended() -> None:
            bridge.kill()
            bridge.wait(timeout=10)

        return LocalStream(ours, said, ended, lambda: b"the bridge ended")

    def break_bridges(self, pod: str) -> None:
        """Cut the exec streams into a pod."""
        for bridge in self._bridges.pop(pod, []):
            bridge.kill()

    def close(self) -> None:
        """End every process and remove the files."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for process in self._processes:
            process.wait(timeout=10)
        shutil.rmtree(self.path, ignore_errors=True)
