"""The Docker engine of the bed: one that already answers, or its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import BedError
from testbed.host import command
from testbed.host.command import Result

START_SECONDS = 40.0
STOP_SECONDS = 30.0
RESOURCE_BIT = 24  # CAP_SYS_RESOURCE, linux/capability.h


@dataclass(frozen=True, slots=True)
class Engine:
    """A reachable engine. `home` is the folder of the bed's own one, None for any other engine."""

    address: str | None
    home: Path | None = None

    @property
    def own(self) -> bool:
        return self.home is not None

    @property
    def env(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.address} if self.address else {}

    def attempt(self, *words: str | Path, stdin: str | None = None, timeout: float = 600) -> Result:
        return command.attempt(["docker", *words], env=self.env, stdin=stdin, timeout=timeout)

    def run(self, *words: str | Path, stdin: str | None = None, timeout: float = 600) -> str:
        """Run a docker command and return what it printed."""
        return command.run(
            ["docker", *words], env=self.env, stdin=stdin, timeout=timeout, remedy=self.remedy()
        ).out

    def remedy(self) -> str:
        if self.home:
            log = self.home / "docker.log"
            return f"see {log}; `python -m testbed down --all`, then `up`, starts afresh"
        return "see that `docker info` works for this user"

    def has_image(self, reference: str) -> bool:
        return self.attempt("image", "inspect", "--format", "{{.Id}}", reference).ok

    def running(self, container: str) -> bool:
        shown = self.attempt("inspect", "--format", "{{.State.Running}}", container)
        return shown.ok and shown.out.strip() == "true"


def capability_missing(status: str | None = None) -> bool:
    """Whether this process may not give CAP_SYS_RESOURCE to a container (/proc/self/status)."""
    text = status if status is not None else Path("/proc/self/status").read_text()
    for line in text.splitlines():
        if line.startswith("CapBnd:"):
            return not int(line.split()[1], 16) >> RESOURCE_BIT & 1
    return False


def _own(home: Path) -> Engine:
    return Engine(f"unix://{home / 'docker.sock'}", home)


def living(file: Path, home: Path) -> int | None:
    """The process of a pid file while it runs and is this engine's; a zombie does not count."""
    try:
        number = int(file.read_text())
        words = Path(f"/proc/{number}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return number if str(home).encode() in words else None


def pid(home: Path) -> int | None:
    """The process of the bed's own engine."""
    return living(home / "docker.pid", home)


def own(home: Path) -> Engine | None:
    """The bed's own engine if it runs."""
    engine = _own(home)
    return engine if pid(home) and engine.attempt("version", timeout=10).ok else None


def existing(home: Path) -> Engine | None:
    """The bed's own engine if it runs, else another one that answers, else None."""
    if running := own(home):
        return running
    other = Engine(os.environ.get("DOCKER_HOST"))
    return other if other.attempt("version", timeout=5).ok else None


def ensure(home: Path, wrapper: Path | None) -> Engine:
    """An engine that answers: an existing one, else the bed's own, started with its own state."""
    found = existing(home)
    if found:
        return found
    started = _own(home)
    if len(str(started.address)) > 107:
        raise BedError(
            "a socket path under 100 characters",
            seen=str(started.address),
            remedy="set SIX_CACHE to a shorter folder",
        )
    home.mkdir(parents=True, exist_ok=True)
    _launch(home, _arguments(home, wrapper))
    return started


def revive(home: Path) -> Engine | None:
    """Restart the bed's own engine with its previous setup, to clean up after one that died."""
    settings = home / "daemon.json"
    if not settings.is_file():
        return None
    _launch(home, ["dockerd", "--config-file", str(settings)])
    return _own(home)


def _launch(home: Path, argv: list[str]) -> None:
    """Start dockerd in its own session and wait until it answers."""
    for file in (home / "docker.pid", home / "run" / "containerd" / "containerd.pid"):
        if living(file, home) is None:
            file.unlink(missing_ok=True)
    with (home / "docker.log").open("ab") as log:
        process = subprocess.Popen(
            argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while not _own(home).attempt("version", timeout=5).ok:
        if process.poll() is not None or time.monotonic() > deadline:
            said = (home / "docker.log").read_text(errors="replace").splitlines()[-8:]
            raise BedError(
                f"the bed's own Docker engine to answer within {START_SECONDS:.0f} s",
                seen="\n        ".join(said),
                remedy="free what the log names (it needs root, overlayfs and a writable"
                f" {home}), then run the same command again",
            )
        time.sleep(0.2)


def _arguments(home: Path, wrapper: Path | None) -> list[str]:
    """dockerd's command line: no bridge, no forwarding and no firewall rules of its own."""
    settings = {
        "data-root": str(home / "data"),
        "exec-root": str(home / "run"),
        "pidfile": str(home / "docker.pid"),
        "hosts": [f"unix://{home / 'docker.sock'}"],
        "bridge": "none",
        "iptables": False,
        "ip-forward": False,
        # Names outside the bed must not be resolved through the machine's resolver.
        "dns": ["127.0.0.1"],
        "default-cgroupns-mode": "private",
        "live-restore": False,
        "shutdown-timeout": 3,
        "log-driver": "json-file",
        "log-opts": {"max-size": "20m", "max-file": "2"},
    }
    if wrapper is not None:
        settings["runtimes"] = {"nores": {"path": str(wrapper)}}
        settings["default-runtime"] = "nores"
    path = home / "daemon.json"
    path.write_text(json.dumps(settings, indent=2))
    return ["dockerd", "--config-file", str(path)]


def stop(home: Path) -> bool:
    """Stop the bed's own engine and wait until it has ended; False when it did not run."""
    number = pid(home)
    if number is None:
        return False
    os.kill(number, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while pid(home) is not None:
        if time.monotonic() > deadline:
            raise BedError(
                f"dockerd (pid {number}) to end within {STOP_SECONDS:.0f} s of SIGTERM",
                seen="it still runs",
                remedy=f"see {home / 'docker.log'}, then end process {number} by hand",
            )
        time.sleep(0.1)
    return True


def mounts(text: str, below: str) -> list[str]:
    """Mount points under a folder in /proc/self/mountinfo, innermost first."""
    points = [line.split()[4] for line in text.splitlines() if len(line.split()) > 4]
    return sorted((p for p in points if p.startswith(f"{below}/")), key=len, reverse=True)


def unmount(home: Path) -> None:
    """Unmount what a stopped engine left mounted under its folder (its network namespaces)."""
    if pid(home) is not None:
        return
    for point in mounts(Path("/proc/self/mountinfo").read_text(), str(home)):
        if not command.attempt(["umount", point]).ok:
            command.run(["umount", "--lazy", point], remedy=f"unmount {point} by hand")
