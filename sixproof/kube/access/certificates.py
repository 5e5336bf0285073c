"""Certificates of a kubeconfig: stored where the TLS library can read them, and checked."""

from __future__ import annotations

import base64
import binascii
import datetime
import ssl
from pathlib import Path

from sixproof.errors import ClusterUnreachable
from sixproof.kube.access.kubeconfig import KubeconfigEntry
from sixproof.kube.access.private_files import PrivateFiles
from sixproof.kube.api.json_fields import one_line


def authority(entry: KubeconfigEntry, name: str, files: PrivateFiles) -> Path | None:
    """The CA certificates of a cluster, None for those of this machine.

    Raises:
        ClusterUnreachable: they cannot be read or are no certificates.
    """
    path = _file(entry, "certificate-authority", f"cluster {_quoted(name)}", files)
    if path is not None:
        try:
            ssl.create_default_context(cafile=str(path))
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ClusterUnreachable(
                f"certificate-authority of cluster {_quoted(name)} holds no certificate in PEM form"
            ) from error
    return path


def client(entry: KubeconfigEntry, name: str, files: PrivateFiles) -> tuple[Path, Path] | None:
    """The certificate of a user and its key, None where it has none.

    Raises:
        ClusterUnreachable: one of them is missing or cannot be read, or they do not match.
    """
    whose = f"user {_quoted(name)}"
    certificate = _file(entry, "client-certificate", whose, files)
    key = _file(entry, "client-key", whose, files)
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        lacks = "client-certificate" if certificate is None else "client-key"
        raise ClusterUnreachable(f"{whose} has one half of a client certificate: no {lacks}")
    check_pair(certificate, key, whose)
    return certificate, key


def check_pair(certificate: Path, key: Path, whose: str) -> None:
    """Raises: ClusterUnreachable if the TLS library cannot use the pair."""

    def no_passphrase() -> str:  # otherwise OpenSSL would prompt at the terminal, and wait
        raise ValueError("it is encrypted")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate, key, no_passphrase)
    except ValueError as error:
        raise ClusterUnreachable(
            f"client-key of {whose} is encrypted, which kubeconfigs do not know"
        ) from error
    except OSError as error:
        raise ClusterUnreachable(
            f"client-certificate and client-key of {whose} are no pair in PEM form"
        ) from error


def ended(certificate: str | None) -> str:
    """When a certificate expired, "" where it has not or that is unknown."""
    end = _end(certificate)
    past = end is not None and end < datetime.datetime.now(datetime.UTC)
    return f"{end:%Y-%m-%d %H:%M} UTC" if past else ""


def _end(certificate: str | None) -> datetime.datetime | None:
    # The standard library decodes only a peer's certificate; this is the function behind it.
    decode = getattr(getattr(ssl, "_ssl", None), "_test_decode_cert", None)
    if not certificate or decode is None:
        return None
    try:
        seconds = ssl.cert_time_to_seconds(decode(certificate)["notAfter"])
    except (OSError, KeyError, ValueError):
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _file(entry: KubeconfigEntry, key: str, whose: str, files: PrivateFiles) -> Path | None:
    """The file of a field or of its ``-data`` twin, which takes precedence."""
    if data := entry.text(f"{key}-data"):
        try:
            return files.write(f"{key}.pem", base64.b64decode("".join(data.split()), validate=True))
        except (binascii.Error, ValueError) as error:
            raise ClusterUnreachable(f"{key}-data of {whose} is not base64") from error
        except OSError as error:
            raise ClusterUnreachable(
                f"{key}-data of {whose} cannot be put into a file: {one_line(error)}"
            ) from error
    path = entry.path(key)
    if path is not None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise ClusterUnreachable(
                f"{key} of {whose}: {path}: {(error.strerror or 'unreadable').lower()}"
            ) from error
    return path


def _quoted(name: str) -> str:
    return one_line(repr(name), 120)
