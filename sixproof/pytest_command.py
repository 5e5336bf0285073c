"""``sixproof run``, ``plan`` and ``cleanup``: pytest over the suites, from wherever the user is.

A wheel holds the suites, the plugin and their configuration in ``sixproof/bundle``; in a checkout
they are beside the package. pytest takes the place of this process, so that signals and exit
status are its own.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from sixproof.errors import UsageError

SUITES = "suites"
TYPED = "--six-typed"
"""The option by which pytest knows that it runs as a command of sixproof, and as which."""
IMAGE, CLAIM = "--six-job", "--six-job-claim"
"""The options by which it prints the objects of a Job, with its image and its claim."""
LISTED = "--six-options"
"""The option with which it lists the options of a run."""
_CONFIGURATION = "pyproject.toml"
_NO_CACHE = "no:cacheprovider"
"""Without this plugin its ini keys are unknown."""
_PACKAGE = Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True, slots=True)
class PytestCommand:
    """One such command: what it adds for pytest, and its help."""

    options: tuple[str, ...]
    short: str
    text: str


_AFTER = """
Everything after the command goes to pytest: paths below suites (suites/pods,
suites/dns/test_x.py::test_y), --ignore suites/bgp, -k, -x, -n 2 (two processes);
https://docs.pytest.org says the rest. Paths are relative to the current directory.
"""

COMMANDS: Mapping[str, PytestCommand] = MappingProxyType(
    {
        "run": PytestCommand(
            (),
            "measure a cluster: run the suites, write the report",
            """usage: {program} run [PYTEST OPTION | suites/PATH ...]

Run the suites against the cluster of your kubeconfig, all of them if none is named.

What it does to the cluster: it creates namespaces six-<run>-... with probe pods, services and
policies, and one host-network agent per node in a privileged namespace. It removes all of them
at the end, also after Ctrl-C and SIGTERM. Existing objects are never changed.
`{program} plan` lists what a run would create.

  {program} run -n 2 --six-context staging
  {program} run suites/pods suites/dns --six-nodes 3

The report is written to reports/latest (--six-report-dir DIR). Exit status: 0 every test passed,
1 some did not, 2 interrupted, 4 no cluster or a wrong option, 5 no test selected.
""",
        ),
        "plan": PytestCommand(
            ("--six-plan",),
            "list what a run would create, and the RBAC rules it needs",
            """usage: {program} plan [PYTEST OPTION | suites/PATH ...]

List the objects that `{program} run` with the same arguments creates, and the ClusterRole
that it needs. Reads the cluster, and creates nothing.
""",
        ),
        "job": PytestCommand(
            ("--six-plan",),
            "print the objects of a Job that runs the suites inside the cluster",
            """usage: {program} job IMAGE [--claim NAME] [PYTEST OPTION | suites/PATH ...]

Print the objects with which a cluster measures itself, for `kubectl apply -f -`: a namespace, an
account, a ClusterRole of what a run with these arguments needs and nothing else, and a Job. The
image is made by deploy/Dockerfile. Reads the cluster, and creates nothing.

Reports go to the PersistentVolumeClaim --claim of namespace sixproof, or are printed into the log:

  {program} job registry.example/sixproof:1 -n 2 | kubectl apply -f -
  kubectl -n sixproof logs -f job/sixproof | tee log
  {program} unpack log report
""",
        ),
        "cleanup": PytestCommand(
            ("--six-cleanup",),
            "remove what a killed run left behind",
            """usage: {program} cleanup [--six-context NAME] [--six-kubeconfig FILE]
                {indent}[--six-provider live|kind] [--six-variant NAME]

Remove the objects of runs that were killed before they could clean up. Runs that are still alive
are recognised by their lease and left alone. Only objects with the label of a run are removed.

Exit status: 0 nothing of dead runs is left, 1 something is, 2 interrupted, 4 no cluster or a wrong
option.
""",
        ),
    }
)


def help_of(program: str, name: str) -> str:
    """What ``sixproof NAME --help`` prints, before the options of a run where it takes them.
    `program` is what the user typed before `name`."""
    text = COMMANDS[name].text + (_AFTER if takes_tests(name) else "")
    return text.format(program=program, indent=" " * len(program))


def takes_tests(name: str) -> bool:
    """Whether a command is about tests, and takes the options of a run."""
    return name != "cleanup"


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


def command(typed: str, name: str, arguments: Sequence[str], folder: Path, cwd: Path) -> list[str]:
    """The command line of pytest.

    `typed` is what the user called, ``sixproof run``; `folder` is `home()`. All suites come first:
    from them pytest finds the plugin, which then leaves them out where others are named. Only
    pytest knows which of its arguments are paths.

    Raises:
        UsageError: something before pytest's own arguments is missing.
    """
    options, rest = COMMANDS[name].options, list(arguments)
    if name == "job":
        options, rest = _of_a_job(options, rest)
    rest = rest[1:] if rest[:1] == ["--"] else rest
    return [
        *(sys.executable, "-P", "-m", "pytest"),  # -P: a yaml.py where the user is must not win
        *("-c", str(folder / _CONFIGURATION), f"--rootdir={folder}"),
        *(() if _NO_CACHE in "".join(rest) else ("-o", f"cache_dir={cwd / '.pytest_cache'}")),
        f"{TYPED}={typed}",
        *options,
        str(folder / SUITES),
        *rest,
    ]


def _of_a_job(options: Sequence[str], given: list[str]) -> tuple[tuple[str, ...], list[str]]:
    if not given or given[0].startswith("-"):
        raise UsageError("which image? sixproof job IMAGE, one made by deploy/Dockerfile")
    image, *rest = given
    found = (*options, f"{IMAGE}={image}")
    if rest and rest[0].partition("=")[0] == "--claim":
        _, separator, claim = rest.pop(0).partition("=")
        claim = claim if separator else (rest.pop(0) if rest else "")
        if not claim:
            raise UsageError("--claim: which PersistentVolumeClaim?")
        found = (*found, f"{CLAIM}={claim}")
    return found, rest


def replace_process(program: str, name: str, arguments: Sequence[str]) -> None:
    """Become pytest; returns only in tests. `program` is what the user typed before `name`.

    Raises:
        UsageError: there are no suites here, or the interpreter cannot be started.
    """
    line = command(f"{program} {name}", name, list(arguments), home(), Path.cwd())
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(line[0], line)  # noqa: S606
    except OSError as error:
        raise UsageError(f"{line[0]} cannot be started: {error.strerror}") from error
