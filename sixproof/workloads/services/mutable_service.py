"""The mutable service: one service for a single test, whose backends and families change under its
clients."""

from __future__ import annotations

import dataclasses
import functools
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from sixproof.model import Endpoint
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.services import backends
from sixproof.workloads.services.kube_proxy import KubeProxy
from sixproof.workloads.services.manifests import Service, load, service
from sixproof.workloads.services.routing import ServiceTarget, at_cluster_ip


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A change yet to be made: `make` makes it and returns what clients must meet then.

    `before` is what they meet until then, None where there is nothing to dial yet.
    """

    what: str
    before: ServiceTarget | None
    make: Callable[[], ServiceTarget]


class MutableService:
    """A service with its own name, in the namespace of the reserve of backends.

    `reserve` are gated backends, ready and behind no service. Methods that return a Change do not
    make it yet. `close` undoes everything.
    """

    def __init__(
        self,
        cluster: Cluster,
        run: Run,
        manifest: Path,
        name: str,
        reserve: Sequence[Endpoint],
        proxy: KubeProxy,
    ) -> None:
        self.name = name
        self.source_port = 20000 + secrets.randbelow(10000)  # below what kernels give by themselves
        self.reserve = tuple(reserve)
        self._cluster = cluster
        self._run = run
        self._manifest = manifest
        self._proxy = proxy
        self._home = reserve[0].namespace
        self._behind: tuple[Endpoint, ...] = ()
        self._service: Service | None = None

    def stage(self, *added: Endpoint) -> None:
        """Put backends behind the service now, whether it exists yet or not."""
        self._label(added, self.name)
        self._behind = (*self._behind, *added)

    def open(self, **spec: Any) -> Change:
        """Create the service; `spec` are fields of its specification."""
        return self._change("service created", functools.partial(self._create, **spec))

    def put(self, *added: Endpoint) -> Change:
        """Put backends behind the service."""
        return self._change("endpoint added", lambda: self.stage(*added))

    def take(self, *removed: Endpoint) -> Change:
        """Remove backends by their label; they keep running, and answer any client they get."""

        def act() -> None:
            self._label(removed, None)
            self._forget(removed)

        return self._change("endpoint removed", act)

    def replace(self, old: Endpoint, new: Endpoint) -> Change:
        """Replace one backend with another."""

        def act() -> None:
            self.stage(new)
            self._label([old], None)
            self._forget([old])

        return self._change("endpoint replaced", act)

    def unready(self, *chosen: Endpoint) -> Change:
        """Make backends unready; they keep running, and answer clients that still reach them."""

        def act() -> None:
            backends.set_ready(self._cluster, chosen, ready=False)
            self._forget(chosen)

        return self._change("endpoint unready", act)

    def delete(self, *chosen: Endpoint) -> Change:
        """Delete backends' pods, without grace."""

        def act() -> None:
            backends.remove(self._cluster, chosen)
            self._forget(chosen)

        return self._change("endpoint deleted", act)

    def recreate(self, *behind: Endpoint) -> Change:
        """Delete the service and create it again at the same clusterIPs, for other backends."""
        again = f"{self.name}-again"
        addresses = [str(a) for a in self.target().endpoint.addresses]

        def act() -> None:
            self._label(behind, again)
            self._cluster.delete(resources.SERVICE, self.name, self._home)
            self._behind = behind
            same = {"clusterIP": addresses[0], "clusterIPs": addresses}
            self._create(selector={backends.SERVES: again}, **same)

        return self._change("service created again", act)

    def grow(self) -> Change:
        """Give a single-stack service the other family as well."""

        def act() -> None:
            wanted = {"spec": {"ipFamilyPolicy": "PreferDualStack"}}
            found = self._cluster.patch(resources.SERVICE, self.name, wanted, self._home)
            self._service = service(found)

        return self._change("second family added", act)

    def target(self) -> ServiceTarget:
        """The service at its clusterIPs, with the backends that are behind it now.

        Raises:
            ValueError: the service is not open.
        """
        if self._service is None:
            raise ValueError(f"service {self.name} is not open")
        target = at_cluster_ip(self._service, self._behind, self._proxy)
        return dataclasses.replace(
            target, endpoint=dataclasses.replace(target.endpoint, name="service")
        )

    def close(self) -> None:
        """Delete the service, and restore the reserve."""
        self._cluster.delete(resources.SERVICE, self.name, self._home)
        self._label(self.reserve, None)
        backends.set_ready(self._cluster, self.reserve, ready=True)

    def _create(self, **spec: Any) -> None:
        spec.setdefault("selector", {backends.SERVES: self.name})
        wanted = load(self._manifest, self._run, self._home, name=self.name, **spec)
        self._service = service(self._cluster.create(wanted))

    def _change(self, what: str, act: Callable[[], None]) -> Change:
        def make() -> ServiceTarget:
            act()
            return self.target()

        return Change(what, self.target() if self._service else None, make)

    def _label(self, chosen: Sequence[Endpoint], value: str | None) -> None:
        backends.label(self._cluster, chosen, {backends.SERVES: value})

    def _forget(self, gone: Sequence[Endpoint]) -> None:
        names = {b.pod for b in gone}
        self._behind = tuple(b for b in self._behind if b.pod not in names)
