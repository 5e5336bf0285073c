"""What is in an archive."""

from __future__ import annotations

import io
import tarfile


def unpacked(body: bytes) -> dict[str, str]:
    """The text of every file, by its path below the archive's folder."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
        for entry in tar.getmembers():
            stream = tar.extractfile(entry)
            assert stream is not None
            found[entry.name.removeprefix("diagnostics/")] = stream.read().decode()
    return found
