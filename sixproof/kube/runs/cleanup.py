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
    that remain or could not be looked for, with the reason. `notes` name kinds that this user may
    not list."""

    run_id: str
    deleted: tuple[str, ...]
    going: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing is left, or will be left in a moment."""
        return not self.remaining

    def __str__(self) -> str:
        text = f"run {self.run_id}: {len(self.deleted)} objects deleted in {self.seconds:.1f} s"
        if self.going:
            text += f"; going: {', '.join(self.going)}"
        return f"{text}; left: {'; '.join(self.remaining)}" if self.remaining else text


def sweep(
    cluster: Cluster,
    run_id: str,
    *,
    timeout: float = TIMEOUT,
    hurried: Callable[[], bool] = lambda: False,
) -> Sweep:
    """Delete everything that a run created, and wait until it is gone, `timeout` seconds at most.

    The namespace controller waits 5 s before it begins, so that no sweep is shorter; with a
    `timeout` of 0, or once `hurried` is true, deletion is only requested. What the API server
    refuses is in the report. One that does not answer is waited for as long.
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

    def delete_all() -> FoundObjects:
        found = search.find(ownership.selector(run_id))
        met.update(dict.fromkeys(map(str, found.items)))
        refusals.clear()
        refusals.update(_delete(cluster, found.items))
        return found

    waited = wait.until(
        delete_all,
        lambda found: found.over or hurried(),
        timeout=timeout,
        first=0.05,
        longest=1.0,
    )
    found = waited.value
    left = {str(i): refusals.get(str(i)) or _stuck(i.manifest) for i in found.items}
    return Sweep(
        run_id,
        deleted=tuple(name for name in met if name not in left),
        going=tuple(name for name, why in left.items() if not why),
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
        # The namespace controller waits for each pod's grace time, which none needs here. If this
        # is refused, deletion takes longer.
        with contextlib.suppress(ApiError):
            cluster.delete_all(resources.POD, item.name, grace=0)
    try:
        cluster.delete(item.kind, item.name)
    except ApiError as error:
        return str(error)
    return ""


def _stuck(manifest: Manifest) -> str:
    """Why an object that is being deleted remains, "" where deletion progresses."""
    for entry in json_fields.entries(manifest, "status", "conditions"):
        # The namespace controller's message, as for an extension server that does not answer.
        if entry.get("status") == "True" and entry.get("type") in _STUCK:
            return json_fields.text(entry, "message")
    finalizers = ", ".join(json_fields.strings(manifest, "metadata", "finalizers"))
    return f"waits for {finalizers}" if finalizers else ""
