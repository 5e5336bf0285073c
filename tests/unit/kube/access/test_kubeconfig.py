"""Kubeconfig files are read and merged as kubectl does: a run goes where kubectl shows."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sixproof.errors import ClusterUnreachable
from sixproof.kube.access import config, kubeconfig
from sixproof.kube.api.client import Cluster
from tests.unit.kube.server import FakeApi, serve
from tests.unit.kube.server import kubeconfig as write


def one(name: str, port: int, **more: Any) -> dict[str, Any]:
    """A kubeconfig whose entries have the same names as those of all others."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": f"token-of-{name}"}}],
        "contexts": [
            {"name": name, "context": {"cluster": "c", "user": "u"}},
            {"name": "both", "context": {"cluster": "c", "user": f"user-of-{name}"}},
        ],
        **more,
    }


FILES: dict[str, Any] = {
    "a": one("a", 1),
    "b": one("b", 2),
    "nameless": one("n", 3, **{"current-context": ""}),
    "unset": one("n", 3, **{"current-context": None}),
    "empty": "",
    "comment": "# nothing\n",
    "other": {"a": "b"},
    "bare": {"apiVersion": "v1", "kind": "Config", "clusters": None, "users": None},
    "two": json.dumps(one("a", 1)) + "\n---\n" + json.dumps(one("b", 2)),
}
LISTS = [
    "a:b", "b:a", "a:a", "nameless:b", "unset:b", "empty:b", "a:empty", "comment:a", "other:a",
    "missing:a", "a:missing", "bare:b", "two", "two:b", ":a:",
]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def where(list_of_files: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    """The context, the server and the token that a list of files leads to."""
    monkeypatch.setenv("KUBECONFIG", list_of_files)
    access = config.load(None, None)
    return access.name, access.server, access.credentials.header()


@pytest.mark.parametrize("list_of_files", LISTS)
def test_first_of_each_name_wins(
    files: Path, monkeypatch: pytest.MonkeyPatch, list_of_files: str
) -> None:
    """The first current-context that is set, and the first entry of a name; nothing else counts."""
    names = [n for n in list_of_files.split(":") if n]
    known = [json.loads(str(FILES[n]).split("\n---\n")[0]) if n == "two" else FILES[n]
             for n in names if isinstance(FILES.get(n), dict) or n == "two"]  # fmt: skip
    current = next(d["current-context"] for d in known if d.get("current-context"))
    first = next(d for d in known if d.get("clusters"))
    server = first["clusters"][0]["cluster"]["server"]
    token = first["users"][0]["user"]["token"]
    assert where(list_of_files, monkeypatch) == (current, server, f"Bearer {token}")


def test_a_list_is_taken_apart_and_nothing_in_it_expanded(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kubectl does: a tilde is the shell's, and a file that is called like the list is none."""
    monkeypatch.setenv("HOME", str(files))
    first, second = where("a", monkeypatch), where("b", monkeypatch)
    assert first != second
    assert where("~/a:b", monkeypatch) == second
    Path("a:b").write_text(json.dumps(FILES["b"]))
    assert where("a:b", monkeypatch)[1] == first[1]


def test_a_setting_that_is_no_text_is_not_ignored(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its proxy a run would go another way."""
    content = json.loads(json.dumps(FILES["a"]))
    content["clusters"][0]["cluster"]["proxy-url"] = ["http://proxy:3128"]
    Path("a").write_text(json.dumps({**content, "current-context": "a"}))
    assert "proxy-url must be text" in failure(monkeypatch, "a")


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
@pytest.mark.parametrize("list_of_files", LISTS)
def test_kubectl_goes_to_the_same_cluster(
    files: Path, monkeypatch: pytest.MonkeyPatch, list_of_files: str
) -> None:
    """What `kubectl config view --minify` shows is where the run goes."""
    context, server, token = where(list_of_files, monkeypatch)
    shown = json.loads(kubectl("config", "view", "--minify", "--raw", "-o", "json"))
    assert context == shown["current-context"]
    assert server == shown["clusters"][0]["cluster"]["server"]
    assert token == f"Bearer {shown['users'][0]['user']['token']}"


def kubectl(*words: str) -> str:
    return subprocess.run(
        ["kubectl", *words], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def failure(monkeypatch: pytest.MonkeyPatch, list_of_files: str, context: str | None = None) -> str:
    monkeypatch.setenv("KUBECONFIG", list_of_files)
    with pytest.raises(ClusterUnreachable) as caught:
        config.load(None, context)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1200
    return message


def test_directory_in_the_list_is_refused_as_by_kubectl(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands for a mistake, and kubectl goes nowhere either."""
    assert "folder is not a kubeconfig: is a directory" in failure(monkeypatch, "folder:a")


def test_files_that_hold_nothing(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no cluster is known; kubectl would ask localhost:8080."""
    assert "holds no context" in failure(monkeypatch, "empty:comment")
    assert "holds no context" in failure(monkeypatch, os.devnull)


def test_doubled_name_in_one_file_is_refused_as_by_kubectl(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of both was meant nobody knows."""
    twice = one("a", 1)
    twice["clusters"] *= 2
    Path("twice").write_text(json.dumps(twice))
    assert "clusters has 'c' twice" in failure(monkeypatch, "twice:b")


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"cluster": "c", "user": "nobody"}, "names the user 'nobody', which is not defined"),
        ({"cluster": "nowhere", "user": "u"}, "names the cluster 'nowhere', which is not defined"),
        ({"user": "u"}, "names no cluster"),
        (None, "names no cluster"),
    ],
    ids=["user", "cluster", "no-cluster", "nothing"],
)
def test_context_that_names_what_is_not_there(
    files: Path, monkeypatch: pytest.MonkeyPatch, context: Any, words: str
) -> None:
    """Nobody goes on as an anonymous user, or to a server that nobody named."""
    broken = one("a", 1, contexts=[{"name": "a", "context": context}])
    Path("broken").write_text(json.dumps(broken))
    assert words in failure(monkeypatch, "broken")


