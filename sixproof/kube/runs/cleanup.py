"""Clean-up: deleting what a run created, and waiting until it is gone.

Namespaces take everything inside with them; objects outside are found by the run's label.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence

from sixproof.errors import ApiError, NoAnswer
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.runs import ownership
from sixproof.kube.runs.search import FoundObject, FoundObjects, Search

TIMEOUT = 60.0
"""Maximum seconds that a sweep waits."""

_IN_EFFECT = (resources.POD, resources.SERVICE)
"""What has an effect outside of its namespace, or takes an address or a port."""
_CONTAINERS = frozenset({"Tier", "IPPool"})  # are not deleted while others are in them
# Conditions of a namespace that does not go away; the others (content remains) pass by themselves.
_STUCK = frozenset(
    {
        "NamespaceDeletionDiscoveryFailure",
        "NamespaceDeletionGroupVersionParsingFailure",
        "NamespaceDeletionContentFailure",
        "NamespaceFinalizersRemaining",
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep did: objects that are gone, that the API server has accepted for deletion, and
    that remain or could not be looked for, with the reason; namespaces that are `emptied` are being
    deleted, and nothing keeps them. `notes` name kinds that this user may not list."""

    run_id: str
    deleted: tuple[str, ...]
    going: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing is left, or will be left in a moment."""
        return not self.remaining

    def __str__(self) -> str:
        done = []
        if self.deleted or not self.emptied:
            done.append(f"{len(self.deleted)} objects deleted")
        if self.emptied:
            done.append(f"{len(self.emptied)} namespaces emptied (the cluster removes them now)")
        text = f"run {self.run_id}: {' and '.join(done)} in {self.seconds:.1f} s"
        if self.going:
            text += f"; going: {', '.join(self.going)}"
        return f"{text}; left: {'; '.join(self.remaining)}" if self.remaining else text


def sweep(
    cluster: Cluster,
    run_id: str,
    *,
    timeout: float = TIMEOUT,
    until_empty: bool = False,
    hurried: Callable[[], bool] = lambda: False,
) -> Sweep:
    """Delete everything that a run created, and wait until it is gone, `timeout` seconds at most.

    The namespace controller waits 5 s before it begins. With `until_empty` it is not waited for,
    unless something could keep a namespace: pods or services that are still there, a finalizer, an
    API whose server does not answer. With a `timeout` of 0, or once `hurried` is true, deletion is
    only requested. What the API server refuses is in the report. One that does not answer is waited
    for as long.
    """
    search = wait.until(
        lambda: _search(cluster),
        lambda begun: not isinstance(begun, NoAnswer) or hurried(),
        timeout=timeout,
        first=0.5,
        longest=2.0,
    ).value
    if isinstance(search, ApiError):
        return Sweep(run_id, (), remaining=(str(search),))
    met: dict[str, None] = {}
    refusals: dict[str, str] = {}

    def delete_all() -> tuple[FoundObjects, bool]:
        found = search.find(ownership.selector(run_id))
        met.update(dict.fromkeys(map(str, found.items)))
        refusals.clear()
        refusals.update(_delete(cluster, found.items))
        return found, until_empty and not found.over and _emptied(cluster, found)

    waited = wait.until(
        delete_all,
        lambda seen: seen[0].over or seen[1] or hurried(),
        timeout=timeout,
        first=0.05,
        longest=1.0,
    )
    found, emptied = waited.value
    left = {str(i): refusals.get(str(i)) or _stuck(i.manifest) for i in found.items}
    going = tuple(name for name, why in left.items() if not why)
    return Sweep(
        run_id,
        deleted=tuple(name for name in met if name not in left),
        going=() if emptied else going,
        emptied=going if emptied else (),
        remaining=(
            *(f"{name} ({why})" for name, why in left.items() if why),
            *map(str, found.blind),
        ),
        notes=found.skipped,
        seconds=waited.seconds,
    )


def _search(cluster: Cluster) -> Search | ApiError:
    try:
        return Search(cluster)
    except ApiError as error:
        return error


def _delete(cluster: Cluster, items: Sequence[FoundObject]) -> dict[str, str]:
    """Request deletion of what is not being deleted yet; what was refused, and why."""
    staying = [item for item in items if not item.going]
    # Containers wait for their content: the next round deletes them.
    first = [item for item in staying if item.kind.kind not in _CONTAINERS] or staying
    answers = cluster.gather(functools.partial(_delete_one, cluster, item) for item in first)
    return {str(item): why for item, why in zip(first, answers, strict=True) if why}


def _delete_one(cluster: Cluster, item: FoundObject) -> str:
    """Why an object may not be deleted, "" where it may."""
    if item.kind is resources.NAMESPACE:
        _empty(cluster, item.name)
    try:
        cluster.delete(item.kind, item.name)
    except ApiError as error:
        return str(error)
    return ""


def _empty(cluster: Cluster, namespace: str) -> None:
    """Request deletion of what has an effect, without waiting for the namespace controller, nor for
    the grace time of pods. If this is refused, deletion takes longer."""
    with contextlib.suppress(ApiError):
        cluster.delete_all(resources.POD, namespace, grace=0)
        for service in cluster.list(resources.SERVICE, namespace):
            cluster.delete(resources.SERVICE, json_fields.name(service), namespace)


def _emptied(cluster: Cluster, found: FoundObjects) -> bool:
    """Whether nothing but namespaces is left which are being deleted, without anything in them that
    has an effect, and without anything known that could keep them."""
    spaces = [item for item in found.items if item.kind is resources.NAMESPACE and item.going]
    if len(spaces) < len(found.items) or found.blind or any(_stuck(i.manifest) for i in spaces):
        return False
    reads = [
        functools.partial(cluster.list, kind, item.name, limit=1, patience=0)
        for item in spaces
        for kind in _IN_EFFECT
    ]
    try:
        return not any(cluster.gather(reads)) and cluster.catalog.stale(patience=0) == ()
    except ApiError:
        return False


def _stuck(manifest: Manifest) -> str:
    """Why an object that is being deleted remains, "" where deletion progresses."""
    for entry in json_fields.entries(manifest, "status", "conditions"):
        # The namespace controller's message, as for an extension server that does not answer.
        if entry.get("status") == "True" and entry.get("type") in _STUCK:
            return json_fields.text(entry, "message")
    finalizers = [
        *json_fields.strings(manifest, "metadata", "finalizers"),
        *(f for f in json_fields.strings(manifest, "spec", "finalizers") if f != "kubernetes"),
    ]
    return f"waits for {', '.join(finalizers)}" if finalizers else ""
