"""The node image: a Debian machine with kubelet, whose containerd already holds every pod image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from testbed.build import archive, recipes
from testbed.build.recipes import BuiltParts
from testbed.host.engine import Engine

REPOSITORY = "sixproof.test/node"
BAKERY = "six-bake"


def key(parts: BuiltParts, strip_resource: bool) -> str:
    """Names a node image by the layers and images it consists of."""
    images = (recipes.node_image(parts, "node", strip_resource), *recipes.pod_images(parts))
    return hashlib.sha256(repr(images).encode()).hexdigest()[:16]


def ensure(
    engine: Engine, parts: BuiltParts, strip_resource: bool, report: Callable[[str], None]
) -> str:
    """Return the node image's reference, building the image if the engine has none of that key."""
    name = key(parts, strip_resource)
    final, bare = f"{REPOSITORY}:{name}", f"{REPOSITORY}-bare:{name}"
    if engine.has_image(final) and engine.has_image(recipes.PROBE_IMAGE):
        return final
    report("writing the bare node")
    packed = archive.write_archive(
        parts.layers / "bare.tar",
        [recipes.node_image(parts, bare, strip_resource), recipes.probe_image(parts)],
    )
    report("loading the bare node")
    engine.run("load", "--input", packed)
    packed.unlink()
    report("writing pod images")
    images = archive.write_archive(parts.layers / "pods.tar", recipes.pod_images(parts))
    bake(engine, bare, images, final, report)
    images.unlink()
    prune(engine, name)
    return final


def prune(engine: Engine, name: str) -> None:
    """Remove node images with other keys, except those that a cluster still runs."""
    for repository in (REPOSITORY, f"{REPOSITORY}-bare"):
        for tag in engine.run("images", "--format", "{{.Tag}}", repository).split():
            if tag != name:
                engine.attempt("image", "rm", f"{repository}:{tag}")


def bake(
    engine: Engine, bare: str, images: Path, final: str, report: Callable[[str], None]
) -> None:
    """Import the pod images into a bare node's containerd and keep the result as an image."""
    discard(engine)
    report("importing pod images")
    try:
        engine.run(
            *("run", "--name", BAKERY, "--privileged", "--network", "none"),
            *("--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", "/build"),
            *("--volume", f"{images}:/images.tar:ro", "--entrypoint", "/usr/local/sbin/bake"),
            *(bare, "/build", "/images.tar"),
        )
        report("committing the node image")
        engine.run(
            *("commit", "--change", 'ENTRYPOINT ["/usr/local/sbin/entrypoint","/sbin/init"]'),
            *("--change", "CMD []", BAKERY, final),
        )
    finally:
        discard(engine)


def discard(engine: Engine) -> None:
    """Remove the container in which a node image is built."""
    engine.attempt("rm", "--force", "--volumes", BAKERY)
