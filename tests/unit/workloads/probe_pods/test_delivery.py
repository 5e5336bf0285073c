"""What is delivered to a pod: the whole agent, in its folders, and nothing that it would miss."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sixproof
from sixproof.workloads.probe_pods import delivery, probe_pod
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import PodOptions, PodSpec
from tests.delivered import deliver

FILES = delivery.agent_files()
RUN = Run.new()


def test_the_package_is_delivered_as_it_stands() -> None:
    """Every module at its own path; the launcher comes another way."""
    library = Path(next(iter(sixproof.__path__)))
    modules = {str(p.relative_to(library.parent)) for p in (library / "agent").rglob("*.py")}

    assert set(FILES) == {"sixproof/__init__.py", *modules} - {"sixproof/agent/launcher.py"}


@pytest.mark.parametrize("path", FILES)
def test_a_module_is_python_3_10(path: str) -> None:
    """They run on whatever stock image the cluster has."""
    ast.parse(FILES[path], feature_version=(3, 10))


IMPORT = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    assert importlib.import_module(name).__file__.startswith(sys.argv[1])
"""


def test_every_module_finds_what_it_imports(tmp_path: Path) -> None:
    """In what was delivered, and in the standard library."""
    deliver(tmp_path, "")
    names = [p.removesuffix(".py").replace("/", ".") for p in FILES if "/__main__" not in p]
    command = [sys.executable, "-I", "-S", "-B", "-c", IMPORT, str(tmp_path), *names]

    assert subprocess.run(command, timeout=60).returncode == 0


@pytest.mark.parametrize("capability", ["", "NET_RAW", "NET_ADMIN"])
def test_a_pod_s_volume_has_the_folders_of_the_package(capability: str) -> None:
    """From a ConfigMap, whose keys are flat, and a Secret; both fit the pod."""
    pod = probe_pod.pod(RUN, PodSpec("p", "ns", "node", capability=capability), PodOptions("image"))
    config_map = probe_pod.agent_config_map(RUN, "ns")
    (volume,) = (v for v in pod["spec"]["volumes"] if v["name"] == "agent")
    files, key = volume["projected"]["sources"]
    (container,) = pod["spec"]["containers"]

    mounted = {i["path"]: config_map["data"][i["key"]] for i in files["configMap"]["items"]}
    assert (mounted, len(config_map["data"])) == (FILES, len(FILES))
    (item,) = key["secret"]["items"]
    assert item["key"] in probe_pod.key_secret(RUN, "ns")["data"]
    assert item["path"] == "sixproof/agent/key"
    assert container["workingDir"] == container["volumeMounts"][0]["mountPath"]


def test_the_commands_of_the_bridge_run_what_is_delivered() -> None:
    """The kubelet's, which waits for the agent, and that of exec streams."""
    pod = probe_pod.pod(RUN, PodSpec("p", "ns", "node"), PodOptions("image"))
    (container,) = pod["spec"]["containers"]
    listens = container["lifecycle"]["postStart"]["exec"]["command"]

    for command in (listens, probe_pod.BRIDGE):
        (script,) = (word for word in command if word.endswith(".py"))
        assert script.removeprefix(f"{container['workingDir']}/") in FILES


def test_the_config_map_is_far_from_its_limit() -> None:
    """1 MiB (ConfigMap, in the Kubernetes API); its keys are of letters, digits, ``-_.``."""
    data = probe_pod.agent_config_map(RUN, "ns")["data"]

    assert sum(len(key) + len(text.encode()) for key, text in data.items()) < 1 << 18
    assert all(key.replace(".", "").replace("_", "").isalnum() for key in data)
