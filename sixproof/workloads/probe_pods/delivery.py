"""How the agent is delivered: its package, in the same folders as here, and how it is started.

``HOME/sixproof/agent/client/tcp.py`` is what it is in this library, so that imports work alike on
both sides. A ConfigMap has no folders: its keys have dots instead, and the volume maps each key to
its path.
"""

from __future__ import annotations

import importlib.resources
from importlib.resources.abc import Traversable

from sixproof.agent.identity import KEY_FILE

PACKAGE = "sixproof/agent"
KEY_PATH = f"{PACKAGE}/{KEY_FILE}"
"""The path of the run's key."""
LAUNCHER = "launcher.py"
"""What is passed to an interpreter instead, where nothing can be delivered beforehand."""
SERVE = ("python3", "-s", "-E", "-B", "-m", "sixproof.agent", "serve")
"""The command of the agent, started in the folder of the delivery."""


def agent_files() -> dict[str, str]:
    """The agent's source by path: ``sixproof/agent/client/tcp.py``."""
    library = importlib.resources.files("sixproof")
    files = {"sixproof/__init__.py": (library / "__init__.py").read_text(encoding="utf-8")}
    return files | _modules(library / "agent", PACKAGE)


def _modules(folder: Traversable, path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            found |= _modules(item, f"{path}/{item.name}")
        elif item.name.endswith(".py") and item.name != LAUNCHER:
            found[f"{path}/{item.name}"] = item.read_text(encoding="utf-8")
    return found


def launcher() -> str:
    """The launcher's source."""
    return (importlib.resources.files("sixproof.agent") / LAUNCHER).read_text(encoding="utf-8")


def map_key(path: str) -> str:
    """The ConfigMap key for a path."""
    return path.replace("/", ".")


def bridge(home: str, socket: str) -> tuple[str, ...]:
    """The command that connects its standard streams with the agent's `socket`."""
    return ("python3", "-I", "-S", "-B", f"{home}/{PACKAGE}/control/bridge.py", socket)
