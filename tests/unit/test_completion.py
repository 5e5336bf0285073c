"""The completion of the command line, as bash carries it out."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sixproof import __main__ as command_line
from sixproof import completion
from sixproof.errors import UsageError


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of bash, in a file."""
    path = tmp_path_factory.mktemp("completion") / "sixproof.bash"
    output = completion.script("bash", command_line.parser())
    path.write_text(output.text, encoding="utf-8")
    return path


def completed(script: Path, *words: str) -> set[str]:
    """What bash would offer for the last of these words."""
    line = ["sixproof", *words]
    asked = (
        f"source {shlex.quote(str(script))}; COMP_WORDS=({shlex.join(line)}); "
        f'COMP_CWORD={len(words)}; $(complete -p sixproof | sed "s/.*-F //; s/ .*//"); '
        r'printf "%s\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return {word.strip() for word in done.stdout.splitlines() if word.strip()}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("exp",), ("explain",)),
        (("run", "--six-prov"), ("--six-provider",)),
        (
            ("run", "--six-provider", ""),
            (
                "live",
                "kind",
            ),
        ),
        (("run", "--six-profile", "q"), ("quick",)),
        (("run", "suites/bg"), ("suites/bgp",)),
        (("run", "suites/pods", "suites/bg"), ("suites/bgp",)),
        (("run", "suites/pods", "--six-fail-on", "n"), ("new",)),
        (("plan", "--six-applications", "a"), ("all",)),
        (("cleanup", "--six-cont"), ("--six-context",)),
        (("completion", "z"), ("zsh",)),
        (("audit", "--js"), ("--json",)),
    ],
    ids=" ".join,
)
def test_commands_options_values_and_suites_are_offered(
    words: tuple[str, ...], offered: tuple[str, ...], bash: Path
) -> None:
    """And nothing else that begins like the last word."""
    found = completed(bash, *words)
    assert set(offered) <= found
    assert all(word.startswith(words[-1]) for word in found)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_shell_has_a_script_with_the_options_of_a_run(shell: str) -> None:
    """Those of cleanup are no tests'."""
    assert "six-further-nodes" in completion.script(shell, command_line.parser()).text


def test_a_list_of_options_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a line, not by a traceback."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UsageError, match="could not be listed"):
        completion.script("bash", command_line.parser())
