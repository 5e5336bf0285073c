"""The proxy of the environment, as Go's client reads it (golang.org/x/net/http/httpproxy), and
kubectl with it: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY``, each before its lower-case twin.

Python's own reading differs: lower case first, ``.example.com`` also for ``example.com``, no ports
beside addresses.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Mapping

from sixproof.kube.api import json_fields
from sixproof.model import IPAddress, IPNetwork

_PORTS = {"http": 80, "https": 443}
_HOST_AND_PORT = re.compile(r"(?:\[(?P<inner>[^\[\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>\w*)")
_CGI = "REQUEST_METHOD"
"""Set where ``HTTP_PROXY`` may be a header that a client sent (CVE-2016-5385)."""


def proxy_url(url: str, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The proxy for requests to an ``http`` or ``https`` URL, as it is written there, and the
    variable that names it; both "" where requests go directly."""
    parts = urllib.parse.urlsplit(url)
    name, proxy = _variable(f"{parts.scheme}_proxy", environment)
    host, port = _ascii(parts.hostname or ""), parts.port or _PORTS.get(parts.scheme, 0)
    if parts.scheme == "http" and environment.get(_CGI):
        return "", ""
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
    """Whether one entry of ``NO_PROXY`` covers a host: ``*``, a CIDR, else an address or name,
    perhaps with a port. A name covers those below it, ``.name`` and ``*.name`` only these; neither
    covers an address."""
    if entry == "*":
        return True
    address = _address(host)
    if network := _network(entry):
        return address is not None and address in network
    split = _HOST_AND_PORT.fullmatch(entry)
    name, only = (split["inner"] or split["host"] or "", split["port"]) if split else (entry, "")
    if only and only != str(port):
        return False
    if listed := _address(name):
        return listed == address
    name = _ascii(name.removeprefix("*") if name.startswith("*.") else name)
    if address or not name:
        return False
    return host.endswith(name) if name.startswith(".") else f".{host}".endswith(f".{name}")


def _ascii(name: str) -> str:
    """A name as DNS has it (IDNA, RFC 5890), in lower case; unchanged where it is none."""
    leading, rest = ("." if name.startswith(".") else ""), name.lower().removeprefix(".")
    try:
        return leading + rest.encode("idna").decode("ascii")
    except UnicodeError:
        return leading + rest


def _address(text: str) -> IPAddress | None:
    """The address, without its zone; an IPv4-mapped one is that of IPv4."""
    address = json_fields.address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _network(text: str) -> IPNetwork | None:
    _, slash, length = text.rpartition("/")  # 10.0.0.0/255.0.0.0 is no CIDR
    return json_fields.network(text) if slash and length.isdecimal() else None
