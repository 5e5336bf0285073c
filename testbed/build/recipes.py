"""The contents of the bed's images. Their names are those that kubeadm and Calico expect."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from testbed.build import archive, gobuild, routing
from testbed.build.archive import ArchiveEntry, Image

NODE_FILES = Path(__file__).parent / "node"
KUBERNETES_PROGRAMS = (
    *("kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager"),
    *("kube-scheduler", "kube-proxy"),
)
PROBE_IMAGE = "sixproof.test/python:3.11"
KINDNET_IMAGE = "sixproof.test/kindnet:bed"
ROOT = Path(__file__).parent.parent.parent
KINDNET_FILES = ROOT / "testbed/kindnet"
PAUSE = "registry.k8s.io/pause:3.10.1"
SCRIPTS = ("entrypoint", "kubelet-cgroup", "bake")
RUNC = "/usr/local/sbin/runc-nores"


@dataclass(frozen=True, slots=True)
class BuiltParts:
    """The built parts that images consist of; each path carries a content key."""

    tools: Path
    node: Path
    kubernetes: Path
    calico: Path
    runtime: Path
    pause: Path
    layers: Path
    routing: Path
    calico_source: Path


def layer(parts: BuiltParts, name: str, entries: list[ArchiveEntry]) -> Path:
    """The file of a layer, written once per content."""
    identity = "\n".join(entry.identity() for entry in entries)
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    path = parts.layers / f"{name}-{key}.tar"
    return path if path.is_file() else archive.write_layer(path, entries)


def _programs(parts: BuiltParts) -> list[ArchiveEntry]:
    """The one Kubernetes program and the names it answers to."""
    links = [ArchiveEntry(f"usr/bin/{name}", link="kube") for name in KUBERNETES_PROGRAMS]
    local = [
        ArchiveEntry(f"usr/local/bin/{name}", link="/usr/bin/kube") for name in KUBERNETES_PROGRAMS
    ]
    return [ArchiveEntry("usr/bin/kube", source=parts.kubernetes / "kube"), *links, *local]


def node_image(parts: BuiltParts, reference: str, strip_resource: bool) -> Image:
    """The image of a node, without the images that its own containerd holds."""
    runc = RUNC if strip_resource else "/usr/sbin/runc"
    settings = (NODE_FILES / "containerd.toml").read_text().replace("@RUNC@", runc)
    units = "etc/systemd/system"
    masked = (
        "systemd-udevd.service",
        "getty.target",
        "console-getty.service",
        "systemd-logind.service",
    )
    entries = [
        *(_file(name, f"usr/local/sbin/{name}", 0o755) for name in SCRIPTS),
        _file("kubelet.service", f"{units}/kubelet.service", 0o644),
        ArchiveEntry(RUNC.strip("/"), source=parts.runtime / "runtime"),
        ArchiveEntry("etc/containerd/config.toml", text=settings, mode=0o644),
        ArchiveEntry("kind/version", text=gobuild.KUBERNETES_VERSION, mode=0o644),
        ArchiveEntry("etc/kubernetes/manifests"),
        *(
            ArchiveEntry(f"opt/cni/bin/{name}", source=folder / name)
            for folder, names in (
                (parts.kubernetes, ("loopback", "portmap")),
                (parts.calico, ("host-local", "ptp")),
            )
            for name in names
        ),
        *(
            ArchiveEntry(f"{units}/multi-user.target.wants/{unit}", link=target)
            for unit, target in (
                ("containerd.service", "/lib/systemd/system/containerd.service"),
                ("kubelet.service", f"/{units}/kubelet.service"),
            )
        ),
        *(ArchiveEntry(f"{units}/{unit}", link="/dev/null") for unit in masked),
    ]
    return Image(
        reference,
        (
            parts.tools,
            parts.node,
            layer(parts, "kubernetes", _programs(parts)),
            layer(parts, "machine", entries),
            layer(parts, "bird", routing.bird(parts.routing)),
        ),
        entrypoint=("/usr/local/sbin/entrypoint", "/sbin/init"),
        env=(*_path(), "container=docker"),
        stop_signal="SIGRTMIN+3",
    )


def _path() -> tuple[str, ...]:
    return ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)


def _file(name: str, path: str, mode: int) -> ArchiveEntry:
    return ArchiveEntry(path, text=(NODE_FILES / name).read_text(), mode=mode)


def probe_image(parts: BuiltParts) -> Image:
    """The image in which agents run: Debian's Python, under both of its usual names."""
    names = layer(parts, "python", [ArchiveEntry("usr/bin/python", link="python3")])
    return Image(PROBE_IMAGE, (parts.tools, names), command=("python3",), env=_path())


