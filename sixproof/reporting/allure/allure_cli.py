"""Node.js and the Allure 3 command: found, or installed once into a cache outside the checkout.

The version is pinned in allure3/package.json. There is no lock file on purpose, since one would
carry the hosts of the registry that it was made with.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sixproof.errors import SixproofError

MANIFEST = Path(__file__).parent / "allure3" / "package.json"
OLDEST = 18
_INSTALL_SECONDS = 600
_VERSION_SECONDS = 30


class NoAllure(SixproofError):
    """Allure 3 cannot be run here; the message says why and what would help."""


def allure_command(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The command that runs the pinned Allure, installed if it is not yet.

    `SIX_CACHE` names the directory that holds it, ``~/.cache/sixproof/allure`` by default.

    Raises:
        NoAllure: Node.js or npm is missing or too old, or the package could not be installed.
    """
    node = _node()
    home = _cache(environ) / _pinned()
    script = home / "node_modules" / "allure" / "cli.js"
    if not script.is_file():
        _install(home)
    if not script.is_file():
        raise NoAllure(f"npm installed allure without {script}; remove {home} and try again")
    return node, str(script)


def run(command: Sequence[str], *, cwd: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, its output in one text.

    Raises:
        NoAllure: it could not be started or did not end in time.
    """
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAllure(f"{command[0]} failed: {error}") from error


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        raise NoAllure(f"Node.js is not on PATH; Allure 3 needs version {OLDEST} or newer")
    said = run([node, "--version"], cwd=Path.cwd(), seconds=_VERSION_SECONDS).stdout.strip()
    major = re.match(r"v(\d+)\.", said)
    if major is None or int(major[1]) < OLDEST:
        raise NoAllure(f"{node} is {said or 'silent'}; Allure 3 needs Node.js {OLDEST} or newer")
    return node


def _cache(environ: Mapping[str, str]) -> Path:
    named = environ.get("SIX_CACHE", "")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "sixproof" / "allure"


def _pinned() -> str:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return f"allure-{manifest['dependencies']['allure']}"


def _install(home: Path) -> None:
    """Install beside the final place and move there, so that a broken install is never used."""
    npm = shutil.which("npm")
    if npm is None:
        raise NoAllure("npm is not on PATH; it comes with Node.js, or as a package of its own")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{home.name}.", dir=home.parent) as draft:
        shutil.copy(MANIFEST, draft)
        done = run(
            [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=Path(draft),
            seconds=_INSTALL_SECONDS,
        )
        if done.returncode:
            tail = "\n".join(done.stdout.strip().splitlines()[-5:])
            raise NoAllure(f"npm could not install {home.name}:\n{tail}")
        filled = Path(draft) / "node_modules"
        home.mkdir(exist_ok=True)
        try:
            filled.replace(home / "node_modules")
        except OSError:
            if not (home / "node_modules").is_dir():  # else another run was faster
                raise
