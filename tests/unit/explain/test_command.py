"""The command as a shell runs it: files in, words and an exit status out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sixproof
from sixproof.__main__ import main

HOME = Path(sixproof.__file__).parents[1]
SHUT = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shut, namespace: shop}
spec: {podSelector: {}}
"""
TIERED = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: security.g}
spec: {tier: security, selector: all(), ingress: [{action: Pass}]}
"""
NAMESPACE = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: a}}\n"
ENDS = ["--from", "shop/a,10.0.0.1", "--to", "shop/b,10.0.0.2", "--port", "80"]
Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the command here; its status, output and errors."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = main(["explain", *map(str, arguments), *ENDS])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run


def write(path: Path, text: str) -> Path:
    """A file of that text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def shell(text: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``$SIX`` is the command; its end, whatever it is."""
    return subprocess.run(
        ["bash", "-c", text],
        env={**os.environ, "SIX": f"{sys.executable} -m sixproof explain", **more},
        cwd=HOME,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def one_line(text: str) -> bool:
    """Whether an error is reported in one line and without a traceback."""
    return text.count("\n") == 1 and "Traceback" not in text and "Exception" not in text


EMPTY = {
    "empty": "",
    "comments": "# nothing\n---\n# here\n",
    "nulls": "---\nnull\n---\n~\n",
    "empty-list": "apiVersion: v1\nkind: List\nitems: []\n",
    "namespace": NAMESPACE,
}


@pytest.mark.parametrize("text", EMPTY.values(), ids=EMPTY)
def test_a_file_with_nothing_to_judge_never_satisfies_an_expectation(
    ask: Ask, tmp_path: Path, text: str
) -> None:
    """No policy is an error, and not that all is allowed."""
    path = write(tmp_path / "p.yaml", text)
    status, out, err = ask(path, "--expect", "ALLOWED")
    assert (status, out) == (2, "")
    assert one_line(err)
    assert ("nothing to judge" in err) or (f"{path}: is empty" in err)


def test_an_empty_file_beside_another_is_an_error_that_names_it(ask: Ask, tmp_path: Path) -> None:
    """The other file's policies are not all that was meant."""
    empty, other = write(tmp_path / "e.yaml", ""), write(tmp_path / "p.yaml", SHUT)
    status, out, err = ask(empty, other, "--expect", "DENIED")
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {empty}: is empty, it holds no document")


def test_no_file_at_all_is_an_error_that_says_how_to_ask_without(ask: Ask) -> None:
    """A cluster without policies is asked about on purpose only."""
    status, _, err = ask()
    assert (status, err) == (
        2, "error: no FILE given: name files of policies, or ask with --no-policies\n")  # fmt: skip
    status, out, err = ask("--no-policies", "--expect", "ALLOWED")
    assert (status, err) == (0, "")
    assert "no policy selects shop/b for ingress" in out


def test_what_is_not_as_expected_is_told(ask: Ask) -> None:
    """A job's log shows the error output alone."""
    status, _, err = ask("--no-policies", "--expect", "DENIED")
    assert status == 1
    assert err == "note: --expect DENIED is not met: IPv4 ALLOWED\n"


def test_files_of_a_directory_are_read_and_what_is_no_manifest_is_left(
    ask: Ask, tmp_path: Path
) -> None:
    """A chart's values, a kustomization and an empty file stop nothing."""
    write(tmp_path / "a.yaml", SHUT)
    write(tmp_path / "empty.yml", "# nothing\n")
    write(tmp_path / "values.yaml", "image: {tag: 1}\n")
    write(tmp_path / "kustomization.yaml",
          "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")  # fmt: skip
    write(tmp_path / "ns.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": []}))
    write(tmp_path / "README.txt", "{")
    write(tmp_path / "below" / "b.yaml", "{")
    status, out, err = ask(tmp_path, "--expect", "DENIED")
    assert (status, "shop/a -> shop/b" in out) == (0, True)
    assert f"note: {tmp_path / 'empty.yml'} holds no document" in err
    status, _, err = ask(tmp_path, "--recursive")
    assert status == 2
    assert err.startswith(f"error: {tmp_path / 'below' / 'b.yaml'}: document 1, line ")


