"""A connected socket to the API server, on the same path as requests: proxy, TLS, certificates."""

from __future__ import annotations

import socket

import urllib3.util
from urllib3.connection import HTTPConnection, HTTPSConnection

from sixproof.kube.access.config import Access


def connect(access: Access, timeout: float) -> socket.socket:
    """Connect; each step may take `timeout` seconds, and so may each later read and write.

    Raises:
        urllib3.exceptions.HTTPError, OSError: the server cannot be reached.
    """
    connection = _connection(access, timeout)
    try:
        connection.connect()
    except BaseException:
        connection.close()
        raise
    taken = connection.sock
    connection.sock = None  # its end is not the socket's
    return taken


def _connection(access: Access, timeout: float) -> HTTPConnection:
    server = urllib3.util.parse_url(access.server)
    host, port = _bare(server.host), server.port or (443 if server.scheme == "https" else 80)
    first, first_port = host, port
    if access.proxy:
        proxy = urllib3.util.parse_url(access.proxy.url)
        first, first_port = _bare(proxy.host), proxy.port or 80
    configuration = access.configuration
    if server.scheme == "https":
        connection: HTTPConnection = HTTPSConnection(
            first,
            first_port,
            timeout=timeout,
            cert_reqs="CERT_REQUIRED" if configuration.verify_ssl else "CERT_NONE",
            ca_certs=configuration.ssl_ca_cert,
            cert_file=configuration.cert_file,
            key_file=configuration.key_file,
            server_hostname=configuration.tls_server_name,
        )
    else:
        connection = HTTPConnection(first, first_port, timeout=timeout)
    if access.proxy:
        connection.set_tunnel(host, port, access.proxy.headers)
    return connection


def _bare(host: str | None) -> str:
    return (host or "").strip("[]")
