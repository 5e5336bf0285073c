"""What the plugin does where there is no cluster."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest._io import TerminalWriter

from fixtures.options import OPTIONS
from fixtures.report import reports


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
    """What others rest on comes first, policies last."""
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
        ("--six-nodes", ""),
        ("--six-image", "Python"),
    ],
)
def test_unknown_values_are_usage_errors(project: pytest.Pytester, option: str, value: str) -> None:
    """A value that cannot be is refused before anything happens, with the option's name."""
    result = project.runpytest_subprocess("tests", option, value)
    assert result.ret == 4
    said = [line for line in result.errlines if line]
    assert len(said) == 1
    assert option in said[0]


def test_an_unknown_variable_names_the_nearest(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable with a typing error is not ignored in silence."""
    monkeypatch.setenv("SIX_FAMILYS", "ipv6")
    result = project.runpytest_subprocess("tests")
    assert result.ret == 4
    said = [line for line in result.errlines if line]
    assert len(said) == 1
    assert "SIX_FAMILYS" in said[0]
    assert "SIX_FAMILIES" in said[0]


def test_variables_of_the_test_bed_are_known(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `make kind` and the project's own tests set is no mistake."""
    for name in ("SIX_CACHE", "SIX_IMAGES", "SIX_NODE_IMAGE", "SIX_VARIANT", "SIX_TEST_FAULT"):
        monkeypatch.setenv(name, "dual")
    assert project.runpytest_subprocess("tests").ret == 0


def test_an_empty_variable_is_not_set(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI systems hand over empty what nobody filled in: the default holds, not "none"."""
    for option in OPTIONS:
        monkeypatch.setenv(option.variable, "")
    project.makeconftest(
        'pytest_plugins = ("fixtures.plugin",)\n'
        "def pytest_collection_finish(session):\n"
        "    from fixtures.run.state import SETTINGS\n"
        "    settings = session.config.stash[SETTINGS]\n"
        "    print('seen', settings.report_dir, settings.nodes, settings.require_families)\n"
    )
    result = project.runpytest_subprocess("tests")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*seen None 6 (*IPv6*"])


def test_help_is_given_whatever_the_environment_says(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has a value wrong asks for help first."""
    monkeypatch.setenv("SIX_FAMILIES", "foo")
    monkeypatch.setenv("SIX_TYPO", "1")
    for question in ("--help", "--version", "--markers"):
        assert project.runpytest_subprocess(question).ret == 0


def test_plan_and_cleanup_exclude_each_other(project: pytest.Pytester) -> None:
    """A user who asks what would be made must not have anything removed."""
    result = project.runpytest_subprocess("suites", "--six-plan", "--six-cleanup")
    assert result.ret == 4
    assert [line for line in result.errlines if "--six-plan" in line and "--six-cleanup" in line]


@pytest.mark.parametrize("shows", ["--collect-only", "--setup-plan", "--fixtures", "--cache-show"])
def test_what_only_shows_cleans_nothing_up(project: pytest.Pytester, shows: str) -> None:
    """Who asks what there is does not expect that anything is removed."""
    result = project.runpytest_subprocess("suites", "--six-cleanup", shows)
    assert result.ret == 4
    assert [
        line
        for line in result.errlines
        if f"`pytest --six-cleanup` removes what is left: leave out {shows}" in line
    ]


def test_a_wrong_environment_variable_is_named(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source of a wrong value is named."""
    monkeypatch.setenv("SIX_RAW", "perhaps")
    result = project.runpytest_subprocess("tests")
    assert result.ret == 4
    assert any("SIX_RAW" in line for line in result.errlines)


def test_help_explains_every_option_and_its_variable(project: pytest.Pytester) -> None:
    """`--help` names every option and the environment variable beside it."""
    text = project.runpytest_subprocess("--help").stdout.str()
    missing = [o.switch for o in OPTIONS if o.switch not in text or o.variable not in text]
    assert missing == []


def test_what_is_said_stands_on_a_line_of_its_own() -> None:
    """Also after xdist's progress, which ends without a line break."""

    screen = io.StringIO()

    writer = TerminalWriter(screen)

    class Reporter:
        """The terminal's reporter, as xdist leaves it."""

        def ensure_newline(self) -> None:
            """Knows nothing of the progress."""

        def write_line(self, text: str) -> None:
            """One line."""
            writer.line(text)

    writer.write("....  [100%]")
    plugins = SimpleNamespace(get_plugin=lambda _: Reporter())
    config: Any = SimpleNamespace(pluginmanager=plugins, get_terminal_writer=lambda: writer)
    say = reports.speaker(config)
    say("run abc: deleted")
    say("bye")
    assert screen.getvalue() == "....  [100%]\nsixproof: run abc: deleted\nsixproof: bye\n"
