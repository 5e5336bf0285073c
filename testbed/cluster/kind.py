"""The kind cluster: its configuration, its creation, its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.build import gobuild
from testbed.cluster import hostile, yaml_text
from testbed.errors import BedError
from testbed.host import command
from testbed.host.engine import Engine
from testbed.variants.keys import DataPlane
from testbed.variants.variant import Variant


@dataclass(frozen=True, slots=True)
class KindCommand:
    """The kind program, bound to an engine, a variant and the folder of the cluster's files."""

    program: Path
    engine: Engine
    variant: Variant
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def env(self) -> dict[str, str]:
        network = {"KIND_EXPERIMENTAL_DOCKER_NETWORK": self.variant.network}
        proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        return {**self.engine.env, **network, **dict.fromkeys(proxies, "")}

    def exists(self) -> bool:
        label = f"label=io.x-k8s.kind.cluster={self.variant.cluster}"
        return bool(self.engine.run("ps", "--all", "--quiet", "--filter", label).strip())

    def create(self, image: str, settings: dict[str, object]) -> None:
        """Create the cluster; nodes are not Ready yet, they have no network."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "kind.yaml"
        config.write_text(yaml_text.written([settings]))
        if self.variant.hostile:
            admission = self.folder / hostile.ADMISSION
            admission.write_text(yaml_text.written([hostile.admission()]))
        words = ["create", "cluster", "--name", self.variant.cluster, "--image", image, "--retain"]
        result = command.attempt(
            [self.program, *words, "--config", config, "--kubeconfig", self.kubeconfig],
            env=self.env,
            timeout=900,
        )
        (self.folder / "kind.log").write_text(result.out + result.err)
        if not result.ok:
            raise BedError(
                "kind to create the cluster",
                seen=result.tail(),
                remedy=f"see {self.folder / 'kind.log'} and `docker logs"
                f" {self.variant.control_plane}`; then run `up` again, it starts this step afresh",
            )

    def load(self, references: Sequence[str]) -> None:
        """Copy images of the engine into every node."""
        command.run(
            [
                *(self.program, "load", "docker-image", "--name", self.variant.cluster),
                *references,
            ],
            env=self.env,
            timeout=900,
        )

    def import_(self, archive: Path) -> None:
        """Import the images of an archive into every node."""
        inside = "/root/images.tar"
        for node in self.variant.nodes:
            self.engine.run("cp", archive, f"{node}:{inside}")
            imported = ("ctr", "--namespace", "k8s.io", "images", "import", inside)
            self.engine.run("exec", node, *imported, timeout=300)
            self.engine.run("exec", node, "rm", inside)

    def delete(self) -> None:
        command.run(
            [
                *(self.program, "delete", "cluster", "--name", self.variant.cluster),
                *("--kubeconfig", self.kubeconfig),
            ],
            env=self.env,
        )


def settings(
    variant: Variant, built: bool, wrapper: Path | None, folder: Path | None = None
) -> dict[str, object]:
    """kind's configuration; `built`: own node image, `wrapper`: replaces runc in upstream's,
    `folder`: the cluster's files, some of which a hostile one's nodes mount."""
    mounts: list[dict[str, object]] = []
    patches: list[str] = []
    if wrapper is not None and not built:
        target = "/usr/local/sbin/runc-nores"
        mounts.append({"hostPath": str(wrapper), "containerPath": target, "readOnly": True})
        runtime = 'plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options'
        patches.append(f'[{runtime}]\n  BinaryName = "{target}"\n')
    if variant.hostile and folder is not None:
        name = hostile.ADMISSION
        path = {"hostPath": str(folder / name), "containerPath": f"{hostile.FOLDER}/{name}"}
        mounts.append({**path, "readOnly": True})
    kubeadm: list[dict[str, object]] = [
        {"kind": "KubeletConfiguration", "cgroupDriver": "cgroupfs"}
    ]
    if built:
        kubeadm.insert(
            0,
            {
                "kind": "ClusterConfiguration",
                "etcd": {"local": {"imageTag": f"{gobuild.ETCD_VERSION}-0"}},
                "dns": {"imageTag": gobuild.COREDNS_VERSION},
            },
        )
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": variant.cluster,
        "networking": networking(variant, built),
        "nodes": [
            {"role": role, **({"extraMounts": mounts} if mounts else {})}
            for role in ("control-plane", *("worker" for _ in range(variant.workers)))
        ],
        "kubeadmConfigPatches": [
            yaml_text.written([part])
            for part in (
                *(kubeadm if built else []),
                *([hostile.cluster_configuration()] if variant.hostile else []),
            )
        ],
        **({"containerdConfigPatches": patches} if patches else {}),
    }


def networking(variant: Variant, built: bool = True) -> dict[str, object]:
    """The cluster's network, which the bed sets up; kube-proxy uses iptables by default.

    kind's node image, which is not `built` here, contains kind's own network plugin.
    """
    proxy = {"kubeProxyMode": "nftables"} if variant.data_plane is DataPlane.NFTABLES else {}
    return {
        "ipFamily": "dual" if len(variant.families) > 1 else variant.families[0].lower(),
        "disableDefaultCNI": built or variant.calico,
        "podSubnet": ",".join(variant.pod_subnets),
        "serviceSubnet": ",".join(variant.service_subnets),
        **proxy,
    }