def test_a_directory_without_manifests_says_what_it_looked_for(ask: Ask, tmp_path: Path) -> None:
    """A wrong directory must not count as one without policies."""
    status, _, err = ask(tmp_path)
    assert status == 2
    assert one_line(err)
    assert "holds no file that ends in .yaml, .yml, .json (directories below it" in err
    assert "below it" not in ask(tmp_path, "-R")[2]


def test_a_directory_with_too_many_files_is_not_read_to_the_end(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading is bounded, and what was not read is not left out in silence."""
    monkeypatch.setattr("sixproof.explain.files.MOST_FILES", 2)
    for name in "abc":
        write(tmp_path / f"{name}.yaml", SHUT.replace("shut", name))
    status, _, err = ask(tmp_path)
    assert (status, err) == (2, f"error: {tmp_path}: holds more than 2 files: name some\n")


def test_every_error_of_every_file_is_reported_with_file_document_and_line(
    ask: Ask, tmp_path: Path
) -> None:
    """One run shows them all."""
    other = SHUT.replace("podSelector", "podSelektor").replace("shut", "other")
    bad = write(tmp_path / "bad.yaml", f"{SHUT}---\n{other}")
    broken = write(tmp_path / "broken.yaml", "a: [\n")
    raw = tmp_path / "raw.yaml"
    raw.write_bytes(b"\xff\xfe\x00")
    gone = tmp_path / "gone.yaml"
    status, out, err = ask(bad, broken, raw, gone)
    assert (status, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(f"error: {broken}: document 1, line 2: no readable YAML: ")
    assert lines[1].startswith(f"error: {raw}: cannot be read: ")
    assert lines[2] == f"error: {gone}: cannot be read: No such file or directory"
    assert lines[3] == (
        f"error: {bad}: document 2, line 8: spec.podSelektor: unknown field, did you mean "
        "podSelector? (in NetworkPolicy shop/other)"
    )


def test_a_large_file_without_a_policy_changes_nothing(ask: Ask, tmp_path: Path) -> None:
    """As kube-prometheus and Argo CD have them: more than a MiB of other objects."""
    entry = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{}}}\ndata: {{a: {}}}\n---\n"
    large = write(tmp_path / "m.yaml", "".join(entry.format(n, "x" * 50_000) for n in range(25)))
    assert Path(large).stat().st_size > 1 << 20
    policy = write(tmp_path / "p.yaml", SHUT)
    assert ask(large, policy, "--expect", "DENIED")[0] == 0
    status, _, err = ask(large, "--expect", "ALLOWED")
    assert status == 2
    assert "nothing to judge" in err


def test_a_file_that_is_too_large_is_refused(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is read whole, so its size is bounded."""
    monkeypatch.setattr("sixproof.explain.files.LARGEST", 1 << 20)
    status, _, err = ask(write(tmp_path / "p.yaml", SHUT + "#" * (1 << 20)))
    assert status == 2
    assert "it is larger than 1 MiB" in err


def test_repeated_keys_are_noted_with_their_file(ask: Ask, tmp_path: Path) -> None:
    """The last one counts, as it does for the API server."""
    path = write(tmp_path / "p.yaml", SHUT + "spec: {podSelector: {}, ingress: [{}]}\n")
    status, _, err = ask(path, "--expect", "ALLOWED")
    assert status == 0
    assert f"note: {path}: line 6: key 'spec' is given twice" in err


def test_a_tier_may_be_said_or_stand_in_a_file(ask: Ask, tmp_path: Path) -> None:
    """Without its order, the place of a policy is not known."""
    path = write(tmp_path / "p.yaml", TIERED)
    tier = write(tmp_path / "t.yaml", "apiVersion: projectcalico.org/v3\nkind: Tier\n"
                 "metadata: {name: security}\nspec: {order: 1}\n")  # fmt: skip
    status, _, err = ask(path)
    assert status == 2
    assert "no file holds tier security" in err
    assert "or say --tier security=ORDER" in err
    assert ask(path, tier)[0] == ask(path, "--tier", "security=100")[0] == 0
    assert ask(path, "--tier", "security=100,Pass", "--expect", "ALLOWED")[0] == 0
    for wrong in ("security", "security=x", "=1"):
        status, out, err = ask(path, "--tier", wrong)
        assert (status, out) == (2, "")
        assert err.startswith("error: --tier ")


def test_a_tier_twice_and_one_that_is_wrong_are_refused_by_name(ask: Ask, tmp_path: Path) -> None:
    """What the command line says is read as strictly as a file."""
    path = write(tmp_path / "p.yaml", TIERED)
    status, _, err = ask(path, "--tier", "security=1", "--tier", "security=2")
    assert (status, "--tier security=2: metadata.name: is given twice" in err) == (2, True)
    status, _, err = ask(path, "--tier", "security=1,Allow")
    assert (status, "--tier security=1,Allow: spec.defaultAction" in err) == (2, True)


WORLD = "endpoints: {a: {namespace: shop, addresses: [10.0.0.1]}}\n"


def test_documents_of_a_cluster_file_are_all_read(ask: Ask, tmp_path: Path) -> None:
    """Objects in it join those of the files; a second description is an error, not left out."""
    shut = write(tmp_path / "p.yaml", SHUT)
    both = write(tmp_path / "w.yaml", f"{WORLD}{NAMESPACE}")
    assert ask(shut, "--cluster", both, "--expect", "DENIED")[0] == 0
    objects = write(tmp_path / "o.yaml", NAMESPACE)
    assert ask(shut, "--cluster", objects, "--expect", "DENIED")[0] == 0
    twice = write(tmp_path / "t.yaml", f"{WORLD}---\nnamespaces: {{shop: {{team: b}}}}\n")
    status, _, err = ask(shut, "--cluster", twice)
    assert (status, err) == (
        2, f"error: {twice}: document 2, line 3: a second description of the cluster: write one "
        "document\n")  # fmt: skip


def test_premises_stand_below_the_verdict_and_in_json(ask: Ask, tmp_path: Path) -> None:
    """Who reads the verdict reads what it hangs on."""
    path = write(tmp_path / "p.yaml", SHUT.replace(", namespace: shop", ""))
    said = "namespace default is taken for NetworkPolicy default/shut, which names none"
    status, out, _ = ask(path)
    assert status == 0
    assert out.splitlines()[-2] == "given that"
    assert out.splitlines()[-1].startswith(f"  {said}")
    (premise,) = json.loads(ask(path, "--json")[1])["premises"]
    assert premise.startswith(said)
    assert "given that" not in ask(path, "-n", "shop", "--expect", "DENIED")[1]


def test_notes_are_bounded(ask: Ask, tmp_path: Path) -> None:
    """A hundred kinds that are no policies are some notes and a count of the others."""
    others = "".join(f"---\napiVersion: v1\nkind: K{i}\nmetadata: {{name: x}}\n" for i in range(99))
    _, _, err = ask(write(tmp_path / "p.yaml", SHUT + others))
    *notes, last = err.splitlines()
    left = 99 - len(notes)
    assert 0 < len(notes) <= 50
    assert str(left) in last


def test_lines_are_bounded(ask: Ask, tmp_path: Path) -> None:
    """A selector of thousands of values is not printed whole."""
    values = ", ".join(f"v{i}" for i in range(3_000))
    spec = f"podSelector: {{matchExpressions: [{{key: a, operator: NotIn, values: [{values}]}}]}}"
    path = write(tmp_path / "p.yaml", SHUT.replace("podSelector: {}", spec))
    status, out, _ = ask(path, "--all")
    assert status == 0
    assert max(map(len, out.splitlines())) < 1000


def test_standard_input_is_utf_8_and_never_empty(tmp_path: Path) -> None:
    """Whatever the locale; a byte order mark is no part of it; empty, it is an error."""
    path = write(tmp_path / "p.yaml", "\ufeff# für alle\n" + SHUT)
    ends = " ".join(ENDS)
    done = shell(f"cat {path} | LC_ALL=C PYTHONUTF8=0 $SIX - {ends} --expect denied")
    assert (done.returncode, done.stderr) == (0, "")
    done = shell(f"false | $SIX - {ends} --expect allowed")
    assert (done.returncode, one_line(done.stderr)) == (2, True)
    assert done.stderr.startswith("error: standard input is empty, it holds no document")


BUFFERS = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
"""With PYTHONUNBUFFERED, as tox and CI systems set it, writing fails at another moment."""


@BUFFERS
@pytest.mark.parametrize("how", ["--expect ALLOWED", "--help"])
def test_a_reader_that_has_seen_enough_is_no_failure(
    tmp_path: Path, how: str, unbuffered: str
) -> None:
    """A closed pipe leaves the status as it is, and no word."""
    path = write(tmp_path / "p.yaml", SHUT)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "sixproof", "explain", str(path), *ENDS, *how.split()],
        stdout=writer, stderr=subprocess.PIPE, cwd=HOME, timeout=120, check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered})  # fmt: skip
    os.close(writer)
    unmet = b"note: --expect ALLOWED is not met: IPv4 DENIED\n"
    assert (done.returncode, done.stderr) == ((1, unmet) if "ALLOWED" in how else (0, b""))


