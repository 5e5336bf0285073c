"""Files with secrets that are read by path: certificates, keys, a kubeconfig from a pipe.

Only the user may read them, and they are deleted when the process ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path


class PrivateFiles:
    """A folder created when first needed and removed when the process ends, if not before."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def write(self, name: str, data: bytes) -> Path:
        """Write a file atomically: a reader of the same name sees the old or the new one.

        Raises:
            OSError: it cannot be written.
        """
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sixproof-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        descriptor, draft = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return Path(draft).replace(self._folder / name)
