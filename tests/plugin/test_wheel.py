"""The wheel, installed where there is no checkout: its commands work from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sixproof import __version__
from tests.plugin.conftest import ROOT, ended
from tests.plugin.simulated.cluster import SimulatedCluster
from tests.unit.kube.server import kubeconfig, serve


def called(*command: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command that knows nothing of the checkout."""
    left_out = ("PYTHONPATH", "KUBECONFIG", "PYTEST_ADDOPTS")
    prefixes = ("SIX_", "COVERAGE_")  # what is measured is the checkout
    usual = {
        k: v for k, v in os.environ.items() if k not in left_out and not k.startswith(prefixes)
    }
    return ended(command, cwd, {**usual, "HOME": str(cwd), **more})


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel in it; what it depends on is that of the
    tests' own environment, so that nothing is downloaded."""
    home = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    built = called(
        *(*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "built", str(ROOT)),
        cwd=home,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    made = called(sys.executable, "-m", "venv", "--without-pip", "venv", cwd=home)
    assert made.returncode == 0, made.stderr
    (wheel,) = (home / "built").glob(f"sixproof-{__version__}-*.whl")
    python = home / "venv/bin/python"
    installed = called(
        *(*pip, "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"),
        str(wheel),
        cwd=home,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    (packages,) = (home / "venv/lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python.parent


def test_it_says_its_version(bin_folder: Path, tmp_path: Path) -> None:
    for name in ("sixproof", "kubectl-sixproof"):
        done = called(str(bin_folder / name), "--version", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"sixproof {__version__}\n")


def test_it_holds_every_test(bin_folder: Path, tmp_path: Path) -> None:
    """As many as the checkout, by the same names."""
    quiet = ("--collect-only", "-q", "-p", "no:hypothesispytest")
    inside = called(str(bin_folder / "sixproof"), "run", *quiet, cwd=tmp_path)
    beside = called(
        *(sys.executable, "-m", "pytest", "suites", *quiet, "-p", "no:cacheprovider"), cwd=ROOT
    )

    assert inside.returncode == 0, inside.stdout + inside.stderr
    ids = [line for line in inside.stdout.splitlines() if "::" in line]
    assert len(ids) > 500
    assert ids == [line for line in beside.stdout.splitlines() if "::" in line]


def test_a_run_from_an_empty_folder(bin_folder: Path, tmp_path: Path) -> None:
    """Over two processes, past modules of the user that are called like ours and like those that we
    need: measured, reported there, cleaned up."""
    for name in ("yaml.py", "fixtures.py", "suites.py"):
        (tmp_path / name).write_text("raise RuntimeError('a file of the user was imported')\n")
    cluster = SimulatedCluster()
    command = str(bin_folder / "sixproof")
    with serve(cluster) as url:
        config = f"--six-kubeconfig={kubeconfig(tmp_path / 'config', url)}"
        nodes = "--six-nodes=2"
        planned = called(command, "plan", "suites/preflight", config, nodes, cwd=tmp_path)
        ran = called(
            *(command, "run", "suites/preflight", "-n", "2", config, nodes, "--six-raw=off"),
            cwd=tmp_path,
        )
        cleaned = called(command, "cleanup", config, cwd=tmp_path)

    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "kind: ClusterRole" in planned.stdout
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "suites/preflight/" in ran.stdout
    assert (tmp_path / "reports/latest/results.json").is_file()
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    assert cluster.objects.list("namespaces") == []


def test_a_wrong_option_is_one_line(bin_folder: Path, tmp_path: Path) -> None:
    done = called(str(bin_folder / "sixproof"), "run", "--six-nodes=none-such!", cwd=tmp_path)

    assert done.returncode == 4
    assert "--six-nodes" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