@BUFFERS
@pytest.mark.parametrize(
    ("how", "what"),
    [("> /dev/full", ""), ("> /dev/full", "--help"), (">&-", ""), (">&-", "--help")],
)
def test_an_answer_that_cannot_be_written_is_one_line_and_status_2(
    tmp_path: Path, how: str, what: str, unbuffered: str
) -> None:
    """A full disk must not look as if the flow had been judged."""
    path = write(tmp_path / "p.yaml", SHUT)
    line = f"$SIX {path} {' '.join(ENDS)} --expect DENIED {what} {how}"
    done = shell(line, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    assert one_line(done.stderr)
    assert done.stderr.startswith("error: standard output cannot be written: ")


@BUFFERS
@pytest.mark.parametrize("how", ["2> /dev/full", "2>&-"])
def test_a_wrong_usage_that_cannot_be_reported_is_status_2(how: str, unbuffered: str) -> None:
    """The status is all that is left to say it."""
    done = shell(f"$SIX --nothing {how}", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize("how", ["2> /dev/full", "2>&-"])
def test_notes_that_cannot_be_written_change_nothing(tmp_path: Path, how: str) -> None:
    """The verdict stands on standard output, and in the status."""
    path = write(tmp_path / "p.yaml", SHUT + NAMESPACE + "---\nkind: X\napiVersion: x/v1\n")
    done = shell(f"$SIX {path} {' '.join(ENDS)} --expect ALLOWED {how}")
    assert (done.returncode, "DENIED" in done.stdout) == (1, True)


def test_a_name_that_the_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    """Output in ASCII is no reason to fail."""
    path = write(tmp_path / "p.yaml", SHUT)
    ends = "--from shop/wëb→,10.0.0.1 --to shop/b,10.0.0.2 --port 80 --expect DENIED"
    done = shell(f"$SIX {path} {ends}", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("shop/w\\xebb\\u2192 -> shop/b over IPv4")


def test_ctrl_c_while_reading_is_one_line(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The status is the shells' own for it."""

    def interrupted(path: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("sixproof.explain.files._text", interrupted)
    status, out, err = ask(write(tmp_path / "p.yaml", SHUT))
    assert (status, out, err) == (130, "", "error: interrupted\n")


def test_a_directory_that_cannot_be_listed_is_named(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for an empty one."""

    def refused(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    status, _, err = ask(tmp_path)
    assert (status, err) == (2, f"error: {tmp_path}: cannot be read: Permission denied\n")


def test_findings_are_listed_by_their_code(capsys: pytest.CaptureFixture[str]) -> None:
    """As a table that docs/findings.md holds too."""
    assert main(["findings"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| code | expected state | source |"
    codes = [line.split("`")[1] for line in lines[2:]]
    assert codes == sorted(codes)
    assert {"calico-mtu", "permissions", "dns.replica", "bare-address"} <= set(codes)
