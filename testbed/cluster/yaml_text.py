"""YAML as kind, kubectl and Calico's manifests have it: the bed's own door, texts are trusted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml


def documents(text: str) -> list[Any]:
    """What the documents of a text hold, those that are empty left out."""
    return [document for document in yaml.safe_load_all(text) if document is not None]


def written(values: Iterable[Any]) -> str:
    """A document for each of the values, which keep the order of their keys."""
    return str(yaml.safe_dump_all(values, sort_keys=False))
