"""YAML as kind, kubectl and Calico's manifests use it: the bed's own reader, for trusted texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml


def documents(text: str) -> list[Any]:
    """The content of a text's documents, without empty ones."""
    return [document for document in yaml.safe_load_all(text) if document is not None]


def written(values: Iterable[Any]) -> str:
    """A YAML document for each of the values, which keep the order of their keys."""
    return str(yaml.safe_dump_all(values, sort_keys=False))
