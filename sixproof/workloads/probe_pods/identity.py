"""Ownership: the run id on every object."""

from __future__ import annotations

import dataclasses
import re
import secrets

from sixproof.agent.wire import Seal
from sixproof.kube.runs import ownership

ROLE = "sixproof.dev/role"


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One run of the harness. `id` is a DNS label of lower-case letters and digits.

    `key` is how its agents recognise each other's probes: text of at most 32 characters, which no
    report and no message shows.
    """

    id: str
    key: str = dataclasses.field(default="", repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]{1,12}", self.id):
            raise ValueError(f"run id {self.id!r} is not 1 to 12 lower-case letters and digits")

    @classmethod
    def new(cls) -> Run:
        """A run with a fresh id and a fresh key."""
        return cls(secrets.token_hex(3), secrets.token_hex(16))

    @property
    def seal(self) -> Seal:
        """Creates and recognises the run's probes."""
        return Seal(self.key.encode())

    @property
    def labels(self) -> dict[str, str]:
        """The labels that every object of the run carries."""
        return ownership.labels(self.id)

    @property
    def selector(self) -> str:
        """A label selector for everything of the run."""
        return ownership.selector(self.id)

    def namespace(self, role: str) -> str:
        """The name of the run's namespace for a role."""
        return f"six-{self.id}-{role}"
