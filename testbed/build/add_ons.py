"""Images of what only some variants run: imported into the nodes of their beds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from testbed.build import archive, gobuild
from testbed.build.archive import ArchiveEntry, Image
from testbed.host.paths import Cache

METALLB_IMAGES = tuple(
    f"quay.io/metallb/{name}:{gobuild.METALLB_VERSION}" for name in gobuild.METALLB.programs
)


def metallb(cache: Cache, report: Callable[[str], None]) -> Path:
    """The archive with MetalLB's controller and speaker, built where it is not there."""
    programs = gobuild.build(gobuild.METALLB, cache.binaries, report)
    images = []
    for reference, name in zip(METALLB_IMAGES, gobuild.METALLB.programs, strict=True):
        entry = ArchiveEntry(name, source=programs / name)
        path = cache.layers / f"metallb-{name}-{_key(entry.identity())}.tar"
        layer = path if path.is_file() else archive.write_layer(path, [entry])
        images.append(Image(reference, (layer,), entrypoint=(f"/{name}",)))
    path = cache.layers / f"metallb-images-{_key(repr(images))}.tar"
    return path if path.is_file() else archive.write_archive(path, images)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