def test_context_without_a_user_is_anonymous(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is how `kubectl proxy` is reached; nothing was forgotten there."""
    free = one("a", 1, contexts=[{"name": "a", "context": {"cluster": "c"}}])
    Path("free").write_text(json.dumps(free))
    assert where("free", monkeypatch) == ("a", "http://127.0.0.1:1", "")


def test_user_that_acts_as_another_is_refused(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going on would be with other rights than kubectl has."""
    acting = one("a", 1, users=[{"name": "u", "user": {"token": "t", "as": "root"}}])
    Path("acting").write_text(json.dumps(acting))
    assert "impersonates another user" in failure(monkeypatch, "acting")


def test_thousand_contexts_are_not_all_listed(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message stays a line."""
    many = one("a", 1, contexts=[{"name": f"context-{n}", "context": {}} for n in range(5000)])
    Path("many").write_text(json.dumps(many))
    assert "context-1" in failure(monkeypatch, "many", "x" * 5000)


@pytest.mark.parametrize("name", ["gcp", "azure", "openstack"])
def test_removed_auth_provider_is_named(
    files: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """And what to use in its place."""
    old = one("a", 1, users=[{"name": "u", "user": {"auth-provider": {"name": name}}}])
    Path("old").write_text(json.dumps(old))
    message = failure(monkeypatch, "old")
    assert f"the auth-provider '{name}', which was removed from Kubernetes 1.26" in message
    assert "exec credential plugin" in message


def test_relative_paths_belong_to_their_file(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user of one file and the cluster of another each have a folder of their own."""
    for folder, content in (
        ("one", one("a", 1, users=[])),
        ("two-files", one("b", 2, users=[{"name": "u", "user": {"tokenFile": "t"}}])),
    ):
        (files / folder).mkdir()
        (files / folder / "config").write_text(json.dumps(content))
    (files / "two-files" / "t").write_text("from-two\n")
    assert where("one/config:two-files/config", monkeypatch)[2] == "Bearer from-two"


def test_what_was_found_leads_another_process_to_the_same_cluster(
    files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Workers connect anew, when the current context may have changed and from another place."""
    monkeypatch.setenv("KUBECONFIG", "a:b")
    access = config.load(None, None)
    Path("b").write_text("")
    Path("a").write_text(json.dumps({**FILES["a"], "current-context": "both"}))
    monkeypatch.chdir("folder")
    monkeypatch.delenv("KUBECONFIG")
    again = config.load(Path(access.kubeconfig), access.context)
    assert (again.name, again.server) == ("a", "http://127.0.0.1:1")


class TestPipes:
    """`--six-kubeconfig <(command)` gives a pipe, which can be read once."""

    def piped(self, parts: Sequence[str]) -> str:
        """The path of a pipe into which these parts are written, and then nothing more."""
        reading, writing = os.pipe()

        def feed() -> None:
            for part in parts:
                os.write(writing, part.encode())
            os.close(writing)

        threading.Thread(target=feed, daemon=True).start()
        return f"/dev/fd/{reading}"

    def test_pipe_is_read_and_handed_on(self, api: FakeApi, tmp_path: Path) -> None:
        """The run uses it, and so can every process that connects later."""
        with serve(api) as url:
            text = write(tmp_path / "k", url).read_text()
            with Cluster.connect(Path(self.piped([text[:40], text[40:]]))) as cluster:
                assert cluster.server == url
                kept = Path(cluster.access.kubeconfig)
                assert stat.S_IMODE(kept.stat().st_mode) == 0o600
                with Cluster.connect(kept, cluster.access.context) as again:
                    assert again.server == url

    def test_copy_goes_with_the_process(self, tmp_path: Path) -> None:
        """Credentials are not left lying about."""
        script = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from sixproof.kube.access import config\n"
            "reading, writing = os.pipe()\n"
            "os.write(writing, Path(sys.argv[1]).read_bytes())\n"
            "os.close(writing)\n"
            "print(config.load(Path(f'/dev/fd/{reading}'), None).kubeconfig)\n"
            "held = config.load(Path(sys.argv[1]), None)\n"
        )
        path = write(tmp_path / "k", "http://127.0.0.1:1")
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)],
            check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        kept = Path(done.stdout.strip())
        assert kept.name == "kubeconfig-0"
        assert not kept.parent.exists()

    def test_silent_pipe(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Whoever should write does not: that has an end, and is said."""
        monkeypatch.setattr(kubeconfig, "PIPE_PATIENCE", 0.2)
        os.mkfifo(tmp_path / "silent")
        assert "nothing more came from it in 0.2 s" in failure(
            monkeypatch, str(tmp_path / "silent")
        )

    def test_pipe_without_a_word(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The command before it failed."""
        assert "holds no context" in failure(monkeypatch, self.piped([]))
