"""The archive: everything in one tar.gz of a bounded size, the same bytes for the same evidence."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from sixproof.reporting.bundle import index
from sixproof.reporting.bundle.check_list import check_list
from sixproof.reporting.bundle.contents import Content, Written, contents, written
from sixproof.reporting.bundle.evidence import RunEvidence
from sixproof.reporting.bundle.judged import Judged

LARGEST = 5_000_000
"""Bytes of an archive, at most."""
LARGEST_FILE = 1_000_000
"""Bytes of one file in it, as long as the whole fits."""
LARGEST_TOTAL = 12_000_000
"""Bytes of all files together before they are compressed."""
SMALLEST = 1_000_000
"""Bytes of all files to which they are cut at most: whatever they hold, that is small enough."""
MEDIA_TYPE, ENDING = "application/gzip", "tar.gz"
FOLDER = "diagnostics"
"""What an archive unpacks to."""


@dataclasses.dataclass(frozen=True, slots=True)
class Archive:
    """An archive as it is written, and its index (Markdown) by itself."""

    body: bytes
    index: str


def archived(evidence: RunEvidence) -> Archive:
    """The archive.

    Files are cut, the longest first, until the archive is smaller than `LARGEST`; the index says
    which were.
    """
    judged = check_list(evidence)
    parts = contents(evidence, judged)
    total = LARGEST_TOTAL
    while True:
        made, used = _packed(evidence, judged, parts, _share(parts, total))
        if len(made.body) < LARGEST or total <= SMALLEST:
            return made
        total = max(min(total // 2, used * LARGEST // len(made.body) * 4 // 5), SMALLEST)


def write(path: Path, body: bytes) -> None:
    """Write an archive, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        draft.write_bytes(body)
        draft.replace(path)
    except BaseException:  # Ctrl-C too leaves no half file
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _share(parts: Sequence[Content], total: int) -> int:
    """The bytes that each file may have so that all have `total`: small ones leave room to large
    ones."""
    left = total
    sizes = sorted(min(part.size, LARGEST_FILE) for part in parts)
    for number, size in enumerate(sizes):
        fair = left // (len(sizes) - number)
        if size > fair:
            return fair
        left -= size
    return LARGEST_FILE


def _packed(
    evidence: RunEvidence, judged: Sequence[Judged], parts: Sequence[Content], limit: int
) -> tuple[Archive, int]:
    """The archive of files of at most about `limit` bytes, and the bytes of all of them."""
    files = [written(part, limit) for part in parts]
    page = index.page(evidence, judged, files)
    stamp = int(evidence.taken.timestamp())
    packed = io.BytesIO()
    # Neither has a name or a time of now in it: the same evidence gives the same bytes.
    with (
        gzip.GzipFile("", "wb", 6, packed, stamp) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, body in ((index.NAME, page.encode(errors="backslashreplace")), *_bodies(files)):
            entry = tarfile.TarInfo(f"{FOLDER}/{path}")
            entry.size, entry.mtime, entry.mode = len(body), stamp, 0o644
            tar.addfile(entry, io.BytesIO(body))
    return Archive(packed.getvalue(), page), sum(len(file.body) for file in files)


def _bodies(files: Sequence[Written]) -> list[tuple[str, bytes]]:
    return [(file.content.path, file.body) for file in files]
