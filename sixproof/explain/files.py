"""The files of a question: read completely, with the location of each document, and with everything
that is wrong with them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from sixproof import yaml_text
from sixproof.errors import TextError, brief
from sixproof.policy.manifests.placed import Placed

SUFFIXES = (".yaml", ".yml", ".json")
"""Suffixes of files read from a directory."""
LARGEST = 64 << 20
"""Maximum bytes of a file; a dump of a cluster with a thousand pods has some twenty million."""
MOST_FILES = 10_000
STDIN = "-"


@dataclasses.dataclass(slots=True)
class Files:
    """The content of files: documents with their locations, why some cannot be read, and notes."""

    documents: list[Placed] = dataclasses.field(default_factory=list)
    unread: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, paths: Iterable[str], *, deep: bool = False) -> Files:
        """The documents of files, of the files in directories (`deep`: including subdirectories),
        and of standard input (``-``). A named file without content is an error: what should have
        written it has failed."""
        files = cls()
        given = list(paths)
        if given.count(STDIN) > 1:
            files.unread.append("standard input is named twice, it can be read once")
        for path in dict.fromkeys(given):
            if path != STDIN and _is_directory(path):
                files._directory(Path(path), deep=deep)
            elif not files._read(path):
                said = "standard input is empty" if path == STDIN else f"{_short(path)}: is empty"
                files.unread.append(f"{said}, it holds no document: what writes it may have failed")
        return files

    def _directory(self, path: Path, *, deep: bool) -> None:
        try:
            found = [p for p in _inside(path, deep=deep) if p.suffix in SUFFIXES and p.is_file()]
        except OSError as bad:
            self.unread.append(f"{_short(path)}: cannot be read: {bad.strerror}")
            return
        if not found:
            below = "" if deep else " (directories below it are read with --recursive)"
            ends = ", ".join(SUFFIXES)
            self.unread.append(f"{_short(path)}: holds no file that ends in {ends}{below}")
        if len(found) > MOST_FILES:
            self.unread.append(f"{_short(path)}: holds more than {MOST_FILES} files: name some")
        for file in sorted(found)[:MOST_FILES]:
            if not self._read(str(file)):
                self.notes.append(f"{_short(file)} holds no document")

    def _read(self, path: str) -> bool:
        """Read one file; whether it has any content, even if unreadable."""
        name = "standard input" if path == STDIN else _short(path)
        try:
            found = yaml_text.read(_text(path))
        except TextError as bad:
            place = f"document {bad.document}, line {bad.line}"
            self.unread.append(f"{name}: {place}: no readable YAML: {bad.reason}")
            return True
        except (OSError, ValueError) as bad:
            why = bad.strerror if isinstance(bad, OSError) and bad.strerror else brief(str(bad))
            self.unread.append(f"{name}: cannot be read: {why}")
            return True
        for one in found:
            self.notes += [f"{name}: {repeated}" for repeated in one.repeated]
            place = f"{name}: document {one.number}, line {one.line}"
            self.documents.append(Placed(one.value, place))
        return bool(found)


def _is_directory(path: str) -> bool:
    """Whether it is one; what cannot be looked at is read as a file, which says why not."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def _inside(path: Path, *, deep: bool) -> Iterator[Path]:
    return path.rglob("*") if deep else path.iterdir()


def _text(path: str) -> str:
    """The text of a file, which is UTF-8 whatever the locale.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8, or larger than `LARGEST`.
    """
    if path == STDIN:
        if sys.stdin is None:
            raise ValueError("it is closed")
        raw = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with Path(path).open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
    return yaml_text.decoded(raw)


def _short(path: str | Path) -> str:
    return brief(str(path), 200)
