"""The Debian base of the bed's images: one bootstrap, split into two layers."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.build import aptsources
from testbed.host import command

# Packages of every image of the bed: tools that inject faults, trace a path or run the agent.
TOOLS = (
    *("usr-is-merged", "python3", "iproute2", "iptables", "nftables", "ipset", "conntrack"),
    *("tcpdump", "ethtool", "socat", "procps", "kmod", "util-linux", "iputils-ping"),
)
# Further packages of nodes only, with the dependencies that only these need.
NODE = (
    *("systemd", "systemd-sysv", "containerd", "runc", "mount"),
    *("libsystemd-shared", "libcryptsetup12", "libfdisk1", "libargon2-1"),
)
REMEDY = (
    "see that apt works (`apt-get update`) and that /tmp has 2 GB free; then run the same command"
    " again"
)
# Pins the order of layers and the split below; raise it when either changes.
FORMAT = "3"


def key() -> str:
    """Names the base by its inputs; packages have the versions of the day."""
    return hashlib.sha256(repr((TOOLS, NODE, aptsources.RELEASE, FORMAT)).encode()).hexdigest()[:16]


def build(into: Path, report: Callable[[str], None]) -> tuple[Path, Path]:
    """Return the layers (tools, node) as tar files, bootstrapping Debian for them once."""
    tools = into / f"tools-{key()}.tar"
    node = into / f"node-{key()}.tar"
    if tools.is_file() and node.is_file():
        return tools, node
    whole = into / f"debian-{key()}.part.tar"
    report("bootstrapping Debian")
    bootstrap(whole, (*TOOLS, *NODE))
    report("splitting into layers")
    split(whole, tools, node)
    whole.unlink()
    return tools, node


def bootstrap(into: Path, packages: Sequence[str], variant: str = "minbase") -> None:
    """Create a Debian root file system with packages as a tar file; `variant` is mmdebstrap's."""
    sources = aptsources.debian(aptsources.configured())
    lines = "\n".join(line for source in sources for line in source.lines())
    excluded = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
    command.run(
        [
            *("mmdebstrap", f"--variant={variant}", "--mode=root", "--format=tar", "--quiet"),
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            '--aptopt=Acquire::Languages "none"',
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in excluded),
            f"--include={','.join(packages)}",
            *(aptsources.RELEASE, into, "-"),
        ],
        stdin=lines + "\n",
        timeout=1800,
        remedy=REMEDY,
    )


def listed(archive: tarfile.TarFile, package: str) -> set[str]:
    """The files of an installed package, by dpkg's list inside the root file system."""
    names: set[str] = set()
    for suffix in ("", ":amd64", ":arm64"):
        try:
            member = archive.extractfile(f"./var/lib/dpkg/info/{package}{suffix}.list")
        except KeyError:
            continue
        if member is not None:
            names.update(member.read().decode().splitlines())
    return names


def split(whole: Path, tools: Path, node: Path) -> None:
    """Write the files of NODE's packages to one tar, everything else to the other."""
    tools_part, node_part = tools.with_suffix(".part"), node.with_suffix(".part")
    with tarfile.open(whole) as archive:
        alone: set[str] = set()
        for package in NODE:
            alone |= {canonical(name) for name in listed(archive, package)}
        with tarfile.open(tools_part, "w") as first, tarfile.open(node_part, "w") as second:
            for member in archive:
                target = second if belongs(member, alone) else first
                # File capabilities: ping has one, and a pod without capabilities could not start
                # it.
                member.pax_headers = {}
                data = archive.extractfile(member) if member.isreg() else None
                target.addfile(member, data)
    tools_part.rename(tools)
    node_part.rename(node)


def belongs(member: tarfile.TarInfo, alone: set[str]) -> bool:
    """Whether a member goes with the packages in `alone`; top-level folders and links never do."""
    name = canonical(member.name)
    return name in alone and "/" in name and not member.isdir()


def canonical(name: str) -> str:
    """A path without its leading dot and slash, as on a system with merged /usr."""
    path = name.removeprefix(".").strip("/")
    top = path.split("/")[0]
    return f"usr/{path}" if top in ("bin", "sbin", "lib", "lib64") and path != top else path
