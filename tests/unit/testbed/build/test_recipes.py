from pathlib import Path

import pytest

from testbed.build import gobuild, images, nodes, recipes
from testbed.build.recipes import BuiltParts


@pytest.fixture
def parts(tmp_path: Path) -> BuiltParts:
    """Parts with tiny files in the places of built programs."""
    for folder, programs in (
        ("kubernetes", gobuild.KUBERNETES.programs),
        ("calico", gobuild.CALICO.programs),
        ("runtime", gobuild.RUNTIME.programs),
    ):
        (tmp_path / folder).mkdir()
        for program in programs:
            (tmp_path / folder / program).write_text(program)
    for name in ("tools.tar", "node.tar", "pause"):
        (tmp_path / name).write_text(name)
    (tmp_path / "layers").mkdir()
    return BuiltParts(
        tools=tmp_path / "tools.tar",
        node=tmp_path / "node.tar",
        kubernetes=tmp_path / "kubernetes",
        calico=tmp_path / "calico",
        runtime=tmp_path / "runtime",
        pause=tmp_path / "pause",
        layers=tmp_path / "layers",
    )


def test_every_image_that_the_manifests_ask_for_is_made(parts: BuiltParts) -> None:
    made = {image.reference for image in recipes.pod_images(parts)}
    kubernetes = {
        f"registry.k8s.io/{name}:{gobuild.KUBERNETES_VERSION}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    }
    assert kubernetes | set(images.CALICO_IMAGES) | {recipes.PROBE_IMAGE} <= made


def test_the_pause_image_is_the_one_that_containerd_is_told_of(parts: BuiltParts) -> None:
    assert recipes.PAUSE in (recipes.NODE_FILES / "containerd.toml").read_text()
    assert recipes.PAUSE in {image.reference for image in recipes.pod_images(parts)}


def test_every_pod_image_has_a_search_path(parts: BuiltParts) -> None:
    without = [i.reference for i in recipes.pod_images(parts) if not i.env[0].startswith("PATH=")]
    assert without == []


@pytest.mark.parametrize(
    ("strip", "expected"), [(True, recipes.RUNC), (False, "/usr/sbin/runc")], ids=["nores", "plain"]
)
def test_a_node_uses_the_wrapper_only_where_it_is_needed(
    parts: BuiltParts, strip: bool, expected: str
) -> None:
    machine = recipes.node_image(parts, "node", strip).layers[-1]
    assert f'BinaryName = "{expected}"'.encode() in machine.read_bytes()


def test_the_node_image_key_follows_its_parts(parts: BuiltParts, tmp_path: Path) -> None:
    before = nodes.key(parts, True)
    assert nodes.key(parts, True) == before
    assert nodes.key(parts, False) != before
    other = BuiltParts(
        tools=tmp_path / "newer.tar",
        **{name: getattr(parts, name) for name in BuiltParts.__slots__ if name != "tools"},
    )
    assert nodes.key(other, True) != before


def test_layers_are_written_once(parts: BuiltParts) -> None:
    recipes.pod_images(parts)
    before = {path: path.stat().st_mtime_ns for path in parts.layers.iterdir()}
    recipes.pod_images(parts)
    assert {path: path.stat().st_mtime_ns for path in parts.layers.iterdir()} == before
