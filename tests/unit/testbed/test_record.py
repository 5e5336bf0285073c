from pathlib import Path

import pytest

import testbed
from testbed import cli, record
from testbed.errors import BedError
from testbed.host import paths
from testbed.record import Bed, Machine

BED = Bed(
    variant="dual",
    cluster="six",
    context="kind-six",
    kubeconfig=Path("/cache/kubeconfig"),
    image_mode="build",
    probe_image="sixproof.test/python:3.11",
    node_image="sixproof.test/node:1",
    versions={"calico": "v3.31.0"},
    nodes=(Machine("six-control-plane", "control-plane", "172.31.66.2", "fd5e::2"),),
    outside=Machine("six-outside", "outside", "172.31.66.5", "fd5e::5", "2001:db8:57:bed::5"),
    docker_host="unix:///cache/docker.sock",
    own_engine=True,
    network="six-net",
    bridge="br-six",
    pod_subnets=("10.244.0.0/16", "fd00:10:244::/56"),
    service_subnets=("10.96.0.0/16", "fd00:10:96::/112"),
    pod_mtu=1430,
    dns_zone="sixproof.test",
    timings={"creating the kind cluster": 19.0},
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    record.write(tmp_path, BED)
    assert record.read(tmp_path) == BED
    assert BED.node_names == ("six-control-plane",)


def test_describe_finds_the_record_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIX_CACHE", str(tmp_path))
    folder = paths.cache().cluster("six")
    folder.mkdir(parents=True)
    record.write(folder, BED)
    assert testbed.describe() == BED


def test_no_bed_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIX_CACHE", str(tmp_path))
    with pytest.raises(BedError, match="python -m testbed up"):
        testbed.describe()


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"kubeconfig": 3}'])
def test_a_record_of_another_version_says_how_to_renew_it(tmp_path: Path, text: str) -> None:
    (tmp_path / record.FILE).write_text(text)
    with pytest.raises(BedError, match="testbed down, then up"):
        record.read(tmp_path)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"SIX_CACHE": "/c"}, "/c"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/sixproof"),
        ({"SIX_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "/c"),
    ],
)
def test_the_cache_is_where_the_user_says(env: dict[str, str], expected: str) -> None:
    assert paths.cache(env).root == Path(expected)


def test_status_shows_what_runs_where() -> None:
    text = cli.summary(BED)
    for part in (
        "kind-six",
        "172.31.66.5",
        "fd5e::5",
        "2001:db8:57:bed::5",
        "MTU 1430",
        "build",
        "(own)",
    ):
        assert part in text


def test_errors_end_the_command_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIX_CACHE", str(tmp_path))
    assert cli.main(["kubeconfig"]) == 2
    assert "do: python -m testbed up" in capsys.readouterr().err


def test_purge_alone_is_refused() -> None:
    assert cli.main(["down", "--purge"]) == 2
