"""Credential plugins: real commands, run as client-go runs them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from sixproof.errors import ApiError, ClusterUnreachable
from sixproof.kube.access import exec_plugin
from sixproof.kube.api import resources
from sixproof.kube.api.client import Cluster
from tests.unit.kube.access.authority import Authority
from tests.unit.kube.access.terminal import at_terminal
from tests.unit.kube.server import FakeApi, Reply, Seen, kubeconfig, listed, refused, serve

V1 = "client.authentication.k8s.io/v1"


def plugin(folder: Path, body: str, **more: Any) -> dict[str, Any]:
    """A user whose plugin is this shell script."""
    script = folder / "log-in"
    script.write_text(f"#!/bin/sh\n{textwrap.dedent(body)}")
    script.chmod(0o755)
    config = {"apiVersion": V1, "command": str(script), "interactiveMode": "IfAvailable", **more}
    return {"exec": config}


def answering(status: dict[str, Any], version: str = V1) -> str:
    """A shell command that gives this answer."""
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    return f"cat <<'END'\n{json.dumps(answer)}\nEND\n"


TOKEN = answering({"token": "from-plugin"})


def failure(path: Path, said: list[str] | None = None) -> str:
    with pytest.raises(ClusterUnreachable) as caught:
        Cluster.connect(path, timeout=2.0, say=said.append if said is not None else None)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1500
    return message


@pytest.mark.parametrize("mode", ["Never", "IfAvailable", None])
def test_token_of_a_plugin_is_sent(api: FakeApi, tmp_path: Path, mode: str | None) -> None:
    """In every mode that needs no terminal."""
    with serve(api) as url:
        user = plugin(tmp_path, TOKEN, interactiveMode=mode)
        with Cluster.connect(kubeconfig(tmp_path / "k", url, user=user)):
            assert api.seen[0].headers["authorization"] == "Bearer from-plugin"


@pytest.mark.parametrize("mode", ["Never", "IfAvailable", "Always"])
def test_plugin_at_a_terminal_where_pytest_holds_standard_input(
    api: FakeApi, tmp_path: Path, mode: str
) -> None:
    """As pytest does it: `sys.stdin` is no file, and descriptor 0 is /dev/null."""
    script = """
        import os, sys
        from pathlib import Path
        from sixproof.kube.api.client import Cluster

        class Pseudofile:
            def fileno(self):
                raise ValueError("redirected stdin is pseudofile, has no fileno()")

        sys.stdin = Pseudofile()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        Cluster.connect(Path(sys.argv[1]))
    """
    body = 'echo "$KUBERNETES_EXEC_INFO" > info\n' + TOKEN
    user = plugin(tmp_path, f"cd {tmp_path}\n{body}", interactiveMode=mode)
    with serve(api) as url:
        path = kubeconfig(tmp_path / "k", url, user=user)
        status, output = at_terminal([sys.executable, "-c", textwrap.dedent(script), str(path)])
    assert status == 0, output
    assert api.seen[0].headers["authorization"] == "Bearer from-plugin"
    info = json.loads((tmp_path / "info").read_text())
    assert info["spec"]["interactive"] is (mode != "Never")


def test_plugin_can_ask_at_the_terminal(api: FakeApi, tmp_path: Path) -> None:
    """What it asks is shown at once, without waiting for the line's end, and it gets the answer."""
    script = """
        import sys
        from pathlib import Path
        from sixproof.kube.api.client import Cluster
        Cluster.connect(Path(sys.argv[1]), say=lambda line: print("SAID", line, flush=True))
    """
    body = """
        printf 'Your code: ' >&2
        read -r code
        echo "{\\"apiVersion\\": \\"client.authentication.k8s.io/v1\\", \\"kind\\": \\"E\\","
        echo "\\"status\\": {\\"token\\": \\"code-$code\\"}}"
    """
    with serve(api) as url:
        user = plugin(tmp_path, body, interactiveMode="Always")
        path = kubeconfig(tmp_path / "k", url, user=user)
        status, output = at_terminal(
            [sys.executable, "-c", textwrap.dedent(script), str(path)],
            answers=(("Your code:", "4711\n"),),
        )
    assert status == 0, output
    assert "SAID credential plugin log-in: Your code:" in output
    assert api.seen[0].headers["authorization"] == "Bearer code-4711"


def without_terminal(argv: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=60, start_new_session=True, env=environment
    )


def test_plugin_that_needs_a_terminal_where_there_is_none(tmp_path: Path) -> None:
    """It is said, and nothing waits."""
    script = "import sys; from pathlib import Path; from sixproof.kube.access import config\n"
    script += "config.load(Path(sys.argv[1]), None)"
    user = plugin(tmp_path, TOKEN, interactiveMode="Always")
    path = kubeconfig(tmp_path / "k", "http://127.0.0.1:1", user=user)
    done = without_terminal([sys.executable, "-c", script, str(path)])
    assert "wants a terminal (interactiveMode: Always); there is none" in done.stderr


