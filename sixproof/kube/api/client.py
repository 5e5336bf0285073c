"""The cluster: a thread-safe facade over the API server, in plain dict manifests."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from sixproof.errors import ApiError, ClusterUnreachable
from sixproof.kube.api import resources
from sixproof.kube.api.catalog import Catalog
from sixproof.kube.api.json_fields import Manifest, entries, text
from sixproof.kube.api.resources import Kind
from sixproof.kube.api.workers import Workers

if TYPE_CHECKING:
    from sixproof.kube.access.config import Access
    from sixproof.kube.api.rest import Rest

T = TypeVar("T")

FIELD_MANAGER = "sixproof"
_PAGE = 500  # objects a list request, as kubectl does
_MERGE = "application/merge-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML


class Cluster:
    """One cluster. `name` is the context (or ``in-cluster``), `server` the API server's URL,
    `version` its version (``v1.34.1``, "" if not reported), `access` how it is reached. Any thread
    may call any method.

    Every verb raises `ApiError` when the API server refuses or does not answer; `patience` is the
    number of seconds for which a request is retried after transient refusals.
    """

    def __init__(self, rest: Rest, version: str, skew: datetime.timedelta) -> None:
        self.name = rest.access.name
        self.server = rest.access.server
        self.access: Access = rest.access
        self.version = version
        self.catalog = Catalog(rest)
        self._rest = rest
        self._skew = skew
        self._workers = Workers()

    @classmethod
    def connect(
        cls,
        kubeconfig: Path | None = None,
        context: str | None = None,
        *,
        timeout: float = 10.0,
        patience: float = 35.0,
        say: Callable[[str], None] | None = None,
    ) -> Cluster:
        """The cluster that a kubeconfig names, or the one that this pod runs in.

        `timeout` (seconds) bounds every try of a request, `patience` all tries of a request that
        later meets a busy or restarting API server. Connecting itself is tried once. `say` gets
        messages for the user: prompts of a credential plugin, and what the run is waiting for.

        Raises:
            ClusterUnreachable: no kubeconfig, unknown context, no or a foreign server.
        """
        # Imported here: the client library takes 0.3 s, which `pytest --help` need not pay.
        from sixproof.kube.access import config
        from sixproof.kube.api import rest

        access = config.load(kubeconfig, context, say)
        connection = rest.Rest(access, timeout=timeout, patience=patience, say=say)
        if say and not access.verified:
            say(f"{access.server} need not prove who it is (insecure-skip-tls-verify)")
        try:
            version, skew = connection.greet()
        except ApiError as error:
            connection.close()
            raise ClusterUnreachable(f"{access.source}: {error}") from error
        return cls(connection, version, skew)

    def hasty(self, seconds: float) -> Cluster:
        """The same cluster for callers with little time: a request gets `seconds`, and once one is
        not answered in that time no other is sent. It must be closed separately."""
        return Cluster(self._rest.hasty(seconds), self.version, self._skew)

    @property
    def given_up(self) -> str:
        """The last request that was given up, and why; "" where the API server answers."""
        return self._rest.given_up

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection and end the worker threads."""
        self._workers.close()
        self._rest.close()

    def now(self) -> datetime.datetime:
        """The API server's clock, to the second, for comparison with its time stamps."""
        return datetime.datetime.now(datetime.UTC) + self._skew

    def authorized(self, purpose: str, attempt: Callable[[str], T]) -> T:
        """What `attempt` returns, given the ``Authorization`` header; see `Rest.authorized`."""
        return self._rest.authorized(purpose, attempt)

    def gather(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """The results of independent calls, in order; they run in parallel on a few threads.

        The first error, in that order, is raised after all calls have ended.
        """
        return self._workers.gather(calls)

    def get(
        self, kind: Kind, name: str, namespace: str = "", *, patience: float | None = None
    ) -> Manifest:
        """One object."""
        purpose = f"get {_where(kind, name, namespace)}"
        return self._rest.get(kind.path(name, namespace), purpose, patience=patience)

    def find(
        self, kind: Kind, name: str, namespace: str = "", *, patience: float | None = None
    ) -> Manifest | None:
        """One object, None where there is none."""
        try:
            return self.get(kind, name, namespace, patience=patience)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int | None = None,
        patience: float | None = None,
    ) -> tuple[Manifest, ...]:
        """All objects, of all namespaces where none is named, or the first `limit` of them.

        `labels` and `fields` are selectors in kubectl's spelling.
        """
        query = {"limit": str(limit or _PAGE), "labelSelector": labels, "fieldSelector": fields}
        purpose = f"list {_where(kind, '', namespace)}"
        path = kind.path(namespace=namespace)
        found: list[Manifest] = []
        while True:
            try:
                page = self._rest.get(path, purpose, query, patience=patience)
            except ApiError as error:
                if error.status != 410 or "continue" not in query:
                    raise
                # The list expired between two pages (etcd compaction): read it in one piece.
                query = {**query, "limit": "0", "continue": ""}
                found.clear()
                continue
            for item in entries(page, "items"):
                # List items have neither; a caller that keeps one may want to apply it again.
                found.append({"apiVersion": kind.api_version, "kind": kind.kind, **item})
            query["continue"] = text(page, "metadata", "continue")
            if limit or not query["continue"]:
                return tuple(found)

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create the object (status 409 where it exists); with `dry_run` the API server only
        validates and completes it."""
        kind, named, namespace = self.catalog.place(manifest)
        return self._rest.change(
            "POST",
            kind.path(namespace=namespace),
            f"create {_where(kind, named, namespace)}",
            manifest,
            query=_query(dry_run),
            repeatable=dry_run or kind is resources.SELF_ACCESS,
        )

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create or update the object (server-side apply, taking over fields)."""
        kind, named, namespace = self.catalog.place(manifest)
        return self._rest.change(
            "PATCH",
            kind.path(named, namespace),
            f"apply {_where(kind, named, namespace)}",
            manifest,
            query={**_query(dry_run), "force": "true"},
            content_type=_APPLY,
        )

    def patch(
        self,
        kind: Kind,
        name: str,
        change: Manifest,
        namespace: str = "",
        *,
        subresource: str = "",
        strategic: bool = False,
    ) -> Manifest:
        """Change some fields of an object, by merge patch (RFC 7396), which replaces lists;
        `strategic` merges their entries by key, for kinds of Kubernetes itself."""
        return self._rest.change(
            "PATCH",
            kind.path(name, namespace, subresource),
            f"patch {_where(kind, name, namespace)}",
            change,
            query=_query(False),
            content_type=_STRATEGIC if strategic else _MERGE,
        )

    def delete(
        self, kind: Kind, name: str, namespace: str = "", *, grace: int | None = None
    ) -> bool:
        """Request deletion of an object; False where it was gone already.

        `grace` are the seconds a pod gets to end, None for its own `terminationGracePeriodSeconds`.
        """
        purpose = f"delete {_where(kind, name, namespace)}"
        try:
            self._rest.change("DELETE", kind.path(name, namespace), purpose, _deletion(grace))
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def delete_all(
        self, kind: Kind, namespace: str, *, labels: str = "", grace: int | None = None
    ) -> None:
        """Request deletion of all objects of a kind in a namespace."""
        purpose = f"delete all {_where(kind, '', namespace)}"
        path = kind.path(namespace=namespace)
        self._rest.change(
            "DELETE", path, purpose, _deletion(grace), query={"labelSelector": labels}
        )

    def log(self, pod: str, namespace: str, *, container: str = "", lines: int = 100) -> str:
        """The last lines that a container wrote."""
        query = {"tailLines": str(lines), "container": container}
        return self._rest.text(
            resources.POD.path(pod, namespace, "log"), f"read the log of {namespace}/{pod}", query
        )


def _where(kind: Kind, name: str, namespace: str) -> str:
    """An object or a collection as named in errors: ``pods web/client``, ``pods in web``."""
    if name:
        return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    return f"{kind} in {namespace}" if namespace else str(kind)


def _query(dry_run: bool) -> dict[str, str]:
    # Strict: a misspelt field is refused; by default it would silently be dropped, and a policy
    # without that field be tested.
    return {
        "fieldManager": FIELD_MANAGER,
        "fieldValidation": "Strict",
        "dryRun": "All" if dry_run else "",
    }


def _deletion(grace: int | None) -> Manifest:
    options: Manifest = {"propagationPolicy": "Background"}
    return options if grace is None else {**options, "gracePeriodSeconds": grace}
