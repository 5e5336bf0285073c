"""Connecting: every way in which it can fail is one line that says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sixproof.errors import ClusterUnreachable
from sixproof.kube.api.client import Cluster
from tests.unit.kube.server import FakeApi, Reply, free_port, kubeconfig, refused, serve


def failure(path: Path | None, context: str | None = None, timeout: float = 1.0) -> str:
    with pytest.raises(ClusterUnreachable) as caught:
        Cluster.connect(path, context, timeout=timeout)
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    return message


def test_version_and_names_are_known(cluster: Cluster) -> None:
    assert (cluster.version, cluster.name) == ("v1.34.1", "bed")
    assert cluster.server.startswith("http://127.0.0.1:")


def test_token_is_sent(cluster: Cluster, api: FakeApi) -> None:
    assert api.seen[0].headers["authorization"] == "Bearer t0ken"


def test_kubeconfig_that_does_not_exist(tmp_path: Path) -> None:
    message = failure(tmp_path / "none")
    assert "none does not exist" in message
    assert "--six-kubeconfig" in message


def test_a_list_without_a_file_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", ":")
    assert "no kubeconfig: KUBECONFIG lists no file" in failure(None)


def test_no_kubeconfig_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "gone"))
    assert "not a pod with a service account" in failure(None)


def test_environment_names_the_kubeconfig(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(api) as url:
        path = kubeconfig(tmp_path / "env", url)
        monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'gone'}:{path}")
        with Cluster.connect() as cluster:
            assert cluster.server == url


def test_unknown_context_lists_the_known_ones(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", "http://127.0.0.1:1", contexts=("kind-a", "kind-b"))
    message = failure(path, "prod")
    assert "no context 'prod'" in message
    assert "kind-a, kind-b" in message


def test_no_current_context(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", "http://127.0.0.1:1", contexts=("", "kind-b"))
    assert "choose one with --six-context: " in failure(path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "just words", "a: b", "{", "contexts: 5", "\x00", "contexts: [{name: x}]"],
    ids=["empty", "list", "words", "other", "torn", "number", "binary", "half"],
)
def test_file_that_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k"
    path.write_text(text)
    assert str(path) in failure(path)


def test_certificate_file_that_is_missing(tmp_path: Path) -> None:
    user = {"client-certificate": "no.crt", "token": "t"}
    path = kubeconfig(tmp_path / "k", "https://127.0.0.1:1", user=user)
    assert "no.crt" in failure(path)


def test_credential_plugin_that_fails_is_quoted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "no-such-credential-plugin",
        "interactiveMode": "Never",
    }
    path = kubeconfig(tmp_path / "k", "http://127.0.0.1:1", user={"exec": plugin})
    assert "no-such-credential-plugin" in failure(path)
    assert capfd.readouterr().err == ""


def test_nothing_listens(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", f"http://127.0.0.1:{free_port()}")
    message = failure(path)
    assert "context 'bed'" in message
    assert "connection refused" in message


def test_name_that_does_not_resolve(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", "http://api.invalid:6443")
    assert "does not resolve" in failure(path)


def test_silent_server(api: FakeApi, tmp_path: Path) -> None:
    api.on("GET", "/version", Reply(delay=5))
    with serve(api) as url:
        message = failure(kubeconfig(tmp_path / "k", url), timeout=0.2)
    assert "silent for 0.2 s" in message


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (refused(401, "Unauthorized", "Unauthorized"), "credentials were refused"),
        (Reply("<html>hello</html>"), "a web page; something else than an API server answers"),
        (Reply({"hello": "world"}), "not as a Kubernetes API server"),
        (Reply([1]), "not an object"),
        (Reply("bad gateway", 502), "502: bad gateway"),
        (Reply({"gitVersion": "v1"}, cut=True), "no answer"),
        (Reply(hang_up=True), "no answer"),
    ],
    ids=["401", "html", "foreign", "list", "502", "cut", "hang-up"],
)
def test_server_that_is_of_no_use(api: FakeApi, tmp_path: Path, reply: Reply, wanted: str) -> None:
    api.on("GET", "/version", reply)
    with serve(api) as url:
        assert wanted in failure(kubeconfig(tmp_path / "k", url))


def test_server_that_hides_its_version_is_used(api: FakeApi, tmp_path: Path) -> None:
    api.on("GET", "/version", refused(403, "Forbidden", "no"))
    with serve(api) as url, Cluster.connect(kubeconfig(tmp_path / "k", url)) as cluster:
        assert cluster.version == ""


def test_service_account_of_a_pod(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pod without a kubeconfig the mounted account is used (and here fails on its CA)."""
    from kubernetes.config import incluster_config

    from sixproof.kube.access import config

    token = tmp_path / "token"
    token.write_text("abc")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "gone"))
    monkeypatch.setattr(config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert "service account cannot be used" in failure(None)
    (tmp_path / "ca.crt").write_text("x")
    assert config.load(None, None).server == "https://[fd00::1]:443"


def test_the_client_library_is_imported_only_to_connect() -> None:
    script = """
        import sys
        import sixproof.kube.api.client, sixproof.kube.runs.leftovers, sixproof.kube.facts.discovery
        import sixproof.kube.facts.pods, sixproof.kube.facts.preflight, sixproof.calico
        assert not [m for m in sys.modules if m.startswith("kubernetes")]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)


def test_a_kubeconfig_that_cannot_be_looked_at_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its content in place of its path, a user that does not exist, a folder without the right."""
    monkeypatch.setenv("KUBECONFIG", "x" * 5000)
    assert "File name too long" in failure(None)
    assert "no kubeconfig: ~no-such-user/x" in failure(Path("~no-such-user/x"))

    def refused(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refused)
    assert "Permission denied" in failure(tmp_path / "k")


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"tokenFile": "~no-such-user/t"}, {}, "tokenFile: Could not determine home"),
        ({"token": ["x"]}, {}, "token must be text"),
        ({"auth-provider": "gcp"}, {}, "auth-provider must be an object"),
        ({"exec": "aws"}, {}, "exec must be an object"),
        ({}, {"certificate-authority": "a\0b"}, "certificate-authority is no path"),
        ({}, {"server": "https://u:secret@127.0.0.1:9"}, "holds a login"),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else None,
)
def test_a_setting_that_cannot_be_meant_is_one_line(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], words: str
) -> None:
    """It is not passed over, and no secret in it is shown."""
    path = kubeconfig(tmp_path / "k", "https://127.0.0.1:9", user=user)
    content = json.loads(path.read_text())
    content["clusters"][0]["cluster"].update(cluster)
    path.write_text(json.dumps(content))
    said = failure(path)
    assert words in said
    assert "secret" not in said