def test_what_a_plugin_says_is_shown_at_once(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device code comes before the answer, which waits for somebody to type it elsewhere."""
    seen = tmp_path / "seen"
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "ABCD-EFGH" in line:
            seen.touch()

    body = f"""
        echo "open https://login.example and enter ABCD-EFGH" >&2
        n=0; while [ ! -e {seen} ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n+1)); done
        [ -e {seen} ] || exit 7
    """
    with serve(api) as url:
        user = plugin(tmp_path, textwrap.dedent(body) + TOKEN)
        with Cluster.connect(kubeconfig(tmp_path / "k", url, user=user), say=say):
            assert api.seen[0].headers["authorization"] == "Bearer from-plugin"
    assert said == ["credential plugin log-in: open https://login.example and enter ABCD-EFGH"]


def test_plugin_that_hangs_is_named_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its children; what it said last is in the message."""
    monkeypatch.setattr(exec_plugin, "LIMIT", 1.0)
    monkeypatch.setattr(exec_plugin, "INTERACTIVE_LIMIT", 1.0)
    monkeypatch.setattr(exec_plugin, "FIRST_WORD", 0.2)
    said: list[str] = []
    user = plugin(tmp_path, "echo calling home >&2\nsleep 600 & wait", interactiveMode="Never")
    begun = time.monotonic()
    message = failure(kubeconfig(tmp_path / "k", "http://127.0.0.1:1", user=user), said)
    assert "credential plugin log-in of user 'u' did not end within 1 s: calling home" in message
    assert time.monotonic() - begun < 60
    assert any(line.startswith("waiting for credential plugin log-in for") for line in said)
    assert "at most 1 s" in "".join(said)


@pytest.mark.parametrize(
    ("body", "more", "words"),
    [
        ("exit 3", {}, "ended with status 3"),
        ("echo 'no session: run aws sso login' >&2; exit 255", {}, "run aws sso login"),
        ("echo hello", {}, "answered what is no JSON"),
        ("true", {}, "answered nothing"),
        ("echo '[]'", {}, "the kubeconfig asks for"),
        (answering({"token": "t"}, "client.authentication.k8s.io/v1beta1"), {}, "v1beta1"),
        (answering({}), {}, "answered neither a token nor a certificate"),
        (answering({"clientCertificateData": "c"}), {}, "answered neither a token nor"),
        (TOKEN, {"command": ""}, "has no command"),
        (TOKEN, {"apiVersion": ""}, "has no apiVersion"),
        (TOKEN, {"command": "no-such-plugin"}, "no-such-plugin of user 'u' is not installed"),
        (
            TOKEN,
            {"command": "no-such-plugin", "installHint": "apt install no-such-plugin\nor so"},
            "apt install no-such-plugin or so",
        ),
        ("head -c 3000000 /dev/zero >&2; exit 1", {}, "ended with status 1"),
    ],
    ids=[
        "status", "words", "text", "silence", "list", "version", "nothing", "half", "no-command",
        "no-version", "missing", "hint", "flood",
    ],
)  # fmt: skip
def test_plugin_of_no_use(tmp_path: Path, body: str, more: dict[str, Any], words: str) -> None:
    """One line that names it, and what it said or what to do."""
    path = kubeconfig(tmp_path / "k", "http://127.0.0.1:1", user=plugin(tmp_path, body, **more))
    assert words in failure(path)


def test_arguments_and_environment_and_cluster_reach_the_plugin(
    api: FakeApi, tmp_path: Path
) -> None:
    """As client-go hands them on; a command with a slash is looked for beside the kubeconfig."""
    body = (
        f'echo "$@" "$COLOUR" > {tmp_path}/words; echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/info\n'
    )
    user = plugin(
        tmp_path, body + TOKEN, command="./log-in", args=["--region", "x"],
        env=[{"name": "COLOUR", "value": "green"}], provideClusterInfo=True,
    )  # fmt: skip
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    with serve(api) as url:
        path = kubeconfig(tmp_path / "k", url, user=user, cluster={"extensions": [extension]})
        Cluster.connect(path).close()
    assert (tmp_path / "words").read_text() == "--region x green\n"
    info = json.loads((tmp_path / "info").read_text())
    assert info["apiVersion"] == V1
    assert info["spec"]["cluster"] == {"server": url, "config": {"audience": "a"}}


class Counting:
    """A plugin that gives another token each time: t1, t2, …"""

    def __init__(self, folder: Path, expiry: str = "") -> None:
        self._runs = folder / "runs"
        status = {"token": "tNUMBER", **({"expirationTimestamp": expiry} if expiry else {})}
        self.user = plugin(
            folder, f"echo x >> {self._runs}\n{answering(status)}".replace(
                "cat <<'END'", f"sed s/NUMBER/$(wc -l < {self._runs})/ <<'END'"
            ),
        )  # fmt: skip

    @property
    def runs(self) -> int:
        return len(self._runs.read_text().splitlines())


def tokens(api: FakeApi) -> list[str]:
    return [s.headers["authorization"].removeprefix("Bearer ") for s in api.seen]


