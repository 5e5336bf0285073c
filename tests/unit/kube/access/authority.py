"""Certificates made at run time, for what a real cluster shows only when something went wrong."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)


class Authority:
    """A CA in a folder of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificate = folder / "ca.crt"
        self._key = folder / "ca.key"
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-days", "2",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", self._key, "-out", self.certificate,
        )  # fmt: skip

    def issue(
        self, name: str, *, addresses: str = "IP:127.0.0.1", dates: tuple[str, str] | None = None
    ) -> tuple[Path, Path]:
        """A certificate and its key; `dates` are its validity as ``YYYYMMDDHHMMSSZ``."""
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={addresses}\nbasicConstraints=CA:FALSE\n")
        _openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-keyout", key, "-out", request,
        )  # fmt: skip
        database = self.folder / f"{name}.db"
        database.touch()
        settings = self.folder / f"{name}.cnf"
        settings.write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={database}\nserial={database}.serial\n"
            f"new_certs_dir={self.folder}\ndefault_md=sha256\npolicy=p\nunique_subject=no\n"
            "[p]\ncommonName=supplied\n"
        )
        begin, end = dates or ("20200101000000Z", "20490101000000Z")
        _openssl(
            "ca", "-batch", "-config", settings, "-rand_serial", "-notext",
            "-cert", self.certificate, "-keyfile", self._key, "-in", request, "-out", certificate,
            "-startdate", begin, "-enddate", end, "-extfile", extensions,
        )  # fmt: skip
        return certificate, key

    def server(self, *, clients: Path | None = None, **how: object) -> ssl.SSLContext:
        """What a TLS server needs; with `clients` it wants certificates that this CA has signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue("server", **how))  # type: ignore[arg-type]
        if clients:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
