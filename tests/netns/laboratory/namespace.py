"""Network namespaces and the links between them; needs root."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

NAMED = Path("/run/netns")
PREFIX = "sixproof"


def run(arguments: list[str], text: str | None = None) -> str:
    """Run a command to its end; its output, or an error that quotes it."""
    done = subprocess.run(
        arguments, input=text, capture_output=True, text=True, timeout=20, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()} {(text or '')[:2000]}")
    return done.stdout


class Namespace:
    """A namespace of this process's run, deleted by `delete`."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.name = f"{PREFIX}-{os.getpid()}-{role}"
        run(["ip", "netns", "add", self.name])

    def prefix(self) -> list[str]:
        """What starts a command inside."""
        return ["ip", "netns", "exec", self.name]

    def ip(self, lines: Iterable[str]) -> None:
        """Carry out ``ip`` command lines, the word `ip` left away."""
        run(["ip", "-n", self.name, "-batch", "-"], "\n".join(lines) + "\n")

    def nft(self, script: str) -> None:
        """Load an nftables script."""
        run([*self.prefix(), "nft", "-f", "-"], script)

    def sysctl(self, values: Mapping[str, str]) -> None:
        """Set kernel parameters of the namespace."""
        run([*self.prefix(), "sysctl", "-qw", *(f"{k}={v}" for k, v in values.items())])

    def links(self) -> set[str]:
        """The names of its interfaces."""
        lines = run(["ip", "-n", self.name, "-o", "link", "show"]).splitlines()
        return {line.split(": ")[1].partition("@")[0] for line in lines}

    def settle(self) -> None:
        """Wait until every interface that is up carries packets: within a second or two of its
        coming up the kernel still drops what is sent on it (netdevice states, RFC 2863)."""
        deadline = time.monotonic() + 10
        while waiting := self._coming():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: {', '.join(waiting)} did not come up in 10 s")
            time.sleep(0.05)

    def _coming(self) -> list[str]:
        """Interfaces with a carrier that are not operational yet."""
        links = json.loads(run(["ip", "-n", self.name, "-json", "link", "show"]))
        return [
            link["ifname"]
            for link in links
            if {"UP", "LOWER_UP"} <= {*link["flags"]} and link["operstate"] == "DOWN"
        ]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread in the namespace (setns(2)): sockets made meanwhile belong to it."""
        with Path("/proc/thread-self/ns/net").open() as here, (NAMED / self.name).open() as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(here.fileno())

    def delete(self) -> None:
        """Delete the namespace, and with it every link into it."""
        with contextlib.suppress(RuntimeError):
            run(["ip", "netns", "delete", self.name])


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, 0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


def why_not() -> str:
    """Why namespaces cannot be used here, empty if they can."""
    if os.geteuid() != 0:
        return "needs root: run the tests in tests/netns as root"
    for tool in ("ip", "nft", "setpriv", "sysctl"):
        if not any((Path(d) / tool).exists() for d in os.get_exec_path()):
            return f"needs the command {tool!r}"
    try:
        namespace = Namespace("trial")
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        return f"network namespaces do not work here: {error}"
    namespace.delete()
    return ""


def orphans(folder: Path) -> Iterator[Path]:
    """What earlier runs left in a folder, named ``sixproof-<pid>-...``: their process is gone."""
    for path in folder.glob(f"{PREFIX}-*-*") if folder.exists() else ():
        number = path.name.split("-")[1]
        if number.isdigit() and not Path("/proc", number).exists():
            yield path


def sweep() -> None:
    """Delete the namespaces of earlier runs that were killed."""
    for path in orphans(NAMED):
        with contextlib.suppress(RuntimeError):
            run(["ip", "netns", "delete", path.name])
