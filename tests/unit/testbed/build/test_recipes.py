import tarfile
from pathlib import Path

import pytest

from testbed.build import gobuild, images, nodes, recipes, routing
from testbed.build.recipes import BuiltParts
from testbed.errors import BedError

TEMPLATE = """filter programming {
  if ( net ~ {{$data.cidr}} ) then {
    if defined(bgp_next_hop) && ( bgp_next_hop ~ {{$network}} ) then
      krt_tunnel = "";
    else
      krt_tunnel = "{{$data.ipip}}";
    accept;
  } {{- else}}
    krt_tunnel = "{{$data.ipip}}";   {{- /* a comment */}}
    accept;
}
"""


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
    for program in routing.PROGRAMS:
        (tmp_path / "routing" / program).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "routing" / program).write_text(program)
    (tmp_path / "layers").mkdir()
    return BuiltParts(
        tools=tmp_path / "tools.tar",
        node=tmp_path / "node.tar",
        kubernetes=tmp_path / "kubernetes",
        calico=tmp_path / "calico",
        runtime=tmp_path / "runtime",
        pause=tmp_path / "pause",
        layers=tmp_path / "layers",
        routing=tmp_path / "routing",
        calico_source=_source(tmp_path / "source"),
    )


def _source(module: Path) -> Path:
    """The files of Calico's module that the image of calico-node has, in short."""
    confd = module / "confd/etc/calico/confd"
    for path, text in {
        module / "node/filesystem/etc/rc.local": "start",
        module / "node/filesystem/sbin/start_runit": "start",
        module / "node/filesystem/etc/service/available/bird/run": "exec bird",
        confd / "conf.d/bird.toml": "bird",
        confd / "templates/bird.cfg.template": "bird",
        confd / "templates/bird_ipam.cfg.template": TEMPLATE,
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return module


def test_every_image_that_the_manifests_ask_for_is_made(parts: BuiltParts) -> None:
    made = {image.reference for image in recipes.pod_images(parts)}
    kubernetes = {
        f"registry.k8s.io/{name}:{gobuild.KUBERNETES_VERSION}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    }
    ours = {recipes.PROBE_IMAGE, recipes.KINDNET_IMAGE}
    assert kubernetes | set(images.CALICO_IMAGES) | ours <= made


def test_the_small_plugin_is_in_its_image_with_all_of_its_modules(parts: BuiltParts) -> None:
    image = recipes.kindnet_image(parts)
    with tarfile.open(image.layers[-1]) as archive:
        names = set(archive.getnames())
    here = {f"opt/testbed/kindnet/{path.name}" for path in recipes.KINDNET_FILES.glob("*.py")}
    assert names == here
    assert "opt/testbed/kindnet/__main__.py" in here
    assert (image.folder, image.command[-1]) == ("/opt", "testbed.kindnet")


def test_nodes_have_the_plugins_that_its_configuration_names(parts: BuiltParts) -> None:
    (machine,) = (
        path
        for path in recipes.node_image(parts, "node", True).layers
        if path.name.startswith("machine")
    )
    with tarfile.open(machine) as archive:
        names = set(archive.getnames())
    assert {f"opt/cni/bin/{n}" for n in ("loopback", "ptp", "host-local", "portmap")} <= names


def test_the_pause_image_is_the_one_that_containerd_is_configured_with(parts: BuiltParts) -> None:
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
    (machine,) = (
        path
        for path in recipes.node_image(parts, "node", strip).layers
        if path.name.startswith("machine")
    )
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


def test_birds_filters_send_through_no_tunnel() -> None:
    """Debian's BIRD has no krt_tunnel; what is left accepts the same routes."""
    text = routing.without_tunnels(TEMPLATE)
    assert "krt_tunnel" not in text
    assert "bgp_next_hop" not in text
    assert text.count("accept;") == TEMPLATE.count("accept;") == 2


def test_a_statement_of_a_new_form_is_an_error_and_no_bed_without_routes() -> None:
    with pytest.raises(BedError, match="krt_tunnel"):
        routing.without_tunnels('if x then { krt_tunnel = "tunl0"; }')


def test_calico_nodes_image_has_what_runs_bird(parts: BuiltParts) -> None:
    entries = routing.supervised(parts.calico_source)
    assert {entry.path for entry in entries} == {
        "etc/rc.local",
        "usr/sbin/start_runit",
        "etc/service/available/bird/run",
        "etc/calico/confd/conf.d/bird.toml",
        "etc/calico/confd/templates/bird.cfg.template",
        "etc/calico/confd/templates/bird_ipam.cfg.template",
    }
    links = {entry.path: entry.link for entry in routing.bird(parts.routing) if entry.link}
    assert links == {"usr/bin/birdcl": "../sbin/birdc"}
