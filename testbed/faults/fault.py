"""What a fault is: where it goes, how it is made, proven and undone. One TOML file per fault."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from testbed.errors import BedError

CATALOGUE = Path(__file__).parent / "catalogue"
FAMILIES = ("IPv6", "IPv4")


class Place(StrEnum):
    """Where a fault's scripts run: in a node, in a pod's network namespace, at the API."""

    NODE = "node"
    POD = "pod"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. Scripts are POSIX shell on a node, with the variables of target.py set.

    `save` prints what `undo` needs to restore (kept in $SAVED by the first injection); `inject` and
    `undo` may run twice; while the fault is in force `keep` runs again 0.2 s after it ended;
    `proof` prints the evidence and fails while the effect cannot be shown. A passing fault leaves
    nothing to undo. A fault of `calico` acts on Calico's objects, and is for beds with Calico only.
    """

    name: str
    title: str
    report: str
    place: Place
    families: tuple[str, ...]
    inject: str
    proof: str
    undo: str = ""
    save: str = ""
    keep: str = ""
    value: str = ""
    passing: bool = False
    calico: bool = False

    def family(self, asked: str | None) -> str:
        """The requested family, else the fault's first; raises BedError for another."""
        if asked is None:
            return self.families[0]
        if asked not in self.families:
            raise BedError(
                f"fault {self.name} over {' or '.join(self.families)}",
                seen=asked,
                remedy="leave --family out, or choose one of these",
            )
        return asked


def parse(name: str, text: str) -> Fault:
    """A fault from its file's text; unknown and missing keys are errors."""
    values = tomllib.loads(text)
    values["place"] = Place(values["place"])
    values["families"] = tuple(values.get("families", FAMILIES))
    values["value"] = str(values.get("value", ""))
    try:
        fault = Fault(name=name, **values)
    except TypeError as error:
        raise BedError(f"fault {name} to have the keys of a fault", seen=str(error)) from error
    if not fault.passing and not fault.undo:
        raise BedError(
            f"fault {name} to say how it is undone", remedy="add undo, or passing = true"
        )
    return fault


def catalogue(folder: Path = CATALOGUE) -> dict[str, Fault]:
    """Every fault by name."""
    return {p.stem: parse(p.stem, p.read_text()) for p in sorted(folder.glob("*.toml"))}


def find(name: str) -> Fault:
    known = catalogue()
    for fault in known.values():
        if fault.name.lower() == name.lower():
            return fault
    raise BedError(
        f"a fault named {name}",
        seen=f"there are: {', '.join(known)}",
        remedy="python -m testbed faults list",
    )