def test_plugin_runs_once_for_many_requests(api: FakeApi, tmp_path: Path) -> None:
    """Its token is kept as long as it lives."""
    api.on("GET", "/api/v1/nodes", listed())
    counting = Counting(tmp_path, "2100-01-01T00:00:00Z")
    with (
        serve(api) as url,
        Cluster.connect(kubeconfig(tmp_path / "k", url, user=counting.user)) as cluster,
    ):
        cluster.gather([lambda: cluster.list(resources.NODE)] * 20)
    assert set(tokens(api)) == {"t1"}
    assert counting.runs == 1


def test_token_that_ends_is_renewed(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one thread, once, while the others wait."""
    from sixproof.kube.access import credentials

    monkeypatch.setattr(credentials, "AT_LEAST", 0.5)
    api.on("GET", "/api/v1/nodes", listed())
    counting = Counting(tmp_path, "2020-01-01T00:00:00Z")
    with (
        serve(api) as url,
        Cluster.connect(kubeconfig(tmp_path / "k", url, user=counting.user)) as cluster,
    ):
        monkeypatch.setattr(credentials, "AT_LEAST", 3600.0)
        time.sleep(0.6)
        cluster.gather([lambda: cluster.list(resources.NODE)] * 20)
    assert tokens(api)[0] == "t1"
    assert set(tokens(api)[1:]) == {"t2"}
    assert counting.runs == 2


def test_token_that_is_refused_is_renewed(api: FakeApi, tmp_path: Path) -> None:
    """A plugin need not say when its token ends; the request is sent again with the new one."""

    def respond(seen: Seen) -> Reply:
        if seen.headers["authorization"] == "Bearer t1":
            return refused(401, "Unauthorized", "token expired")
        return listed()

    api.compute("GET", "/api/v1/nodes", respond)
    counting = Counting(tmp_path)
    with (
        serve(api) as url,
        Cluster.connect(kubeconfig(tmp_path / "k", url, user=counting.user)) as cluster,
    ):
        assert cluster.list(resources.NODE) == ()
    assert tokens(api) == ["t1", "t1", "t2"]


def test_plugin_that_fails_during_the_run_is_an_api_error(api: FakeApi, tmp_path: Path) -> None:
    """What failed is the request; why is said."""
    api.on("GET", "/api/v1/nodes", refused(401, "Unauthorized", "token expired"))
    counting = Counting(tmp_path)
    with (
        serve(api) as url,
        Cluster.connect(kubeconfig(tmp_path / "k", url, user=counting.user)) as cluster,
    ):
        plugin(tmp_path, "echo session ended >&2; exit 1")
        with pytest.raises(ApiError, match=r"list nodes: credential plugin .* session ended") as e:
            cluster.list(resources.NODE)
    assert e.value.status == 401


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_certificate_of_a_plugin_is_shown_and_renewed(api: FakeApi, tmp_path: Path) -> None:
    """A server that asks for one gets it; after a refusal, the next one."""
    ours = Authority(tmp_path / "ca", "ours")
    for name in ("first", "second"):
        certificate, key = ours.issue(name)
        status = {
            "clientCertificateData": certificate.read_text(),
            "clientKeyData": key.read_text(),
        }
        answer = {"apiVersion": V1, "kind": "ExecCredential", "status": status}
        (tmp_path / name).write_text(json.dumps(answer))
    runs = tmp_path / "runs"
    body = f"""
        echo x >> {runs}
        [ $(wc -l < {runs}) -eq 1 ] && exec cat {tmp_path}/first
        cat {tmp_path}/second
    """
    api.on("GET", "/api/v1/nodes", refused(401, "Unauthorized", "expired"), listed())
    ca = base64.b64encode(ours.certificate.read_bytes()).decode()
    with serve(api, tls=ours.server(clients=ours.certificate)) as url:
        path = kubeconfig(
            tmp_path / "k", url, user=plugin(tmp_path, body),
            cluster={"certificate-authority-data": ca},
        )  # fmt: skip
        with Cluster.connect(path) as cluster:
            assert cluster.list(resources.NODE) == ()
            pair = Path(str(cluster.access.configuration.cert_file)).read_text()
    assert (tmp_path / "ca" / "second.crt").read_text().strip() in pair
    assert len(runs.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("head", "more", "words"),
    [
        ("echo", {}, "cannot be started: [Errno 8] Exec format error"),
        ("#!/no/such/interpreter\n", {}, "cannot be started: [Errno 2]"),
        ("#!/bin/sh\n", {"env": [{"name": "A=B", "value": "c"}]}, "cannot be started: illegal"),
        ("#!/bin/sh\n", {"args": 5}, "args of the exec plugin of user 'u' must be a list"),
        (f"#!/bin/sh\nprintf '%s' '{'[' * 5000}'\n", {}, "answered what is no JSON"),
    ],
    ids=["no shebang", "no interpreter", "environment", "arguments", "nested"],
)
def test_a_plugin_that_cannot_be_started_is_one_line(
    tmp_path: Path, head: str, more: dict[str, Any], words: str
) -> None:
    """Whatever the system says of it, and an answer without an end."""
    user = plugin(tmp_path, "", **more)
    (tmp_path / "log-in").write_text(head)
    assert words in failure(kubeconfig(tmp_path / "k", "http://127.0.0.1:9", user=user))
