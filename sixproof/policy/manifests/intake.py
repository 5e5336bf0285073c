"""What a set of objects holds: policies that the oracle judges, other objects, and what was left
out.

Of a whole chart, a cluster dump or a directory the policies are judged, and the rest is left alone.
What *means* to be a policy and is none, by a typo in its kind, its API group or its keys, is an
error: silently left out it would count as "no policy, so all is allowed".
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping

from sixproof.errors import brief
from sixproof.policy.manifests.manifest import Field, Fields, shown
from sixproof.policy.manifests.manifest_compiler import (
    CALICO_GROUP,
    KINDS,
    NAMESPACED,
    OLD_GROUP,
    STORAGE_GROUP,
    described,
    name_of,
    naming,
    objects,
)

_GROUPS = {group for group, _ in KINDS}
_BY_NAME = {kind.lower(): kind for _, kind in KINDS}
_LONG_NAMES = [name for name in _BY_NAME if len(name) > len("networkset")]
"""The kinds that a typo does not turn into another word."""
_LIKE_OURS = {"networking.k8s.aws", "networking.gke.io"}
"""API groups of others that only look like a misspelling."""
_ROUTES = "EgressGatewayPolicy"
"""A kind of Calico's group that chooses ways, and neither allows nor denies."""
_KINDS_SHOWN = 30
"""Kinds that have a note of their own."""
_NAMED = 3
"""Names that a note lists before it counts the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """An object that is not judged: by kind and name, and whether it is a policy of an API that the
    oracle does not know, which may allow or deny besides."""

    kind: str
    name: str
    other_api: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Intake:
    """Objects, sorted.

    `policies` is what the oracle is built of (tiers and network sets among them), each with a
    namespace; `others` everything else; `left` what is neither a policy nor a Namespace;
    `defaulted` the policies that named no namespace, with the one that they were given.
    """

    policies: tuple[Mapping[str, object], ...] = ()
    others: tuple[Mapping[str, object], ...] = ()
    left: tuple[Left, ...] = ()
    defaulted: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many policies can decide a flow; without any, there is nothing to judge."""
        kinds = [str(policy.get("kind")) for policy in self.policies]
        return sum(kind.endswith("Policy") or kind == "Profile" for kind in kinds)

    def notes(self) -> tuple[str, ...]:
        """What a reader of the verdict must know of it, one line for each kind."""
        by_kind: dict[tuple[str, str], list[str]] = {}
        for left in self.left:
            by_kind.setdefault((left.kind, left.other_api), []).append(left.name)
        kinds = list(by_kind.items())
        found = [_left_out(kind, api, names) for (kind, api), names in kinds[:_KINDS_SHOWN]]
        if len(kinds) > _KINDS_SHOWN:
            found.append(f"objects of {len(kinds) - _KINDS_SHOWN} further kinds were left out")
        if self.defaulted:
            found.append(f"without metadata.namespace: read as {_listed(self.defaulted)}")
        return tuple(found)


def take(values: Iterable[object], namespace: str = "default") -> Intake:
    """The objects, sorted; lists are taken apart, policies without a namespace get this one.

    Raises:
        ManifestError: a value is no object, or means to be a policy and is none (see `judged`).
    """
    policies, others, left, defaulted = [], [], [], []
    for value in objects(values):
        with naming(value):
            found = keyed(value)
            if not judged(found):
                others.append(found.values)
                if found.values.get("kind") != "Namespace":
                    left.append(_left(found))
                continue
            whole = Field(value).mapping().values
        placed = in_namespace(whole, namespace)
        policies.append(placed)
        if placed is not whole:
            defaulted.append(described(placed))
    return Intake(tuple(policies), tuple(others), tuple(left), tuple(defaulted))


def joined(intakes: Iterable[Intake]) -> Intake:
    """Several of them as one."""
    some = tuple(intakes)
    return Intake(
        tuple(value for one in some for value in one.policies),
        tuple(value for one in some for value in one.others),
        tuple(left for one in some for left in one.left),
        tuple(name for one in some for name in one.defaulted),
    )


def in_namespace(value: Mapping[str, object], namespace: str) -> Mapping[str, object]:
    """The object, put into that namespace where it is of a namespaced kind and names none."""
    meta = value.get("metadata")
    if value.get("kind") not in NAMESPACED or not isinstance(meta, Mapping):
        return value
    if meta.get("namespace") not in (None, ""):
        return value
    return {**value, "metadata": {**meta, "namespace": namespace}}


def keyed(value: object) -> Fields:
    """The fields of an object that are named by text; what else it holds, no object of the API has.

    Raises:
        ManifestError: the value is no object.
    """
    if not isinstance(value, Mapping):
        raise Field(value).error(f"must be an object, is {shown(value)}")
    texts = {key: inner for key, inner in value.items() if isinstance(key, str)}
    return Fields(Field(value), texts)


