"""The way to the cluster, as a user goes it: from a terminal, with pytest in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fixtures.cluster import connect
from fixtures.run.state import RunState
from sixproof import records
from sixproof.errors import ClusterUnreachable
from sixproof.kube.access import config
from sixproof.model import ClusterFacts
from tests.unit.kube.access.terminal import at_terminal
from tests.unit.kube.server import FakeApi, kubeconfig, serve

PLUGIN = "client.authentication.k8s.io/v1"


def written(folder: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None) -> Path:
    """A kubeconfig of a server at which nobody listens."""
    server = {"server": "https://127.0.0.1:9", **(cluster or {})}
    path = folder / "config.json"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "x",
                "clusters": [{"name": "c", "cluster": server}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


@pytest.mark.parametrize(
    ("mode", "more"), [("Always", []), ("IfAvailable", ["--six-plan"])], ids=["run", "plan"]
)
def test_credential_plugin_runs_from_a_terminal(
    project: pytest.Pytester, mode: str, more: list[str]
) -> None:
    """What fails is the server, which is down; what the plugin says to the user is shown."""
    script = project.path / "log-in"
    answer = {"apiVersion": PLUGIN, "kind": "ExecCredential", "status": {"token": "t"}}
    script.write_text(f"#!/bin/sh\necho enter code 4711 >&2\necho '{json.dumps(answer)}'\n")
    script.chmod(0o755)
    plugin = {"apiVersion": PLUGIN, "command": "./log-in", "interactiveMode": mode}
    path = written(project.path, {"exec": plugin})
    argv = [sys.executable, "-m", "pytest", "suites", "--six-kubeconfig", str(path), *more]
    status, output = at_terminal(argv, limit=400)
    assert status == 4, output
    assert "credential plugin log-in: enter code 4711" in output
    assert "connection refused" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"token": "t"}, {"proxy-url": "socks5://127.0.0.1:1080"}, "socks5://127.0.0.1:1080"),
        ({"token": "t"}, {"server": "x/y"}, "server of cluster 'c' is 'x/y'"),
        ({"exec": {"apiVersion": PLUGIN, "command": "x", "installHint": "get x"}}, {}, "get x"),
    ],
    ids=["socks", "scheme", "hint"],
)  # fmt: skip
def test_kubeconfig_that_cannot_be_used_ends_with_status_4_and_one_line(
    project: pytest.Pytester, user: dict[str, Any], cluster: dict[str, Any], words: str
) -> None:
    """Neither a traceback nor an INTERNALERROR."""
    path = written(project.path, user, cluster)
    result = project.runpytest_subprocess("suites", "--six-kubeconfig", str(path))
    assert result.ret == 4
    said = [line for line in result.outlines + result.errlines if words in line]
    assert len(said) == 1
    text = "\n".join(result.outlines + result.errlines)
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text


def state(kubeconfig: str, context: str, server: str) -> RunState:
    facts = ClusterFacts(server=server, version="v1.34.1", nodes=())
    return RunState("r", facts, (), None, "image", "live", kubeconfig, context)


def test_worker_goes_to_the_cluster_of_the_run(tmp_path: Path) -> None:
    """Also when the current context was changed meanwhile; another server is refused."""
    api, other = FakeApi(), FakeApi()
    with serve(api) as url, serve(other) as elsewhere:
        path = kubeconfig(tmp_path / "k", url)
        found = config.load(path, None)
        kept = state(found.kubeconfig, found.context, url)
        content = json.loads(path.read_text())
        content["clusters"].append({"name": "d", "cluster": {"server": elsewhere}})
        content["contexts"].append({"name": "new", "context": {"cluster": "d", "user": "u"}})
        content["current-context"] = "new"
        path.write_text(json.dumps(content))
        connect(records.from_json(RunState, records.to_json(kept))).close()
        assert len(api.requests("GET", "/version")) == 1
        kubeconfig(path, elsewhere)
        with pytest.raises(ClusterUnreachable, match="the kubeconfig changed during the run"):
            connect(kept)


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM"])
def test_a_clean_up_that_is_interrupted_ends_in_one_line(
    project: pytest.Pytester, signal_name: str
) -> None:
    """While a credential plugin hangs: it is ended too."""
    script = project.path / "log-in"
    script.write_text(f"#!/bin/sh\ntouch {project.path}/asked\nexec sleep 300\n")
    script.chmod(0o755)
    path = written(project.path, {"exec": {"apiVersion": PLUGIN, "command": "./log-in"}})
    argv = [sys.executable, "-m", "pytest", "--six-cleanup", "--six-kubeconfig", str(path)]
    process = subprocess.Popen(
        argv, cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        for _ in range(600):
            if (project.path / "asked").exists():
                break
            time.sleep(0.1)
        process.send_signal(signal.Signals[signal_name])
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 2, output
    assert "interrupted: `pytest --six-cleanup` removes what is left" in output
    assert "Traceback" not in output
