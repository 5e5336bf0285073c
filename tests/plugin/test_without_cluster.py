"""What the plugin does where there is no cluster."""

from __future__ import annotations

import pytest

from fixtures.options import OPTIONS


def test_no_kubeconfig_ends_with_status_4_and_one_line(project: pytest.Pytester) -> None:
    """No kubeconfig: exit 4, one line that says what to do."""
    result = project.runpytest_subprocess("suites")
    assert result.ret == 4
    said = [line for line in result.outlines + result.errlines if "no cluster to test" in line]
    assert len(said) == 1
    assert "--six-kubeconfig" in said[0]


def test_a_kubeconfig_that_is_none_ends_with_status_4(project: pytest.Pytester) -> None:
    """A file that is no kubeconfig: exit 4, and the file is named."""
    path = project.path / "broken.yaml"
    path.write_text("not: [a kubeconfig", encoding="utf-8")
    result = project.runpytest_subprocess("suites", "--six-kubeconfig", str(path))
    assert result.ret == 4
    assert any("broken.yaml" in line for line in result.outlines + result.errlines)
    assert not any("Traceback" in line for line in result.outlines + result.errlines)


def test_an_api_server_that_is_down_ends_with_status_4(project: pytest.Pytester) -> None:
    """Nobody listens at the server's address: exit 4, and the server is named."""
    path = project.path / "down.yaml"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: down\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\n"
        "contexts: [{name: down, context: {cluster: c, user: u}}]\n"
        "users: [{name: u, user: {token: none}}]\n",
        encoding="utf-8",
    )
    result = project.runpytest_subprocess("suites", "--six-kubeconfig", str(path))
    assert result.ret == 4
    assert any("127.0.0.1:9" in line for line in result.outlines + result.errlines)


def test_an_unknown_context_names_the_known_ones(project: pytest.Pytester) -> None:
    """A wrong context: exit 4, and the right ones are listed."""
    path = project.path / "config.yaml"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: staging\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\n"
        "contexts: [{name: staging, context: {cluster: c, user: u}}]\n"
        "users: [{name: u, user: {token: none}}]\n",
        encoding="utf-8",
    )
    arguments = ["--six-kubeconfig", str(path), "--six-context", "production"]
    result = project.runpytest_subprocess("suites", *arguments)
    assert result.ret == 4
    text = "\n".join(result.outlines + result.errlines)
    assert "production" in text
    assert "staging" in text


def test_collection_needs_no_cluster_and_gives_stable_ids(project: pytest.Pytester) -> None:
    """`--collect-only` lists every test twice the same, without a cluster."""
    first = project.runpytest_subprocess("suites", "--collect-only", "-q")
    second = project.runpytest_subprocess("suites", "--collect-only", "-q")
    assert first.ret == 0
    listed = [line for line in first.outlines if "::" in line]
    assert listed == [line for line in second.outlines if "::" in line]
    assert "suites/pods/test_live.py::test_live[IPv6]" in listed


def test_suites_run_in_their_order_not_in_that_of_their_names(project: pytest.Pytester) -> None:
    """What others rest on is told first, policies last."""
    for room in ("policy", "dns", "own"):
        (project.path / "suites" / room).mkdir()
        text = f"def test_{room}():\n    pass\n"
        (project.path / f"suites/{room}/test_{room}.py").write_text(text, encoding="utf-8")
    result = project.runpytest_subprocess("suites", "--collect-only", "-q")
    rooms = [line.split("/")[1] for line in result.outlines if "::" in line]
    assert list(dict.fromkeys(rooms)) == ["preflight", "pods", "dns", "own", "policy"]


def test_other_folders_need_no_cluster(project: pytest.Pytester) -> None:
    """Runs that name no live test do not look for a cluster."""
    project.runpytest_subprocess("tests").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--six-provider", "minikube"),
        ("--six-deny-timeout", "soon"),
        ("--six-deny-timeout", "-1"),
        ("--six-families", "ipv5"),
        ("--six-nodes", "0"),
        ("--six-keep", "forever"),
    ],
)
def test_unknown_values_are_usage_errors(project: pytest.Pytester, option: str, value: str) -> None:
    """A value that cannot be is refused before anything happens, with the option's name."""
    result = project.runpytest_subprocess("tests", option, value)
    assert result.ret == 4
    assert any(option in line for line in result.errlines)


def test_a_wrong_environment_variable_is_named(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source of a wrong value is told."""
    monkeypatch.setenv("SIX_RAW", "perhaps")
    result = project.runpytest_subprocess("tests")
    assert result.ret == 4
    assert any("SIX_RAW" in line for line in result.errlines)


def test_help_explains_every_option_and_its_variable(project: pytest.Pytester) -> None:
    """`--help` names every option and the environment variable beside it."""
    text = project.runpytest_subprocess("--help").stdout.str()
    missing = [o.switch for o in OPTIONS if o.switch not in text or o.variable not in text]
    assert missing == []
