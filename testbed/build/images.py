"""Where the bed's images come from: built here, or pulled from registries."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from testbed.build import gobuild, nodes, recipes, rootfs, routing
from testbed.build.registry import Mode
from testbed.errors import BedError
from testbed.host import engine as engines
from testbed.host import machine
from testbed.host.engine import Engine
from testbed.host.paths import Cache
from testbed.host.progress import Progress

# kind's node image of the pinned Kubernetes minor; SIX_NODE_IMAGE chooses another.
NODE_IMAGE = "kindest/node:v1.34.3"
PULLED_PROBE_IMAGE = "docker.io/library/python:3.13-slim"
CALICO_IMAGES = tuple(
    f"quay.io/calico/{name}:{gobuild.CALICO_VERSION}"
    for name in ("node", "cni", "kube-controllers", "apiserver")
)


@dataclass(frozen=True, slots=True)
class Supply:
    """Everything that is needed to create a cluster. `preload` are images of the engine, `archives`
    files with images, that nodes must have besides their own."""

    mode: Mode
    engine: Engine
    kind: Path
    node_image: str
    probe_image: str
    versions: Mapping[str, str]
    wrapper: Path | None = None
    preload: tuple[str, ...] = field(default=())
    archives: tuple[Path, ...] = field(default=())

    @property
    def made_of(self) -> str:
        """Names what a cluster is created from."""
        return " ".join([self.node_image, *(path.stem for path in self.archives)])

    @property
    def built(self) -> bool:
        return self.mode is Mode.BUILD


def start_engine(cache: Cache, progress: Progress) -> tuple[Engine, Path | None]:
    """An engine, and the wrapper around runc when this machine needs one."""
    wrapper = None
    if engines.capability_missing():
        with progress.step("building the runc wrapper (no CAP_SYS_RESOURCE here)") as report:
            wrapper = gobuild.build(gobuild.RUNTIME, cache.binaries, report) / "runtime"
    found = engines.existing(cache.engine)
    if found is None:
        machine.root()
        machine.install(machine.ENGINE_PACKAGES, progress.say)
        with progress.step("starting the bed's own Docker engine"):
            found = engines.ensure(cache.engine, wrapper)
    return found, wrapper


def parts(cache: Cache, progress: Progress) -> recipes.BuiltParts:
    """Build what is missing: programs one module after the other, Debian in parallel."""
    machine.install(machine.BUILD_PACKAGES, progress.say)
    pause = shutil.which("catatonit")
    if pause is None:
        raise BedError("the program catatonit", remedy="install Debian's package catatonit")

    def base() -> tuple[Path, Path, Path]:
        with progress.step("Debian base") as report:
            return *rootfs.build(cache.layers, report), routing.programs(cache.layers, report)

    def programs(module: gobuild.Module, title: str) -> Path:
        with progress.step(title) as report:
            return gobuild.build(module, cache.binaries, report)

    with ThreadPoolExecutor(1) as beside:
        debian = beside.submit(base)
        runtime = programs(gobuild.RUNTIME, "runc wrapper")
        kubernetes = programs(gobuild.KUBERNETES, f"Kubernetes {gobuild.KUBERNETES_VERSION}")
        calico = programs(gobuild.CALICO, f"Calico {gobuild.CALICO_VERSION}")
        tools, node, bird = debian.result()
    return recipes.BuiltParts(
        tools=tools,
        node=node,
        kubernetes=kubernetes,
        calico=calico,
        runtime=runtime,
        pause=Path(pause),
        layers=cache.layers,
        routing=bird,
        calico_source=gobuild.source(gobuild.CALICO, gobuild.CALICO_MODULE),
    )


def cold(cache: Cache) -> bool:
    """Whether the long builds are still to be done."""
    version = gobuild.go_version()
    return not all(
        (cache.binaries / f"{module.name}-{gobuild.key(module, version)}").is_dir()
        for module in (gobuild.KUBERNETES, gobuild.CALICO)
    )


def build(cache: Cache, progress: Progress) -> Supply:
    """Images built here. Programs come before the engine, so that failures appear early."""
    need = machine.DISK_COLD_GIB if cold(cache) else machine.DISK_WARM_GIB
    machine.disk(cache.root, need)
    made = parts(cache, progress)
    engine, wrapper = start_engine(cache, progress)
    with progress.step("node image") as report:
        image = nodes.ensure(engine, made, wrapper is not None, report)
    return Supply(
        mode=Mode.BUILD,
        engine=engine,
        kind=made.kubernetes / "kind",
        node_image=image,
        probe_image=recipes.PROBE_IMAGE,
        versions={
            "kubernetes": gobuild.KUBERNETES_VERSION,
            "calico": gobuild.CALICO_VERSION,
            "etcd": gobuild.ETCD_VERSION,
            "coredns": gobuild.COREDNS_VERSION,
        },
        wrapper=wrapper,
    )


def pull(cache: Cache, progress: Progress, env: Mapping[str, str] = os.environ) -> Supply:
    """Upstream's images. kind itself is built from its module unless KIND names a program."""
    machine.disk(cache.root, machine.DISK_WARM_GIB)
    given = env.get("KIND")
    if given:
        kind = Path(given)
    else:
        with progress.step("kind") as report:
            kind = gobuild.build(gobuild.KIND, cache.binaries, report) / "kind"
    engine, wrapper = start_engine(cache, progress)
    node = env.get("SIX_NODE_IMAGE", NODE_IMAGE)
    wanted = (node, PULLED_PROBE_IMAGE, *CALICO_IMAGES)
    with progress.step("pulling images") as report:
        for number, reference in enumerate(wanted, 1):
            report(f"{number} of {len(wanted)}, {reference}")
            if not engine.has_image(reference):
                engine.run("pull", "--quiet", reference, timeout=1800)
    return Supply(
        mode=Mode.PULL,
        engine=engine,
        kind=kind,
        node_image=node,
        probe_image=PULLED_PROBE_IMAGE,
        versions={"node image": node, "calico": gobuild.CALICO_VERSION},
        wrapper=wrapper,
        preload=wanted[1:],
    )
