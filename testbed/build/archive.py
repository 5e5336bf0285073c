"""Container images as tar archives, for `docker load`, written without an engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """A file (from `source` or `text`), symbolic link (`link`) or folder (none) of a layer."""

    path: str
    source: Path | None = None
    text: str | None = None
    link: str | None = None
    mode: int = 0o755
    owner: int = 0

    def identity(self) -> str:
        """The entry's part of a cache key; a file built elsewhere is named by its keyed path."""
        return repr((self.path, str(self.source), self.text, self.link, self.mode, self.owner))


@dataclass(frozen=True, slots=True)
class Image:
    """An image: layers by file, lowest first, and how its process starts."""

    reference: str
    layers: tuple[Path, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    user: str = ""
    folder: str = "/"
    labels: dict[str, str] = field(default_factory=dict)
    stop_signal: str = ""


def write_layer(path: Path, entries: Sequence[ArchiveEntry]) -> Path:
    """Write a layer's tar file; the same entries give the same bytes."""
    part = path.with_suffix(".part")
    with tarfile.open(part, "w") as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.path.strip("/"))
            info.mode, info.uid, info.gid = entry.mode, entry.owner, entry.owner
            if entry.link is not None:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
                tar.addfile(info)
            elif entry.source is not None:
                info.size = entry.source.stat().st_size
                with entry.source.open("rb") as data:
                    tar.addfile(info, data)
            elif entry.text is not None:
                data_bytes = entry.text.encode()
                info.size = len(data_bytes)
                tar.addfile(info, io.BytesIO(data_bytes))
            else:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
    part.rename(path)
    return path


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def configuration(image: Image, digests: dict[Path, str]) -> bytes:
    """The image's configuration as defined by the OCI image specification."""
    process: dict[str, object] = {
        "Entrypoint": list(image.entrypoint) or None,
        "Cmd": list(image.command) or None,
        "Env": list(image.env),
        "User": image.user,
        "WorkingDir": image.folder,
        "Labels": image.labels or None,
    }
    if image.stop_signal:
        process["StopSignal"] = image.stop_signal
    machine = os.uname().machine
    whole = {
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": process,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digests[p]}" for p in image.layers]},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "sixproof testbed"}]
        * len(image.layers),
    }
    return json.dumps(whole, sort_keys=True).encode()


def write_archive(path: Path, images: Iterable[Image]) -> Path:
    """Write images as one archive for `docker load` and `ctr images import`; shared layers once."""
    wanted = list(images)
    digests = {layer: digest(layer) for layer in {p for image in wanted for p in image.layers}}
    part = path.with_suffix(".part")
    manifest = []
    with tarfile.open(part, "w") as tar:
        for layer, name in sorted(digests.items(), key=lambda pair: pair[1]):
            tar.add(layer, arcname=f"{name}.tar", filter=_anonymous)
        for image in wanted:
            text = configuration(image, digests)
            name = hashlib.sha256(text).hexdigest()
            _put(tar, f"{name}.json", text)
            manifest.append(
                {
                    "Config": f"{name}.json",
                    "RepoTags": [image.reference],
                    "Layers": [f"{digests[layer]}.tar" for layer in image.layers],
                }
            )
        _put(tar, "manifest.json", json.dumps(manifest).encode())
    part.rename(path)
    return path


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    return info


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
