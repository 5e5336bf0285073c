"""Where the bed keeps its files: one folder outside the checkout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder of generated files and the names in it."""

    root: Path

    @property
    def binaries(self) -> Path:
        return self.root / "bin"

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def engine(self) -> Path:
        return self.root / "engine"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def clusters(self) -> Path:
        return self.root / "clusters"

    def cluster(self, name: str) -> Path:
        return self.clusters / name

    def prepare(self) -> None:
        for folder in (self.binaries, self.layers, self.engine, self.logs):
            folder.mkdir(parents=True, exist_ok=True)


def cache(env: Mapping[str, str] = os.environ) -> Cache:
    """SIX_CACHE, else sixproof under XDG_CACHE_HOME, else under ~/.cache."""
    if chosen := env.get("SIX_CACHE"):
        return Cache(Path(chosen).expanduser().absolute())
    base = env.get("XDG_CACHE_HOME") or "~/.cache"
    return Cache(Path(base).expanduser().absolute() / "sixproof")
