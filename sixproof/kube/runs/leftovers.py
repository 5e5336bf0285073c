"""What earlier runs left in a cluster, and which of them are dead."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Iterable, Mapping

from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.runs import cleanup, ownership
from sixproof.kube.runs.cleanup import Sweep
from sixproof.kube.runs.ownership import EXPIRY, Holder
from sixproof.kube.runs.search import FoundObject, Search


@dataclasses.dataclass(frozen=True, slots=True)
class Leftover:
    """A run that still has objects in the cluster.

    `objects` are named ``Kind name``; `age` is in seconds since the oldest of them was created,
    `idle` since the run's last sign of life. `why` is the reason why it counts as dead or alive.
    """

    run_id: str
    objects: tuple[str, ...]
    age: float
    idle: float
    alive: bool
    why: str

    def __str__(self) -> str:
        state = "alive" if self.alive else "dead"
        return f"run {self.run_id}: {state} ({self.why}), {self.age:.0f} s old: " + ", ".join(
            self.objects
        )


def leftovers(cluster: Cluster) -> tuple[Leftover, ...]:
    """The runs that have something in the cluster, oldest first.

    Raises:
        ApiError: the cluster cannot be searched.
    """
    leases = {
        json_fields.labels(lease).get(ownership.RUN, ""): lease
        for lease in cluster.list(resources.LEASE, labels=ownership.selector())
    }
    found = Search(cluster).find(ownership.selector())
    if found.blind:
        raise found.blind[0]
    runs: dict[str, list[FoundObject]] = {}
    for item in found.items:
        run_id = json_fields.labels(item.manifest).get(ownership.RUN, "")
        if run_id:
            runs.setdefault(run_id, []).append(item)
    judged = [_judge(run_id, items, leases, cluster.now()) for run_id, items in runs.items()]
    return tuple(sorted(judged, key=lambda leftover: -leftover.age))


def sweep_dead(
    cluster: Cluster, *, everything: bool = False, keep: Iterable[str] = ()
) -> tuple[Sweep, ...]:
    """Sweep the runs that are dead, or with `everything` all but those to `keep`.

    Raises:
        ApiError: the cluster cannot be searched.
    """
    runs_to_sweep = [
        leftover.run_id
        for leftover in leftovers(cluster)
        if leftover.run_id not in set(keep) and (everything or not leftover.alive)
    ]
    return tuple(
        cluster.gather(
            functools.partial(cleanup.sweep, cluster, run_id) for run_id in runs_to_sweep
        )
    )


def _judge(
    run_id: str,
    items: list[FoundObject],
    leases: Mapping[str, Manifest],
    now: datetime.datetime,
) -> Leftover:
    times = (json_fields.time_of(item.manifest, "metadata", "creationTimestamp") for item in items)
    made = [time or now for time in times]
    lease = leases.get(run_id, {})
    # A run creates its namespace before its lease: without one it may be just beginning.
    renewed = ownership.renewed_at(lease) or max(made)
    idle = max(0.0, (now - renewed).total_seconds())
    if all(item.going for item in items):
        alive, why = False, "all that it created is being deleted"
    else:
        alive, why = _state(Holder.parse(json_fields.text(lease, "spec", "holderIdentity")), idle)
    return Leftover(
        run_id,
        tuple(map(str, items)),
        age=max(0.0, (now - min(made)).total_seconds()),
        idle=idle,
        alive=alive,
        why=why,
    )


def _state(holder: Holder | None, idle: float) -> tuple[bool, str]:
    if holder and holder.is_gone():
        return False, f"its process {holder.pid} on this machine has ended"
    if idle > EXPIRY:
        return False, f"its lease was last renewed {idle:.0f} s ago"
    by = f" by {holder}" if holder else ""
    return True, f"its lease was renewed {idle:.0f} s ago{by}"
