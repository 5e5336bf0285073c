"""The proxy of the environment, as Go's client reads it (golang.org/x/net/http/httpproxy), and
kubectl with it: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY``, each before its lower-case twin.

Python's own reading differs: lower case first, ``.example.com`` also for ``example.com``, no ports
beside addresses.
"""

from __future__ import annotations

import ipaddress
import os
import urllib.parse
from collections.abc import Mapping

_PORTS = {"http": 80, "https": 443}


def proxy_url(url: str, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The proxy for requests to an ``http`` or ``https`` URL, as it is written there, and the
    variable that names it; both "" where requests go directly."""
    parts = urllib.parse.urlsplit(url)
    name, proxy = _variable(f"{parts.scheme}_proxy", environment)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    if not proxy or _is_local(host) or _excepted(host, port, _variable("no_proxy", environment)[1]):
        return "", ""
    return proxy, name


def _variable(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    both = ((n, environment.get(n, "")) for n in (name.upper(), name))
    return next((found for found in both if found[1]), ("", ""))


def _is_local(host: str) -> bool:
    """Whether it is this machine, for which Go never uses the environment's proxy."""
    address = _address(host)
    return address.is_loopback if address else host == "localhost"


def _excepted(host: str, port: int, exceptions: str) -> bool:
    entries = [entry.strip().lower() for entry in exceptions.split(",")]
    return any(entry and _matches(entry, host, port) for entry in entries)


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether one of ``NO_PROXY``'s entries covers a host: ``*``, a CIDR (for addresses only),
    else an address or name, perhaps with a port. A name covers those below it; ``.name`` and
    ``*.name`` only these."""
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry and (network := _network(entry)):
        return address is not None and address in network
    name, only = _with_port(entry)
    if only and only != str(port):
        return False
    if listed := _address(name):
        return listed == address
    name = name.removeprefix("*")
    return host.endswith(f".{name.removeprefix('.')}") or host == name


def _with_port(entry: str) -> tuple[str, str]:
    """The host of an entry without brackets, and its port, "" for any."""
    if _address(entry):
        return entry, ""
    host, colon, port = entry.rpartition(":")
    if not colon or host.endswith(":"):
        host, port = entry, ""
    return host.removeprefix("[").removesuffix("]"), port


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
