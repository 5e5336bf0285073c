"""``sixproof run``, ``plan`` and ``cleanup``: pytest over the suites, from wherever the user is.

A wheel holds the suites, the plugin and their configuration in ``sixproof/bundle``; in a checkout
they are beside the package. pytest takes the place of this process, so that signals and exit
status are its own.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from sixproof.errors import UsageError

SUITES = "suites"
_CONFIGURATION = "pyproject.toml"
_PACKAGE = Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True, slots=True)
class PytestCommand:
    """One such command: what it adds for pytest, and its help."""

    options: tuple[str, ...]
    short: str
    text: str


_AFTER = """
Everything after the command goes to pytest: paths below suites (suites/pods,
suites/dns/test_x.py::test_y), -k, -x, -n 2 (two processes), and the options of sixproof.
`sixproof {name} -- --help` lists all of them; https://docs.pytest.org says the rest. Paths are
relative to the current directory.
"""

COMMANDS: Mapping[str, PytestCommand] = MappingProxyType(
    {
        "run": PytestCommand(
            (),
            "measure a cluster: run the suites, write the report",
            """usage: sixproof run [PYTEST OPTION | suites/PATH ...]

Run the suites against the cluster of your kubeconfig, all of them if none is named.

What it does to the cluster: it creates namespaces six-<run>-... with probe pods, services and
policies, and one host-network agent per node in a privileged namespace. It removes all of them
at the end, also after Ctrl-C and SIGTERM. Existing objects are never changed. `sixproof plan`
lists what a run would create.

  sixproof run -n 2 --six-context staging
  sixproof run suites/pods suites/dns --six-nodes 3

The report is written to reports/latest (--six-report-dir DIR). Exit status: 0 every test passed,
1 some did not, 2 interrupted, 4 no cluster or a wrong option, 5 no test selected.
""",
        ),
        "plan": PytestCommand(
            ("--six-plan",),
            "list what a run would create, and the RBAC rules it needs",
            """usage: sixproof plan [PYTEST OPTION | suites/PATH ...]

List the objects that `sixproof run` with the same arguments creates, and the ClusterRole that it
needs. Reads the cluster, and creates nothing.
""",
        ),
        "cleanup": PytestCommand(
            ("--six-cleanup",),
            "remove what a killed run left behind",
            """usage: sixproof cleanup [PYTEST OPTION ...]

Remove the objects of runs that were killed before they could clean up. Runs that are still alive
are recognised by their lease and left alone. Only objects with the label of a run are removed.
""",
        ),
    }
)


def help_of(name: str) -> str:
    """What ``sixproof NAME --help`` prints."""
    return COMMANDS[name].text + _AFTER.format(name=name)


def home(package: Path = _PACKAGE) -> Path:
    """The folder that holds the suites and their configuration.

    Raises:
        UsageError: this installation has none.
    """
    for folder in (package / "bundle", package.parent):
        if (folder / SUITES).is_dir() and (folder / _CONFIGURATION).is_file():
            return folder
    raise UsageError(
        "this installation of sixproof has no suites: install its wheel, or use a clone"
    )


def command(name: str, arguments: Sequence[str], folder: Path, cwd: Path) -> list[str]:
    """The command line of pytest.

    `folder` is `home()`. A path that begins with ``suites`` and is there means the one there, also
    where `cwd` has a folder of that name: a clone, or a project with suites of its own.
    """
    given = list(_placed(arguments, folder, cwd))
    chosen = any(_is_below(argument, folder, cwd) for argument in given)
    return [
        *(sys.executable, "-P", "-m", "pytest"),  # -P: a yaml.py where the user is must not win
        *("-c", str(folder / _CONFIGURATION), f"--rootdir={folder}"),
        *("-o", f"cache_dir={cwd / '.pytest_cache'}"),
        *COMMANDS[name].options,
        *given,
        *(() if chosen else (str(folder / SUITES),)),
    ]


def _placed(arguments: Sequence[str], folder: Path, cwd: Path) -> Iterator[str]:
    rest = arguments[1:] if arguments[:1] == ["--"] else arguments
    for argument in rest:
        path, _, _ = argument.partition("::")
        ours = Path(path).parts[:1] == (SUITES,) and (folder / path).exists()
        yield str(folder / argument) if ours and not _is_below(argument, folder, cwd) else argument


def _is_below(argument: str, folder: Path, cwd: Path) -> bool:
    """Whether an argument names tests of the suites."""
    path = cwd / argument.partition("::")[0]
    suites = (folder / SUITES).resolve()
    return not argument.startswith("-") and (
        path.resolve() == suites or suites in path.resolve().parents
    )


def replace_process(name: str, arguments: Sequence[str]) -> None:
    """Become pytest; returns only in tests.

    Raises:
        UsageError: there are no suites here, or the interpreter cannot be started.
    """
    line = command(name, list(arguments), home(), Path.cwd())
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(line[0], line)  # noqa: S606
    except OSError as error:
        raise UsageError(f"{line[0]} cannot be started: {error.strerror}") from error
