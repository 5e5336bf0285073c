"""Reading with whatever permissions there are: what may not be read is empty, and recorded."""

from __future__ import annotations

import threading

from sixproof.errors import ApiError
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.json_fields import Manifest
from sixproof.kube.api.resources import Kind

# Seconds for a busy server; an absent extension server, which is refused with 503, must not hold up
# the rest. Silence gets the connection's own patience.
PATIENCE = 2.0


class BestEffortReader:
    """Reads of a cluster that never fail because of a refusal; thread-safe."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._unknown: list[str] = []
        self._lock = threading.Lock()

    @property
    def unknown(self) -> tuple[str, ...]:
        """What could not be read, and why, sorted."""
        return tuple(sorted(self._unknown))

    def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int | None = None,
        aside: bool = False,
    ) -> tuple[Manifest, ...]:
        """Objects of a kind; none where they may not be read or the kind is not served.

        `aside` is for kinds of an extension server: it may be silent for its own reasons, over the
        very network under test, so its silence is recorded like a refusal.

        Raises:
            ApiError: the API server is gone (status 0).
        """
        try:
            return self.cluster.list(
                kind, namespace, labels=labels, fields=fields, limit=limit, patience=PATIENCE
            )
        except ApiError as error:
            self.note(error, aside=aside)
            return ()

    def get(self, kind: Kind, name: str, namespace: str = "") -> Manifest:
        """One object; empty where there is none or it may not be read.

        Raises:
            ApiError: the API server is gone (status 0).
        """
        try:
            return self.cluster.get(kind, name, namespace, patience=PATIENCE)
        except ApiError as error:
            self.note(error)
            return {}

    def note(self, error: ApiError, *, aside: bool = False) -> None:
        """Record a refusal; a missing object is not one. Raises: ApiError (status 0)."""
        if error.status == 0 and not aside:
            raise error
        if error.status == 404:
            return
        # In every refusal the API server's sentence repeats the purpose, and names the user.
        refused = error.status == 403 and error.reason == "Forbidden"
        reason = f"{str(error).partition(': 403')[0]} (not allowed)" if refused else str(error)
        with self._lock:
            self._unknown.append(reason)
