"""Whether this machine can run a bed: checks, each with a remedy, and needed packages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from testbed.errors import BedError
from testbed.host import command

GIB = 1 << 30
MEMORY_GIB = 5
# Module cache 4.7, build cache 3.7, layers and images 4; a bed with built parts needs little.
DISK_COLD_GIB = 15
DISK_WARM_GIB = 3
INOTIFY = "fs.inotify.max_user_instances"
INOTIFY_WANTED = 512
# Debian's name of the package that contains a program.
PACKAGES = {"nft": "nftables", "ip": "iproute2", "openssl": "openssl"}
ENGINE_PACKAGES = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
}
BUILD_PACKAGES = {"mmdebstrap": "mmdebstrap", "catatonit": "catatonit"}


def root() -> None:
    if os.geteuid() != 0:
        raise BedError(
            "root, for an own Docker engine, network and Debian packages",
            seen=f"user id {os.geteuid()}",
            remedy="run it with sudo -E, or as root in a virtual machine",
        )


def missing(programs: Iterable[str]) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


def install(packages: dict[str, str], say: Callable[[str], None]) -> None:
    """Install the Debian packages of missing programs with apt-get, reporting it."""
    wanted = sorted({packages[program] for program in missing(packages)})
    if not wanted:
        return
    if shutil.which("apt-get") is None:
        raise BedError(
            f"the programs {', '.join(missing(packages))}",
            seen="not on the PATH, and no apt-get to install them with",
            remedy=f"install what corresponds to Debian's {' '.join(wanted)}",
        )
    say(f"installing Debian packages: {' '.join(wanted)}")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    line = ["apt-get", "install", "--yes", "--no-install-recommends", *wanted]
    if not command.attempt(line, env=env, timeout=900).ok:
        command.run(["apt-get", "update"], timeout=600, remedy="see that apt's mirrors answer")
        command.run(line, env=env, timeout=900, remedy=f"install {' '.join(wanted)} by hand")


def disk(folder: Path, need_gib: int) -> None:
    free = shutil.disk_usage(folder).free / GIB
    if free < need_gib:
        raise BedError(
            f"{need_gib} GiB free for {folder}",
            seen=f"{free:.1f} GiB",
            remedy="free some, or set SIX_CACHE (and GOCACHE, GOMODCACHE) to a larger disk",
        )


def memory(text: str | None = None) -> None:
    """Raises BedError when /proc/meminfo has too little available."""
    lines = (text if text is not None else Path("/proc/meminfo").read_text()).splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
    available = values.get("MemAvailable", 0) * 1024 / GIB
    if available < MEMORY_GIB:
        raise BedError(
            f"{MEMORY_GIB} GiB of available memory",
            seen=f"{available:.1f} GiB",
            remedy="stop what uses it; a running bed takes about 3 GiB",
        )


def kernel(links: Iterable[Sequence[str]]) -> None:
    """IPv6, overlayfs and link types, which are tried in a separate network namespace.

    `links` are each what `ip link add NAME type` takes: a type and its arguments.
    """
    if not Path("/proc/net/if_inet6").exists():
        raise BedError(
            "a kernel with IPv6",
            seen="no /proc/net/if_inet6",
            remedy="boot without ipv6.disable=1",
        )
    if "overlay" not in Path("/proc/filesystems").read_text():
        command.attempt(["modprobe", "overlay"])
    for kind, *arguments in links:
        tried = command.attempt(
            ["unshare", "--net", "ip", "link", "add", "six", "type", kind, *arguments]
        )
        if not tried.ok:
            raise BedError(
                f"a kernel with {kind.upper()}, and the right to make network namespaces",
                seen=tried.tail(),
                remedy=f"load the module (modprobe {kind}) or use a kernel with"
                f" CONFIG_{kind.upper()}; inside a container run it privileged",
            )


def inotify(say: Callable[[str], None]) -> str | None:
    """Raise the limit that kubelets need; returns the old value if it was changed."""
    path = Path("/proc/sys", INOTIFY.replace(".", "/"))
    old = path.read_text().strip()
    if int(old) >= INOTIFY_WANTED:
        return None
    say(f"setting {INOTIFY} from {old} to {INOTIFY_WANTED} (kubelets fail below)")
    try:
        path.write_text(str(INOTIFY_WANTED))
    except OSError as error:
        raise BedError(
            f"{INOTIFY} of at least {INOTIFY_WANTED}",
            seen=f"{old}, and it cannot be set: {error}",
            remedy=f"sysctl -w {INOTIFY}={INOTIFY_WANTED} on the machine that owns the kernel",
        ) from error
    return old


def restore_inotify(old: str) -> None:
    Path("/proc/sys", INOTIFY.replace(".", "/")).write_text(old)
