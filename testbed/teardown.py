"""Taking a bed down: afterwards only the caches remain."""

from __future__ import annotations

import shutil

from testbed import record
from testbed.bed import INOTIFY
from testbed.build import nodes
from testbed.errors import BedError
from testbed.host import engine as engines
from testbed.host import machine
from testbed.host.paths import Cache
from testbed.host.progress import Progress
from testbed.network import bridge, firewall, outside, router
from testbed.variants.variant import Variant


def down(cache: Cache, variant: Variant, progress: Progress) -> None:
    """Remove a variant's containers, network, fence and files; a missing one is not an error."""
    folder = cache.cluster(variant.cluster)
    engine = engines.existing(cache.engine)
    with progress.step(f"removing the bed {variant.cluster}"):
        if bridge.present(variant) and not engines.own(cache.engine):
            # The engine that created it died; its containers did not.
            engine = engines.revive(cache.engine) or engine
        (folder / record.FILE).unlink(missing_ok=True)
        if engine is not None:
            label = f"label=io.x-k8s.kind.cluster={variant.cluster}"
            listed = engine.run("ps", "--all", "--quiet", "--filter", label).split()
            if listed:
                engine.run("rm", "--force", "--volumes", *listed)
            outside.remove(engine, variant)
            router.remove(engine, variant)
            bridge.remove(engine, variant)
        firewall.remove(variant.bridge)
        shutil.rmtree(folder, ignore_errors=True)


def stop(cache: Cache, progress: Progress) -> None:
    """Stop the bed's own engine and restore what it and `up` changed on the machine."""
    engine = engines.own(cache.engine)
    if engine:
        nodes.discard(engine)
    left = engine.run("ps", "--all", "--format", "{{.Names}}").split() if engine else []
    if left:
        raise BedError(
            "no container left in the bed's own engine before it is stopped",
            seen=", ".join(left),
            remedy=f"they are not of a bed known here: remove them with docker --host"
            f" unix://{cache.engine / 'docker.sock'} rm --force, then run the same command again",
        )
    with progress.step("stopping the bed's own Docker engine") as report:
        if not engines.stop(cache.engine):
            report("it did not run")
        engines.unmount(cache.engine)
    old = cache.root / INOTIFY
    if old.is_file():
        machine.restore_inotify(old.read_text())
        old.unlink()


def purge(cache: Cache) -> None:
    """Remove the bed's files, and nothing else in the same folder."""
    for folder in (cache.binaries, cache.layers, cache.engine, cache.logs, cache.clusters):
        shutil.rmtree(folder, ignore_errors=True)
    (cache.root / "lock").unlink(missing_ok=True)
    if not any(cache.root.iterdir()):
        cache.root.rmdir()
