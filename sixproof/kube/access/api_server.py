"""Where requests go: the API server's URL, and the proxy in between, as client-go handles them."""

from __future__ import annotations

import dataclasses
import urllib.parse

from sixproof.errors import ClusterUnreachable
from sixproof.kube.access import environment_proxy
from sixproof.kube.access.credentials import basic
from sixproof.kube.api.json_fields import one_line


@dataclasses.dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: its URL without credentials, and the headers that carry them. `source` names where
    it is set: ``proxy-url of cluster 'c'``, ``$HTTPS_PROXY``."""

    url: str
    headers: dict[str, str]
    source: str


def server(text: str, name: str, *, secured: bool) -> str:
    """The URL of an API server; one without a scheme is https where the cluster or the user has
    certificates (`secured`), as in client-go.

    Raises:
        ClusterUnreachable: it is empty or not the URL of a server.
    """
    whose = f"cluster {one_line(repr(name), 120)}"
    if not text.strip():
        raise ClusterUnreachable(f"{whose} has no server")
    url = text.strip()
    if "://" not in url:
        url = f"{'https' if secured else 'http'}://{url}"
        if _path(url):
            url = ""
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        raise ClusterUnreachable(
            f"server of {whose} is {one_line(repr(_without_login(text)), 200)}; "
            "wanted is a URL such as https://HOST:PORT"
        )
    if parts.username is not None:  # it would be in every report
        raise ClusterUnreachable(f"server of {whose} holds a login; write it as that of the user")
    return url.rstrip("/")


def proxy(host: str, url: str, name: str) -> Proxy | None:
    """The proxy to a server: the cluster's `url`, else that of the environment, if any.

    Raises:
        ClusterUnreachable: not a kind of proxy that both requests and exec streams can use.
    """
    source = f"proxy-url of cluster {one_line(repr(name), 120)}"
    if not url:
        url, variable = environment_proxy.proxy_url(host)
        if not url:
            return None
        source = f"${variable}"
        url = url if "://" in url else f"http://{url}"
    parts = _split(url)
    shown = one_line(repr(_without_login(url)), 200)
    if parts is None or parts.scheme != "http":
        # Exec streams, which carry the requests to agents, support no other kind.
        raise ClusterUnreachable(
            f"{source} is {shown}; only http://HOST:PORT can be used as a proxy"
            + (", for SOCKS forward a port (ssh -L)" if url.lower().startswith("socks") else "")
        )
    headers = {}
    if parts.username is not None:
        login = map(urllib.parse.unquote, (parts.username, parts.password or ""))
        headers = {"proxy-authorization": basic(*login)}
    return Proxy(_without_login(url), headers, source)


def _split(url: str) -> urllib.parse.SplitResult | None:
    """The parts of a URL, None where it names no host or an impossible port."""
    try:
        parts = urllib.parse.urlsplit(url)
        parts.port  # noqa: B018 - raises where it is none
        host = parts.hostname or ""
    except ValueError:
        return None
    return parts if host and is_host_name(host) and _is_one_word(url) else None


def is_host_name(name: str) -> bool:
    """Whether a name can be looked up and appear in a certificate: one in IDNA (RFC 5890)."""
    try:
        return bool(name.encode("idna"))
    except UnicodeError:
        return False


def _is_one_word(text: str) -> bool:
    return text.isprintable() and not any(map(str.isspace, text))


def _path(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).path.strip("/")
    except ValueError:
        return url


def _without_login(url: str) -> str:
    """The URL without user and password, which no message may show."""
    scheme, separator, rest = url.rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}".rstrip("/")
