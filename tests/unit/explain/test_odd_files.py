"""Files of other tools beside the policies, and words without an end: left alone, or one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sixproof.__main__ import main
from tests.unit.explain.test_command import ENDS, SHUT, Ask, ask, one_line, write

__all__ = ["ask"]
LONG = "x" * 100_000
BESIDE = {
    "patches.yaml": "- op: replace\n  path: /spec/replicas\n  value: 3\n",
    "patch.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
    "spec: {replicas: 3}\n",
    "values.yaml": "items: [1, 2]\nkind: {on: true}\napiVersion: [x]\n",
    "names.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, '
    '"data": {"face": "\\ud83d\\ude00"}}',
    "gke.yaml": "apiVersion: networking.gke.io/v1alpha1\nkind: FQDNNetworkPolicy\n"
    "metadata: {name: f}\nspec: {}\n",
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_other_tools_keep_beside_policies_is_left_alone(
    ask: Ask, tmp_path: Path, name: str
) -> None:
    """Patches of a kustomization, values of a chart, JSON as programs write it, GKE's policies."""
    write(tmp_path / "p.yaml", SHUT)
    write(tmp_path / name, BESIDE[name])
    status, out, err = ask(tmp_path, "--expect", "DENIED")
    assert (status, "DENIED" in out) == (0, True), err
    assert "left out" in err


def test_a_list_of_policies_is_not_left_alone(ask: Ask, tmp_path: Path) -> None:
    """It means to be a List, and would not be judged."""
    (policy,) = [SHUT.strip().replace("\n", "\n  ")]
    path = write(tmp_path / "p.yaml", f"- {policy}\n")
    status, out, err = ask(path, "--expect", "ALLOWED")
    assert (status, out) == (2, "")
    assert "must be an object" in err


INERT = {
    "staged": "apiVersion: projectcalico.org/v3\nkind: StagedGlobalNetworkPolicy\n"
    "metadata: {name: s}\nspec: {selector: all()}\n",
    "profile": "apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {name: p}\nspec: {}\n",
}


@pytest.mark.parametrize("text", INERT.values(), ids=INERT)
def test_what_can_decide_nothing_meets_no_expectation(ask: Ask, tmp_path: Path, text: str) -> None:
    """It is answered, and the status says that the answer is not one that was to be shown."""
    path = write(tmp_path / "p.yaml", text)
    status, out, err = ask(path, "--expect", "ALLOWED")
    assert (status, "ALLOWED" in out) == (1, True)
    assert "nothing in the files can allow or deny" in err
    assert ask(path)[0] == 0
    shut = write(tmp_path / "shut.yaml", SHUT)
    assert ask(path, shut, "--expect", "DENIED")[0] == 0


@pytest.mark.parametrize(
    "spec",
    [
        "ingress: [{from: [{ipBlock: {cidr: '{{ .Values.cidr }}'}}]}]",
        "ingress: [{ports: [{port: '{{ .Values.port }}'}]}]",
        "podSelector: {matchLabels: {app: '{{ .Values.app }}'}}",
    ],
)
def test_a_quoted_template_is_not_judged(ask: Ask, tmp_path: Path, spec: str) -> None:
    """It is YAML, and what is in braces is no text of a policy."""
    text = SHUT.replace("podSelector: {}", f"podSelector: {{}}, {spec}")
    text = text if "matchLabels" not in spec else SHUT.replace("podSelector: {}", spec)
    status, out, err = ask(write(tmp_path / "p.yaml", text))
    assert (status, out) == (2, "")
    assert "render it first" in err


def test_a_template_in_a_calico_selector_is_not_judged(ask: Ask, tmp_path: Path) -> None:
    """A selector may hold any text."""
    text = (
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: g}\n"
        "spec: {selector: \"app == '{{ .Values.app }}'\"}\n"
    )
    assert "render it first" in ask(write(tmp_path / "p.yaml", text))[2]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("10.244.1.0/24", "a range of addresses is no endpoint"),
        ("shop/a,app=web,app=db", "the label 'app' is given twice"),
        ("shop/a,ns:team=a,ns:team=b", "the label of the namespace 'team' is given twice"),
        (f"shop/{LONG}", "at most 253 characters"),
        (f"svc:shop/{LONG}", "at most 253 characters"),
        (f"node:{LONG}", "at most 253 characters"),
        (f"{'n' * 64}/a", "at most 63 characters"),
    ],
    ids=["range", "label", "namespace label", "pod", "service", "node", "namespace"],
)
def test_an_end_that_nothing_can_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, words: str
) -> None:
    """In one line of a length that can be read."""
    path = str(write(tmp_path / "p.yaml", SHUT))
    assert main(["explain", path, "--from", source, *ENDS[2:]]) == 2
    err = capsys.readouterr().err
    assert one_line(err)
    assert words in err
    assert len(err) < 700


def test_words_without_an_end_are_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of arguments, of tiers, of premises."""
    path = str(write(tmp_path / "p.yaml", SHUT))
    for more in (["--family", LONG], [f"--{LONG}"]):
        with pytest.raises(SystemExit):
            main(["explain", path, *ENDS, *more])
        assert len(capsys.readouterr().err) < 4000
    tiered = write(tmp_path / "t.yaml", json.dumps({
        "apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy",
        "metadata": {"name": "g"}, "spec": {"tier": LONG}}))  # fmt: skip
    main(["explain", str(tiered), *ENDS])
    assert len(capsys.readouterr().err) < 1000
    main(["explain", path, "--from", f"shop/a,10.0.0.1,sa:{LONG}", *ENDS[2:], "--json"])
    assert len(capsys.readouterr().out) < 5000


@pytest.mark.parametrize("command", ["explain", "audit"])
def test_a_path_that_is_too_long_is_one_line(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The system refuses to look at it."""
    assert main([command, "x" * 300, *(ENDS if command == "explain" else [])]) == 2
    assert "File name too long" in capsys.readouterr().err