def pod_images(parts: BuiltParts) -> tuple[Image, ...]:
    """Every image that a pod of the bed runs."""
    kube = (parts.tools, layer(parts, "kubernetes", _programs(parts)))
    version = gobuild.KUBERNETES_VERSION
    servers = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    etcd = ArchiveEntry("usr/local/bin/etcd", source=parts.kubernetes / "server")
    coredns = ArchiveEntry("coredns", source=parts.kubernetes / "coredns")
    pause = ArchiveEntry("pause", source=parts.pause)
    return (
        *(Image(f"registry.k8s.io/{name}:{version}", kube, env=_path()) for name in servers),
        Image(
            f"registry.k8s.io/etcd:{gobuild.ETCD_VERSION}-0",
            (layer(parts, "etcd", [etcd]),),
            env=_path(),
        ),
        Image(
            f"registry.k8s.io/coredns/coredns:{gobuild.COREDNS_VERSION}",
            (layer(parts, "coredns", [coredns]),),
            entrypoint=("/coredns",),
            env=_path(),
        ),
        Image(PAUSE, (layer(parts, "pause", [pause]),), entrypoint=("/pause", "-P"), env=_path()),
        probe_image(parts),
        kindnet_image(parts),
        *_calico_images(parts),
    )


def kindnet_image(parts: BuiltParts) -> Image:
    """The small network plugin, under its path here, so that its modules find each other."""
    files = [
        ArchiveEntry(f"opt/{path.relative_to(ROOT)}", text=path.read_text(), mode=0o644)
        for path in sorted(KINDNET_FILES.glob("*.py"))
    ]
    return Image(
        KINDNET_IMAGE,
        (parts.tools, layer(parts, "kindnet", files)),
        command=("python3", "-s", "-B", "-m", "testbed.kindnet"),
        env=_path(),
        folder="/opt",
    )


def _calico_images(parts: BuiltParts) -> tuple[Image, ...]:
    version, built = gobuild.CALICO_VERSION, parts.calico
    node = [
        ArchiveEntry("usr/bin/calico-node", source=built / "calico-node"),
        _file("calico-node-start", "usr/local/bin/calico-node-start", 0o755),
        *routing.supervised(parts.calico_source),
    ]
    cni = [
        ArchiveEntry("opt/cni/bin/install", source=built / "install"),
        ArchiveEntry("opt/cni/bin/calico", source=built / "calico"),
        ArchiveEntry("opt/cni/bin/calico-ipam", link="calico"),
        ArchiveEntry("opt/cni/bin/portmap", source=parts.kubernetes / "portmap"),
        ArchiveEntry("opt/cni/bin/loopback", source=parts.kubernetes / "loopback"),
    ]
    controllers = [
        ArchiveEntry("usr/bin/kube-controllers", source=built / "kube-controllers"),
        ArchiveEntry("usr/bin/check-status", source=built / "check-status"),
        ArchiveEntry("status", owner=999),
        ArchiveEntry("status/status.json", text="", mode=0o644, owner=999),
    ]
    server = [
        ArchiveEntry("code/apiserver", source=built / "apiserver"),
        ArchiveEntry("tmp", mode=0o1777),
    ]
    return (
        Image(
            f"quay.io/calico/node:{version}",
            (
                parts.tools,
                layer(parts, "bird", routing.bird(parts.routing)),
                layer(parts, "calico-node", node),
            ),
            command=("calico-node-start",),
            env=_path(),
        ),
        Image(
            f"quay.io/calico/cni:{version}",
            (layer(parts, "calico-cni", cni),),
            env=("PATH=/opt/cni/bin",),
            folder="/opt/cni/bin",
        ),
        Image(
            f"quay.io/calico/kube-controllers:{version}",
            (layer(parts, "calico-controllers", controllers),),
            entrypoint=("/usr/bin/kube-controllers",),
            env=_path(),
            user="999",
        ),
        Image(
            f"quay.io/calico/apiserver:{version}",
            (layer(parts, "calico-apiserver", server),),
            entrypoint=("/code/apiserver",),
            env=_path(),
            folder="/code",
        ),
    )
