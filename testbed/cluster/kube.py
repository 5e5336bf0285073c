"""kubectl of the bed, run inside its control plane node: this machine needs no kubectl."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from testbed.cluster import yaml_text
from testbed.errors import BedError
from testbed.host.command import Result
from testbed.host.engine import Engine

ADMIN = "/etc/kubernetes/admin.conf"


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl as the cluster's administrator."""

    engine: Engine
    node: str

    def attempt(self, *words: str, stdin: str | None = None, timeout: float = 120) -> Result:
        interactive = ("--interactive",) if stdin is not None else ()
        return self.engine.attempt(
            *("exec", *interactive, self.node, "kubectl", f"--kubeconfig={ADMIN}", *words),
            stdin=stdin,
            timeout=timeout,
        )

    def run(self, *words: str, stdin: str | None = None, timeout: float = 120) -> str:
        result = self.attempt(*words, stdin=stdin, timeout=timeout)
        if not result.ok:
            raise BedError(
                f"`kubectl {' '.join(words)}` to succeed",
                seen=result.tail(),
                remedy="see `python -m testbed status`; `up` mends what it can",
            )
        return result.out

    def get(self, *words: str) -> Any:
        return json.loads(self.run("get", *words, "--output=json"))

    def apply(self, documents: Iterable[Any]) -> None:
        """Server-side apply; conflicts are resolved for the bed, which owns these fields."""
        self.run(
            *("apply", "--server-side", "--force-conflicts", "--field-manager=sixproof-testbed"),
            *("--filename=-",),
            stdin=yaml_text.written(documents),
            timeout=300,
        )


def wait_for(what: str, seconds: float, look: Callable[[], str | None], remedy: str = "") -> None:
    """Call `look` until it returns None (it holds); its text is what is still wrong."""
    deadline = time.monotonic() + seconds
    while (amiss := look()) is not None:
        if time.monotonic() > deadline:
            raise BedError(f"{what} within {seconds:.0f} s", seen=amiss, remedy=remedy)
        time.sleep(0.5)