def judged(found: Fields) -> bool:
    """Whether an object is of a kind that the oracle reads.

    Raises:
        ManifestError: it is not, and means to be: a kind in the wrong case or misspelt, a kind of
            ours in another or a misspelt API group, a list without items, no kind or apiVersion.
    """
    written, kind = found.get("apiVersion"), found.get("kind")
    if written is None or kind is None:
        _incomplete(found)
        return False
    if not isinstance(written.value, str) and not isinstance(kind.value, str):
        return False  # values of a chart, not an object of the API
    api, name = written.text(), kind.text()
    group = api.rpartition("/")[0]
    if (group, name) in KINDS:
        return True
    _check_list(found, kind)
    near = nearest(name)
    if group in (STORAGE_GROUP, OLD_GROUP):
        return near is not None
    if group in _GROUPS:
        return _of_our_group(kind, api, group, near)
    if near is not None and (_like_ours(group) or "." not in group):
        homes = " or ".join(f"{home}/{KINDS[home, k][0]}" for home, k in KINDS if k == near)
        raise written.error(f"{shown(api)} has no {shown(name)}: {near} is of {homes}")
    return False


def nearest(kind: str) -> str | None:
    """The kind that the oracle reads and that this one is, or comes near to in case or spelling."""
    known = _BY_NAME.get(kind.lower())
    close = difflib.get_close_matches(kind[:64].lower(), _LONG_NAMES, n=1, cutoff=0.85)
    return known or (_BY_NAME[close[0]] if close else None)


def _list_of(kind: str) -> str | None:
    """The kind of list that may hold policies and that this kind is, in any case."""
    stem = kind[:-4] if kind.lower().endswith("list") else None
    if stem is None or (stem and nearest(stem) is None):
        return None
    return f"{nearest(stem) or ''}List"


def _check_list(found: Fields, kind: Field) -> None:
    """Refuse a list that `objects` could not take apart."""
    right = _list_of(kind.text())
    if right == kind.text():
        raise found.here.child("items", None).error(
            f"must be a list of objects, kind {right} holds one"
        )
    if right is not None:
        raise kind.error(f"{shown(kind.text())}: did you mean {right}?")


def _like_ours(group: str) -> bool:
    """Whether an API group is one of ours, or a typo away from one."""
    known = (*_GROUPS, STORAGE_GROUP)
    close = difflib.get_close_matches(group[:64].lower(), known, n=1, cutoff=0.85)
    return bool(close) and group not in _LIKE_OURS


def _of_our_group(kind: Field, api: str, group: str, near: str | None) -> bool:
    name = kind.text()
    homes = [home for home, known in KINDS if known == near]
    if group in homes:
        raise kind.error(f"{api} has no {shown(name)}, did you mean {near}?")
    if homes:
        home = f"{homes[0]}/{KINDS[homes[0], str(near)][0]}"
        raise kind.error(f"{api} has no {shown(name)}: {near} is of {home}")
    if name.lower().endswith("policy") and (group, name) != (CALICO_GROUP, _ROUTES):
        raise kind.error(f"{api} {name} is no policy that can be judged")
    return False


def _incomplete(found: Fields) -> None:
    """Refuse what lacks kind or apiVersion and yet means to be a policy or a list of objects. The
    values of a chart may contain anything."""
    written, kind = found.values.get("apiVersion"), found.values.get("kind")
    if isinstance(kind, str) and (nearest(kind) or _list_of(kind)):
        found.need("apiVersion")
    if isinstance(written, str) and _like_ours(written.rpartition("/")[0]):
        found.need("kind")
    for key in found.values:
        right = {"kind": "kind", "apiversion": "apiVersion"}.get(key.lower(), key)
        if right != key:
            raise found.here.child(key, None).error(f"unknown field, did you mean {right}?")
    items = found.values.get("items")
    if kind is None and isinstance(items, list) and any(map(is_like_an_object, items)):
        found.need("kind")


def is_like_an_object(value: object) -> bool:
    """Whether a value may be an object of the API, by what such objects have."""
    return isinstance(value, Mapping) and bool({"apiVersion", "kind"} & value.keys())


def _left(found: Fields) -> Left:
    kind, api = found.values.get("kind"), found.values.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api, str):
        return Left("", name_of(found.values))
    other = brief(api, 80) if kind.endswith("Policy") else ""
    return Left(brief(kind, 64), name_of(found.values), other)


def _left_out(kind: str, api: str, names: list[str]) -> str:
    several = len(names) > 1
    if not kind:
        what = f"{len(names)} objects" if several else "an object"
        return f"{what} without kind or apiVersion left out"
    named = _listed([name or "without name" for name in names])
    if api:
        return f"{kind} {named} left out: {api} is an API whose policies are not judged here"
    verb = "are no policies, and were" if several else "is no policy, and was"
    return f"{kind} {named} {verb} left out"


def _listed(names: Iterable[str]) -> str:
    some = list(names)
    shown_here = ", ".join(brief(name, 60) for name in some[:_NAMED])
    return shown_here if len(some) <= _NAMED else f"{shown_here} and {len(some) - _NAMED} more"
