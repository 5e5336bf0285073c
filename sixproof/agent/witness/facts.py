"""The pod's own facts: fixed files of /proc and /sys, nothing by name."""

from __future__ import annotations

import ipaddress
import os
import sys

from sixproof.agent import files, protocol

TCP_SYN_RECV = "03"


SYSCTLS = (
    "net/ipv6/conf/all/disable_ipv6",
    "net/ipv6/conf/all/forwarding",
    "net/ipv6/conf/all/accept_ra",
    "net/ipv6/conf/default/disable_ipv6",
    "net/ipv4/ping_group_range",
    "net/ipv6/route/mtu_expires",
)
IFA_FLAGS = {
    0x04: "optimistic",
    0x08: "dadfailed",
    0x20: "deprecated",
    0x40: "tentative",
    0x80: "permanent",
}


def rss_kib() -> int:
    """This process's resident memory; getrusage would report the peak of its parent."""
    for line in files.read("/proc/self/status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def inspected() -> protocol.Inspected:
    """The pod's interfaces, IPv6 addresses, sysctls, counters and resolver."""
    addresses = []
    for line in files.read("/proc/net/if_inet6").splitlines():
        raw, _, prefix, _, flags, interface = line.split()
        names = [name for bit, name in IFA_FLAGS.items() if int(flags, 16) & bit]
        address = str(ipaddress.IPv6Address(bytes.fromhex(raw)))
        addresses.append(protocol.AddressSeen(interface, address, int(prefix, 16), names))
    try:
        interfaces = sorted(os.listdir("/sys/class/net"))  # noqa: PTH208
    except OSError:
        interfaces = []
    mtus = {name: files.read(f"/sys/class/net/{name}/mtu").strip() for name in interfaces}
    counters = counters_v6(files.read("/proc/net/snmp6"))
    counters |= counters_v4(files.read("/proc/net/snmp"))
    return protocol.Inspected(
        mtus={name: int(mtu) for name, mtu in mtus.items() if mtu.isdigit()},
        ipv6=addresses,
        sysctls={name: files.read(f"/proc/sys/{name}").strip() for name in SYSCTLS},
        resolv_conf=files.read("/etc/resolv.conf"),
        counters=counters,
    )


def counters_v6(text: str) -> dict[str, int]:
    """The counters of /proc/net/snmp6: one name and value per line."""
    rows = (line.split() for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def counters_v4(text: str) -> dict[str, int]:
    """The counters of /proc/net/snmp as ``IpFragFails``: a line of names, a line of values."""
    lines = [line.split() for line in text.splitlines()]
    return {
        names[0].rstrip(":") + name: int(value)
        for names, values in zip(lines[::2], lines[1::2], strict=False)
        if names and values and names[0] == values[0]
        for name, value in zip(names[1:], values[1:], strict=False)
        if value.isdigit()
    }


def sockets(text: str) -> dict[str, int]:
    """The numbers of /proc/net/sockstat as ``TCP_inuse``: a protocol, then words and values."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, *words = line.split() or [""]
        for word, value in zip(words[::2], words[1::2], strict=False):
            if value.isdigit():
                found[f"{name.rstrip(':')}_{word}"] = int(value)
    return found


def half_open() -> list[protocol.HalfOpen]:
    """Handshakes that wait for the client's ACK (SYN_RECV in /proc/net/tcp and tcp6)."""
    found = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in files.read(path).splitlines()[1:]:
            parts = line.split()
            if len(parts) > 3 and parts[3] == TCP_SYN_RECV:
                (local, local_port), (peer, peer_port) = map(_proc_address, parts[1:3])
                found.append(protocol.HalfOpen(peer, peer_port, local, local_port))
    return found


def _proc_address(text: str) -> tuple[str, int]:
    raw, port = text.split(":")
    words = [bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8)]
    if sys.byteorder == "big":
        words = [word[::-1] for word in words]
    return str(ipaddress.ip_address(b"".join(words))), int(port, 16)
