"""An image of this checkout for the bed's own nodes: what deploy/Dockerfile makes where there is an
index, from the environment that runs here."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution
from pathlib import Path

from testbed.build import archive
from testbed.build.archive import ArchiveEntry, Image
from testbed.build.recipes import ROOT

REFERENCE = "sixproof.test/sixproof:bed"
_HOME = "opt/sixproof"
_OURS = ("sixproof", "fixtures", "manifests", "suites", "testbed")
_FILES = ("conftest.py", "pyproject.toml")
_CACHE = "__pycache__"


def write(path: Path, base: Path) -> Path:
    """Write the archive of the image, for `ctr images import`, on the layer `base`, which has
    Python. Its release must be that of this process: dependencies have compiled parts."""
    layer = archive.write_layer(path.with_suffix(".layer"), list(_entries()))
    image = Image(
        REFERENCE,
        (base, layer),
        entrypoint=("python3", "-P", "-m", "sixproof"),
        env=(
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            f"PYTHONPATH=/{_HOME}",
            "PYTHONDONTWRITEBYTECODE=1",
            "PYTHONUNBUFFERED=1",
            "HOME=/tmp",
        ),
        user="65532:65532",
        folder="/reports",
    )
    return archive.write_archive(path, [image])


def _entries() -> Iterator[ArchiveEntry]:
    for name in _OURS:
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file() and _CACHE not in path.parts:
                yield ArchiveEntry(f"{_HOME}/{path.relative_to(ROOT)}", source=path, mode=0o644)
    for name in _FILES:
        yield ArchiveEntry(f"{_HOME}/{name}", source=ROOT / name, mode=0o644)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for found in _needed(project["dependencies"], {}).values():
        for file in found.files or ():
            path = Path(str(found.locate_file(file)))
            if ".." not in file.parts and _CACHE not in file.parts and path.is_file():
                yield ArchiveEntry(f"{_HOME}/{file}", source=path, mode=0o644)


def _needed(requirements: Iterable[str], found: dict[str, Distribution]) -> dict[str, Distribution]:
    """The distributions that these need, with what they need in turn."""
    for text in requirements:
        name = re.split(r"[^\w.-]", text, maxsplit=1)[0].lower().replace("_", "-")
        if name in found or "extra ==" in text:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of another system or release of Python
        _needed(found[name].requires or (), found)
    return found
