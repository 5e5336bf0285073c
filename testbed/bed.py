"""Bringing a bed up and taking it down. Every step first checks whether it is already done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from filelock import FileLock, Timeout

from testbed import record
from testbed.build import add_ons, gobuild, images, registry
from testbed.build.images import Supply
from testbed.build.registry import Mode
from testbed.cluster import bgp, calico, dns, health, hostile, kindnet, metallb, yaml_text
from testbed.cluster import kind as kinds
from testbed.cluster.kind import KindCommand
from testbed.cluster.kube import Kubectl, wait_for
from testbed.errors import BedError
from testbed.faults import journal
from testbed.host import engine as engines
from testbed.host import machine
from testbed.host.engine import Engine
from testbed.host.paths import Cache
from testbed.host.progress import Progress
from testbed.network import bridge, firewall, outside, router
from testbed.record import Bed, Machine
from testbed.variants import calico as calico_settings
from testbed.variants.keys import Peering
from testbed.variants.table import Network
from testbed.variants.variant import Variant

CREATED = "created"
INOTIFY = "inotify"
READY_SECONDS = 240
BGP_CRDS = tuple(f"crd/{kind}.crd.projectcalico.org" for kind in ("bgpconfigurations", "bgppeers"))


@contextmanager
def locked(cache: Cache, say: Callable[[str], None]) -> Iterator[None]:
    """Only one command at a time changes the bed; others wait and report it."""
    cache.prepare()
    lock = FileLock(cache.root / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("waiting for another testbed command to end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class Builder:
    """One `up` of one variant."""

    cache: Cache
    variant: Variant
    progress: Progress

    def up(self) -> Bed:
        engine = engines.existing(self.cache.engine)
        if engine is not None:
            self.mend(engine)
        standing = self.healthy(engine)
        if standing:
            self.progress.say("the bed is up already")
            return standing
        self.check()
        mode, why = registry.choose()
        if self.variant.bgp and mode is Mode.PULL:
            raise BedError(
                f"images built here for the variant {self.variant.name}",
                seen="images that are pulled: kind's node image has no BIRD for the router",
                remedy="SIX_IMAGES=build",
            )
        self.progress.say(f"images: {mode} ({why})")
        make = images.pull if mode is Mode.PULL else images.build
        supply = self.with_add_ons(make(self.cache, self.progress))
        self.create(supply)
        self.configure(supply)
        return self.settle(supply, why)

    def mend(self, engine: Engine) -> None:
        """Lift the faults that a killed run has left in force: a broken bed never settles.

        Raises:
            BedError: one could not be undone.
        """
        running = [node for node in self.variant.nodes if engine.running(node)]
        for undone in journal.clear(engine, running):
            self.progress.say(f"a fault was in force, undone on {undone}")

    def healthy(self, engine: Engine | None) -> Bed | None:
        """The recorded bed if all its checks pass."""
        try:
            bed = record.read(self.cache.cluster(self.variant.cluster))
        except BedError:
            return None
        if engine is None or engine.address != bed.docker_host:
            return None
        wrong = [check for check in health.everything(engine, self.variant) if not check.ok]
        for check in wrong:
            self.progress.say(f"not healthy: {check.name}: {check.seen}")
        return None if wrong else bed

    def check(self) -> None:
        with self.progress.step("checking this machine"):
            machine.root()
            machine.install(machine.PACKAGES, self.progress.say)
            machine.kernel(self.variant.links)
            machine.memory()
            old = machine.inotify(self.progress.say)
            if old is not None:
                (self.cache.root / INOTIFY).write_text(old)

    def with_add_ons(self, supply: Supply) -> Supply:
        """The same with what only this variant runs."""
        if not self.variant.metallb:
            return supply
        with self.progress.step(f"MetalLB {gobuild.METALLB_VERSION}") as report:
            if supply.built:
                return replace(supply, archives=(add_ons.metallb(self.cache, report),))
            for reference in add_ons.METALLB_IMAGES:
                if not supply.engine.has_image(reference):
                    supply.engine.run("pull", "--quiet", reference, timeout=1800)
        return replace(supply, preload=(*supply.preload, *add_ons.METALLB_IMAGES))

    def create(self, supply: Supply) -> None:
        """The cluster; one that is incomplete, or not running, is created afresh."""
        kind = self.kind(supply)
        whole = self.cache.cluster(self.variant.cluster) / CREATED
        if kind.exists():
            running = all(supply.engine.running(node) for node in self.variant.nodes)
            made_of = whole.read_text() if whole.is_file() else ""
            if running and made_of == supply.made_of and self.answers(supply.engine):
                self.fence(supply.engine)
                return
            with self.progress.step("removing a cluster that is not whole"):
                kind.delete()
        whole.unlink(missing_ok=True)
        self.fence(supply.engine)
        with self.progress.step("creating the kind cluster"):
            settings = kinds.settings(self.variant, supply.built, supply.wrapper, kind.folder)
            kind.create(supply.node_image, settings)
        if supply.preload:
            with self.progress.step("loading images into the nodes"):
                kind.load(supply.preload)
        for archive in supply.archives:
            with self.progress.step("importing images into the nodes"):
                kind.import_(archive)
        whole.write_text(supply.made_of)

    def answers(self, engine: Engine) -> bool:
        return Kubectl(engine, self.variant.control_plane).attempt("get", "--raw", "/readyz").ok

    def kind(self, supply: Supply) -> KindCommand:
        folder = self.cache.cluster(self.variant.cluster)
        return KindCommand(supply.kind, supply.engine, self.variant, folder)

    def fence(self, engine: Engine) -> None:
        """Put up the fence before the first container."""
        firewall.raise_fence(self.variant.bridge)
        bridge.ensure(engine, self.variant)

    def configure(self, supply: Supply) -> None:
        kubectl = Kubectl(supply.engine, self.variant.control_plane)
        system = "--namespace=kube-system"
        plugin = "Calico" if self.variant.calico else kindnet.NAME
        with self.progress.step(f"CoreDNS and {plugin}"):
            kubectl.apply([dns.config_map()])
            patches = (
                ("deployment", "coredns", dns.deployment_patch(self.variant.workers)),
                ("service", "kube-dns", dns.SERVICE_PATCH),
            )
            for kind, name, patch in patches:
                kubectl.run(system, "patch", kind, name, "--patch", json.dumps(patch))
            if self.variant.calico:
                self.calico(supply, kubectl)
            elif supply.built:
                kubectl.apply(kindnet.objects(self.variant))
            if self.variant.metallb:
                kubectl.apply(metallb.documents())

    def calico(self, supply: Supply, kubectl: Kubectl) -> None:
        """Calico and its API server."""
        docs = calico.documents(calico.manifest(self.variant))
        docs = calico.patch(docs, self.variant, supply.built)
        self.pools(kubectl, docs)
        kubectl.apply(docs)
        self.peer(supply, kubectl)
        have = kubectl.attempt(
            "--namespace=calico-apiserver", "get", "secret", "calico-apiserver-certs"
        )
        if not have.ok:
            docs = calico.documents("apiserver.yaml")
            kubectl.apply(calico.api_server(docs, *calico.certificate()))

    def pools(self, kubectl: Kubectl, docs: list[dict[str, Any]]) -> None:
        """Pools that must exist before calico-node does."""
        if pools := calico_settings.pools(self.variant.stacks):
            kinds_ = [doc for doc in docs if doc["kind"] == "CustomResourceDefinition"]
            kubectl.apply(kinds_)
            established = "--for=condition=Established"
            kubectl.run("wait", established, "--timeout=60s", f"crd/{calico.POOLS}")
            kubectl.apply(pools)

    def peer(self, supply: Supply, kubectl: Kubectl) -> None:
        """The router beside the cluster, and the objects by which nodes peer with it."""
        variant, bgp_keys = self.variant, self.variant.bgp
        if bgp_keys is None:
            return
        nodes = self.machines(supply.engine)
        router_, _ = self.rack(supply.engine, nodes, supply)
        kubectl.run("wait", "--for=condition=Established", "--timeout=60s", *BGP_CRDS)
        if bgp_keys.peering is Peering.REFLECTORS:
            kubectl.run("annotate", "--overwrite", "node", variant.control_plane, bgp.CLUSTER_ID)
            kubectl.run("label", "--overwrite", "node", variant.control_plane, bgp.REFLECTOR_LABEL)
        kubectl.apply(list(bgp.objects(variant, bgp_keys, router_)))

    def rack(
        self, engine: Engine, nodes: tuple[Machine, ...], supply: Supply
    ) -> tuple[Machine, Machine]:
        """Start router and client where they do not run."""
        folder = self.cache.cluster(self.variant.cluster)
        images_ = supply.probe_image, supply.node_image
        return router.ensure(engine, self.variant, nodes, *images_, folder)

    def machines(self, engine: Engine) -> tuple[Machine, ...]:
        """The nodes with their addresses."""
        variant = self.variant
        workers = dict.fromkeys(variant.nodes[1:], "worker")
        roles = {variant.control_plane: "control-plane", **workers}
        return tuple(
            outside.address(engine, name, variant.network, role) for name, role in roles.items()
        )

    def settle(self, supply: Supply, why: str) -> Bed:
        """Wait until everything works, then write the record."""
        engine, variant = supply.engine, self.variant
        beyond = outside.ensure(engine, variant, supply.probe_image, supply.node_image)
        kubectl = Kubectl(engine, variant.control_plane)
        with self.progress.step("waiting for the cluster") as report:
            self.await_checks(lambda: list(health.cluster(kubectl, variant)), report)
            if pools := calico_settings.load_balancer_pools(variant.stacks):
                kubectl.apply(pools)
            if variant.metallb:
                self.announce(kubectl, bridge.subnets(engine, variant))
            self.await_checks(lambda: list(health.across(engine, kubectl, variant)), report)
            self.await_checks(lambda: list(health.beyond(engine, variant)), report)
            self.await_checks(lambda: list(health.peerings(engine, variant)), report)
        if variant.hostile:
            self.harden(kubectl)
        bed = self.record(supply, beyond, why)
        record.write(self.cache.cluster(variant.cluster), bed)
        return bed

    def announce(self, kubectl: Kubectl, subnets: tuple[Network, ...]) -> None:
        """Give MetalLB its addresses; its webhook answers a little after it is ready."""
        text = yaml_text.written(metallb.objects(subnets))

        def amiss() -> str | None:
            done = kubectl.attempt("apply", "--server-side", "--filename=-", stdin=text)
            return None if done.ok else done.tail()

        wait_for("MetalLB to take its addresses", READY_SECONDS, amiss)

    def harden(self, kubectl: Kubectl) -> None:
        """Apply a strict owner's settings; the bed works by now, and running pods stay."""
        with self.progress.step("taints, labels, admission and a default deny"):
            for words in hostile.node_commands(self.variant):
                kubectl.run(*words)
            kubectl.apply(hostile.objects())

    def record(self, supply: Supply, beyond: record.Machine, why: str) -> Bed:
        """The record of the finished bed, for describe()."""
        engine, variant = supply.engine, self.variant
        nodes = self.machines(engine)
        beside = self.rack(engine, nodes, supply) if variant.bgp else (None, None)
        return Bed(
            variant=variant.name,
            cluster=variant.cluster,
            context=variant.context,
            kubeconfig=self.cache.cluster(variant.cluster) / "kubeconfig",
            image_mode=str(supply.mode),
            probe_image=supply.probe_image,
            node_image=supply.node_image,
            versions={
                name: version
                for name, version in supply.versions.items()
                if variant.calico or name != "calico"
            },
            nodes=nodes,
            outside=beyond,
            docker_host=engine.address,
            own_engine=engine.own,
            network=variant.network,
            bridge=variant.bridge,
            pod_subnets=variant.pod_subnets,
            service_subnets=variant.service_subnets,
            pod_mtu=variant.pod_mtu,
            dns_zone=dns.ZONE,
            source=why,
            timings={name: round(took, 1) for name, took in self.progress.timings.items()},
            router=beside[0],
            rack=beside[1],
        )

    def await_checks(
        self, look: Callable[[], list[health.Check]], report: Callable[[str], None]
    ) -> None:
        def amiss() -> str | None:
            left = "; ".join(f"{c.name}: {c.seen}" for c in look() if not c.ok)
            report(left)
            return left or None

        wait_for(
            "the cluster to work",
            READY_SECONDS,
            amiss,
            remedy="see `python -m testbed status`, and `kubectl describe pods -A`; then run `up`"
            " again, or `down` and `up`",
        )
