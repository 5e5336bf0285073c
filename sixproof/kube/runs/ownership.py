"""Ownership: labels on everything that a run creates, and a lease that shows it is alive.

A lease (coordination.k8s.io) is renewed while its run lives. The API server's own clock decides
whether a run is dead, so that runners with wrong clocks do not sweep each other away.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import os
import socket
import threading
from pathlib import Path
from typing import Self

from sixproof.errors import ApiError
from sixproof.kube.api import json_fields
from sixproof.kube.api.client import FIELD_MANAGER, Cluster
from sixproof.kube.api.json_fields import Manifest

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "sixproof"
RUN = "sixproof.dev/run"
LEASE_NAME = "sixproof-run"

RENEWAL = 15.0
"""Seconds between two renewals of a run's lease."""
EXPIRY = 60.0
"""Seconds without a renewal after which a run counts as dead."""


def labels(run_id: str) -> dict[str, str]:
    """The labels that every object of a run carries."""
    return {MANAGED_BY: MANAGER, RUN: run_id}


def selector(run_id: str = "") -> str:
    """The label selector for the objects of one run, or of all runs."""
    return ",".join(f"{k}={v}" for k, v in labels(run_id).items() if v)


def owned(manifest: Manifest, run_id: str) -> Manifest:
    """A copy of the manifest that carries the run's labels."""
    marked = copy.deepcopy(manifest)
    metadata = marked.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels(run_id)}
    return marked


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    """A process, distinguished from a later one with the same number: `machine` is the host's name,
    boot and PID namespace, `started` the kernel's start time of the process in clock ticks."""

    machine: str
    pid: int
    started: str

    @classmethod
    def here(cls) -> Holder:
        """This process."""
        return cls(_machine(), os.getpid(), _start_time(os.getpid()))

    @classmethod
    def parse(cls, text: str) -> Holder | None:
        """The holder from `str`'s output, None for anything else."""
        machine, _, process = text.rpartition("/")
        pid, _, started = process.partition(".")
        return cls(machine, int(pid), started) if machine and pid.isdigit() else None

    def __str__(self) -> str:
        return f"{self.machine}/{self.pid}.{self.started}"

    def is_gone(self) -> bool:
        """Whether the process is known to have ended; False for other machines."""
        return self.machine == _machine() and _start_time(self.pid) != self.started


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
        namespace = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        boot = namespace = "unknown"
    return f"{socket.gethostname()}/{boot}/{namespace}"


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc_pid_stat(5)); "" where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def renewed_at(lease: Manifest) -> datetime.datetime | None:
    """When a lease was last renewed, by the API server's clock where it is recorded.

    `managedFields` times are the server's (to the second); `renewTime` is the runner's.
    """
    server = [
        time
        for entry in json_fields.entries(lease, "metadata", "managedFields")
        if entry.get("manager") == FIELD_MANAGER and (time := json_fields.time_of(entry, "time"))
    ]
    return max(server, default=None) or json_fields.time_of(lease, "spec", "renewTime")


class Heartbeat:
    """Keeps the lease of a run renewed from its own thread, from `start` to `stop`.

    A renewal that fails is retried at the next one: an API server that is away for a while must not
    end a run, and sweeping needs it as well.
    """

    def __init__(
        self, cluster: Cluster, run_id: str, namespace: str, *, every: float = RENEWAL
    ) -> None:
        self._cluster = cluster
        self._every = every
        self._lease = owned(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": LEASE_NAME, "namespace": namespace},
                "spec": {
                    "holderIdentity": str(Holder.here()),
                    "leaseDurationSeconds": int(EXPIRY),
                },
            },
            run_id,
        )
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> Self:
        """Write the lease, then keep renewing it. Raises: ApiError."""
        self.beat()
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the renewals; the lease goes with its namespace."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._every)

    def beat(self) -> None:
        """Renew the lease once. Raises: ApiError."""
        now = datetime.datetime.now(datetime.UTC)
        renewed = {**self._lease["spec"], "renewTime": now.isoformat(timespec="microseconds")}
        self._cluster.apply({**self._lease, "spec": renewed})

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self.beat()
            except ApiError:
                continue
