"""A judged item of the check-list. Not seen is never ok."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence

from sixproof.model import Family


@dataclasses.dataclass(frozen=True, slots=True)
class ItemFault:
    """What is wrong at a place, the family that it concerns, None where it has none, and the node
    where it is, "" where it is on none."""

    text: str
    family: Family | None = None
    node: str = ""


class State(enum.StrEnum):
    """How an item is."""

    OK = "ok"
    NOT_OK = "not ok"
    NOT_SEEN = "not seen"
    NOT_USED = "not used"  # this cluster does without: there is nothing to judge


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """One item: its `code`, the property that must hold, how it is, and what was seen.

    `remedy` is set where it is not ok; `where` are files of the bundle that hold the values, and
    `families` those that what is wrong concerns, empty where it may concern all, `nodes` those
    where it is.
    """

    code: str
    title: str
    state: State
    seen: tuple[str, ...]
    remedy: str = ""
    where: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    nodes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """What an item is about, before it is judged."""

    code: str
    title: str
    where: tuple[str, ...]
    remedy: str

    def ok(self, *seen: str) -> Judged:
        """It holds."""
        return self._judged(State.OK, seen)

    def unseen(self, *why: str) -> Judged:
        """It could not be judged."""
        return self._judged(State.NOT_SEEN, why)

    def unused(self, *why: str) -> Judged:
        """This cluster does without."""
        return self._judged(State.NOT_USED, why)

    def of_places(
        self, wrong: Sequence[ItemFault], unseen: Mapping[str, str], good: Sequence[str], ok: str
    ) -> Judged:
        """Judged place by place: what is `wrong` outweighs places that are `unseen` (with why
        not), which outweigh those that are `good`; `ok` is said where all are."""
        blind = [f"{place}: {why}" for place, why in unseen.items()]
        if wrong:
            said = dict.fromkeys(fault.text for fault in wrong)
            met = {fault.family for fault in wrong}
            families = () if None in met else tuple(f for f in Family if f in met)
            judged = self._judged(State.NOT_OK, (*said, *blind))
            nodes = tuple(dict.fromkeys(fault.node for fault in wrong if fault.node))
            return dataclasses.replace(judged, families=families, nodes=nodes)
        if blind:
            return self._judged(State.NOT_SEEN, blind)
        if not good:
            return self._judged(State.NOT_SEEN, ("there was nothing to ask",))
        return self._judged(State.OK, (ok,))

    def _judged(self, state: State, seen: Sequence[str]) -> Judged:
        remedy = self.remedy if state is State.NOT_OK else ""
        return Judged(self.code, self.title, state, tuple(seen), remedy, self.where)
