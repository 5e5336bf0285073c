"""BIRD and runit from Debian, and Calico's own files that run them, read from its Go module.

Calico's calico-node image has its own build of BIRD. Debian's 1.6 accepts the same configuration
except for four statements about IP-in-IP, which are removed: the bed cannot use pools with IPIP.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from testbed.build import rootfs
from testbed.build.archive import ArchiveEntry
from testbed.errors import BedError

PACKAGES = ("bird", "runit")
PROGRAMS = (
    *("usr/sbin/bird", "usr/sbin/bird6", "usr/sbin/birdc", "usr/sbin/birdc6"),
    *("usr/bin/chpst", "usr/bin/runsv", "usr/bin/runsvdir", "usr/bin/sv", "usr/bin/svlogd"),
)
LIVENESS = ArchiveEntry("usr/bin/birdcl", link="../sbin/birdc")
"""The program that calico-node -bird-live runs as /bin/birdcl for both families; Debian has another
name for it. Without it the kubelet ends calico-node once a minute."""
_FILES = "node/filesystem"
_CONFD = "confd/etc/calico/confd"
_TEMPLATE = "templates/bird_ipam.cfg.template"
_CROSS_SUBNET = re.compile(
    r"^ *if defined\(bgp_next_hop\)[^\n]*\n *krt_tunnel[^\n]*\n *else\n *krt_tunnel[^\n]*\n", re.M
)
_TUNNEL = re.compile(r"^ *krt_tunnel = [^\n]*\n", re.M)


def programs(into: Path, report: Callable[[str], None]) -> Path:
    """A folder with the programs of both packages; none of them is configured or started."""
    key = hashlib.sha256(repr((PACKAGES, PROGRAMS, rootfs.key())).encode()).hexdigest()[:16]
    done = into / f"routing-{key}"
    if all((done / name).is_file() for name in PROGRAMS):
        return done
    whole = into / f"routing-{key}.part.tar"
    report("fetching BIRD and runit")
    rootfs.bootstrap(whole, PACKAGES, variant="extract")
    with tarfile.open(whole) as archive:
        members = {rootfs.canonical(member.name): member for member in archive}
        for name in PROGRAMS:
            data = archive.extractfile(members[name]) if name in members else None
            if data is None:
                raise BedError(f"{name} in Debian's packages", seen="absent", remedy=rootfs.REMEDY)
            path = done / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.read())
    whole.unlink()
    return done


def bird(programs: Path) -> list[ArchiveEntry]:
    """The programs, and their client under the name that Calico uses."""
    return [*(ArchiveEntry(name, source=programs / name) for name in PROGRAMS), LIVENESS]


def supervised(module: Path) -> list[ArchiveEntry]:
    """Calico's service folders, their start script and the templates of BIRD's configuration, from
    its module's folder; module files have no execute bits.

    Raises:
        BedError: a template has statements that Debian's BIRD does not know.
    """
    start = module / _FILES
    return [
        ArchiveEntry("etc/rc.local", source=start / "etc/rc.local"),
        ArchiveEntry("usr/sbin/start_runit", source=start / "sbin/start_runit"),
        *_tree(start / "etc/service/available", "etc/service/available"),
        *(e for e in _tree(module / _CONFD, "etc/calico/confd") if not e.path.endswith(_TEMPLATE)),
        ArchiveEntry(
            f"etc/calico/confd/{_TEMPLATE}",
            text=without_tunnels((module / _CONFD / _TEMPLATE).read_text()),
            mode=0o644,
        ),
    ]


def without_tunnels(template: str) -> str:
    """The template of BIRD's filters without the choice of an IP-in-IP device."""
    text = _TUNNEL.sub("", _CROSS_SUBNET.sub("", template))
    if "krt_tunnel" in text:
        raise BedError(
            "BIRD's template of Calico's module without krt_tunnel once known statements are gone",
            seen=next(line.strip() for line in text.splitlines() if "krt_tunnel" in line),
            remedy="teach testbed/build/routing.py the new form",
        )
    return text


def _tree(folder: Path, into: str) -> Iterator[ArchiveEntry]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield ArchiveEntry(f"{into}/{path.relative_to(folder)}", source=path)
