"""python3 -m testbed.kindnet: the plugin on its node, until it is ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.kindnet import cni, rules
from testbed.kindnet.api import Api, Mirror, Watched
from testbed.kindnet.rules import ClusterView

AGAIN_SECONDS = 10
"""Seconds after which anything removed from the node is restored."""
GATHERING_SECONDS = 0.05
"""Seconds to wait for further changes: they seldom come alone."""
CONFIG = Path("/etc/cni/net.d/10-kindnet.conflist")
MTU = Path("/sys/class/net/eth0/mtu")
SYSCTLS = {
    # Also while there is no pod for which the ptp plugin would set them: a NodePort is forwarded.
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    # On a pod's link no other node could have the gateway's address; RFC 4862 section 5.1.
    "net/ipv6/conf/default/dad_transmits": "0",
}


def run_with_input(program: list[str], text: str) -> bool:
    """Pass commands to a program; prints its error output."""
    done = subprocess.run(program, input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        print(f"{' '.join(program)}: {done.stderr.strip()[:2000]}", file=sys.stderr, flush=True)
    return done.returncode == 0


def prepare(root: Path = Path("/proc/sys")) -> None:
    """Enable forwarding, and make pods' gateways answer from the first moment."""
    for name, wanted in SYSCTLS.items():
        path = root / name
        if path.exists() and path.read_text().strip() != wanted:
            path.write_text(wanted)


@dataclass(frozen=True)
class Wanted:
    """The wanted state of a node: its rules, its routes by IP version, and its CNI configuration,
    "" while it has no ranges."""

    rules: str
    routes: dict[int, str]
    config: str

    @classmethod
    def of(cls, mirrors: Mapping[str, Mirror], node: str, ranges: list[str], mtu: int) -> Wanted:
        nodes, own = mirrors["nodes"].items(), cni.pod_ranges(mirrors["nodes"].items(), node)
        cluster = ClusterView.of(
            mirrors["pods"].items(),
            mirrors["namespaces"].items(),
            mirrors["networkpolicies"].items(),
        )
        return cls(
            rules.ruleset(cluster, node, ranges),
            {
                v: "".join(f"{r}\n" for r in commands)
                for v, commands in cni.routes(nodes, node).items()
            },
            cni.config(own, mtu) if own else "",
        )


def carry_out(wanted: Wanted, config: Path = CONFIG) -> bool:
    """Apply it to the node; False where part of it failed."""
    well = run_with_input(["nft", "-f", "-"], wanted.rules)
    for version, lines in wanted.routes.items():
        well &= run_with_input(["ip", f"-{version}", "-batch", "-"], lines)
    # Pods come last: none may run before its node enforces policies.
    if well and wanted.config:
        cni.write(config, wanted.config)
    return well


def main() -> None:
    node, ranges = os.environ["NODE_NAME"], os.environ["POD_RANGES"].split(",")
    api, changed = Api.of_the_pod(), threading.Event()
    mirrors = {watched.name: Mirror(api, watched, changed.set) for watched in Watched}
    for mirror in mirrors.values():
        mirror.start()
    done, since = None, 0.0
    while True:
        changed.wait(AGAIN_SECONDS)
        time.sleep(GATHERING_SECONDS)
        changed.clear()
        # An object that is not known yet does not count as missing.
        if not all(mirror.known for mirror in mirrors.values()):
            continue
        wanted = Wanted.of(mirrors, node, ranges, int(MTU.read_text()))
        if wanted != done or time.monotonic() - since >= AGAIN_SECONDS:
            prepare()
            done, since = (wanted if carry_out(wanted) else None), time.monotonic()


if __name__ == "__main__":
    main()
