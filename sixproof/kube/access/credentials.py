"""Who we are to the API server: an ``Authorization`` header or a client certificate.

Every source is safe to ask from many threads; one of them renews, the others wait for it.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sixproof.errors import ClusterUnreachable
from sixproof.kube.access.exec_plugin import Plugin, Say
from sixproof.kube.access.private_files import PrivateFiles
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest

TOKEN_FILE_PERIOD = 60.0
"""Seconds after which a file with a token is read again, as client-go does."""
EARLY = 60.0
"""Seconds before their end in which credentials are renewed; less for short-lived ones."""

AT_LEAST = 5.0
"""Minimum seconds for which a plugin's credentials are used, whatever expiry they have."""


class Credentials(Protocol):
    """A source of credentials."""

    def header(self) -> str:
        """The value of ``Authorization``, "" for none. Raises: ClusterUnreachable."""
        ...

    def refused(self, header: str) -> bool:
        """Whether better ones may exist, now that the API server has refused this header."""
        ...


class Fixed:
    """A token or a password from the kubeconfig, or nothing at all."""

    def __init__(self, header: str = "") -> None:
        self._header = header

    def header(self) -> str:
        """Always the same."""
        return self._header

    def refused(self, header: str) -> bool:  # noqa: ARG002 - the protocol's name
        """There are no others."""
        return False


class TokenFile:
    """A file that another process keeps up to date."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises: ClusterUnreachable where the file cannot be read or is empty."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._token = self._read()
        self._read_at = clock()

    def header(self) -> str:
        """The token; if the file cannot be read again, the last one is kept."""
        with self._lock:
            if self._clock() - self._read_at > TOKEN_FILE_PERIOD:
                self._renew()
            return f"Bearer {self._token}"

    def refused(self, header: str) -> bool:
        """Whether the file holds another token by now."""
        with self._lock:
            self._renew()
            return header != f"Bearer {self._token}"

    def _renew(self) -> None:
        self._read_at = self._clock()
        # One that cannot be read is probably being replaced; if the token is too old it will be
        # refused.
        with contextlib.suppress(ClusterUnreachable):
            self._token = self._read()

    def _read(self) -> str:
        try:
            # Trailing spaces and newlines from an editor are not part of the token.
            token = self._path.read_text().strip() if self._path.is_file() else ""
        except (OSError, ValueError) as error:
            raise ClusterUnreachable(f"tokenFile {self._path} cannot be read: {error}") from error
        if not token:
            raise ClusterUnreachable(f"tokenFile {self._path} is missing or empty")
        bearer(token, f"what tokenFile {self._path} holds")
        return token


class FromPlugin:
    """A credential plugin's credentials, until they expire or are refused; then it is run again.

    A certificate is written to `certificate`, with its key: later connections use the new one.
    """

    def __init__(self, plugin: Plugin, files: PrivateFiles, say: Say | None) -> None:
        """Run the plugin. Raises: ClusterUnreachable."""
        self._plugin = plugin
        self._files = files
        self._say = say
        self._lock = threading.Lock()
        self.certificate: Path | None = None
        self._end: datetime.datetime | None = None
        self._renew_at: datetime.datetime | None = None
        self._keep(plugin.run(say))

    def header(self) -> str:
        """The token, "" where the plugin gives only a certificate."""
        with self._lock:
            now = datetime.datetime.now(datetime.UTC)
            if self._renew_at is not None and now >= self._renew_at:
                try:
                    self._keep(self._plugin.run(self._say))
                except ClusterUnreachable:
                    if self._end is None or now >= self._end:
                        raise
                    # The current credentials are still good; a failing plugin is not run for each
                    # request.
                    self._renew_at = min(self._end, now + datetime.timedelta(seconds=EARLY / 4))
            return self._header

    def refused(self, header: str) -> bool:
        """Run the plugin again, unless another thread has done so since."""
        with self._lock:
            if header == self._header:
                self._keep(self._plugin.run(self._say))
            return True

    def _keep(self, status: Manifest) -> None:
        now = datetime.datetime.now(datetime.UTC)
        token = json_fields.text(status, "token").strip()
        self._header = bearer(token, "the credential plugin's token") if token else ""
        certificate = json_fields.text(status, "clientCertificateData")
        if certificate:
            pair = f"{certificate.rstrip()}\n{json_fields.text(status, 'clientKeyData').strip()}\n"
            self.certificate = self._files.write("plugin.pem", pair.encode())
        self._end = json_fields.time_of(status, "expirationTimestamp")
        self._renew_at = None
        if self._end is not None:
            early = min(datetime.timedelta(seconds=EARLY), (self._end - now) / 5)
            # A clock that differs from the issuer's must not run the plugin for each request.
            self._renew_at = max(self._end - early, now + datetime.timedelta(seconds=AT_LEAST))


def bearer(token: str, what: str) -> str:
    """The header of a bearer token (RFC 6750); an error never shows the token.

    Raises:
        ClusterUnreachable: no header can carry it.
    """
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ClusterUnreachable(f"{what} is no token: more than one line or word, or not ASCII")
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    """The header of HTTP basic authentication (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
