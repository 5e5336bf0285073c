"""A class name means one thing, in the library, the plugin and the test bed."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("sixproof", "fixtures", "testbed")

TWICE = {
    # The test bed imports nothing of the harness, and has its own.
    *("Bgp", "Encapsulation", "Family"),
}


def classes(folder: str) -> Iterator[tuple[str, str]]:
    """The name and the place of every class below a folder, nested ones too."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_no_class_name_is_defined_twice() -> None:
    """Who searches for a class finds one. What is let through is listed, and nothing else is."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for folder in FOLDERS:
        for name, place in classes(folder):
            places[name].append(place)
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: twice[name] for name in twice.keys() - TWICE} == {}
    assert TWICE - twice.keys() == set(), "listed, and defined once"
