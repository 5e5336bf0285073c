"""The machine's own apt configuration, so that the bed uses the same Debian archives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import BedError

RELEASE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True, slots=True)
class Source:
    """One Debian archive: its address, suites, components and the keyring that signs it."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keyring: str = KEYRING

    def lines(self) -> Iterator[str]:
        """The source in apt's one-line form, a line per suite."""
        for suite in self.suites:
            yield f"deb [signed-by={self.keyring}] {self.uri} {suite} {' '.join(self.components)}"


def parse_stanzas(text: str) -> Iterator[Source]:
    """Sources of a deb822 file (`*.sources`)."""
    for stanza in text.split("\n\n"):
        fields: dict[str, str] = {}
        last = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line.startswith((" ", "\t")) and last:
                fields[last] += " " + line.strip()
            elif ":" in line:
                last, _, value = line.partition(":")
                last = last.strip().lower()
                fields[last] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        keyring = fields.get("signed-by", KEYRING)
        for uri in fields.get("uris", "").split():
            yield Source(
                uri,
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "main").split()),
                keyring if keyring.startswith("/") else KEYRING,
            )


def parse_lines(text: str) -> Iterator[Source]:
    """Sources of a one-line file (`sources.list`)."""
    for line in text.splitlines():
        words = line.split("#")[0].replace("[ ", "[").replace(" ]", "]").split()
        if not words or words[0] != "deb":
            continue
        keyring = KEYRING
        while len(words) > 1 and words[1].startswith("["):
            options = words.pop(1)
            while not options.endswith("]"):
                options += " " + words.pop(1)
            for option in options.strip("[]").split():
                if option.startswith("signed-by="):
                    keyring = option.removeprefix("signed-by=")
        if len(words) >= 3:
            yield Source(words[1], (words[2],), tuple(words[3:]) or ("main",), keyring)


def debian(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Those that serve the bed's Debian release; raises BedError when there is none."""
    chosen = []
    for source in sources:
        suites = tuple(s for s in source.suites if s == RELEASE or s.startswith(f"{RELEASE}-"))
        suites = tuple(s for s in suites if "backports" not in s)
        if suites and "main" in source.components:
            chosen.append(Source(source.uri, suites, ("main",), source.keyring))
    if not any(RELEASE in source.suites for source in chosen):
        raise BedError(
            f"an apt source with the suite {RELEASE}",
            seen="none in /etc/apt/sources.list or /etc/apt/sources.list.d",
            remedy=f"add a Debian mirror with suite {RELEASE} to apt's sources, or use a machine"
            " that reaches an image registry (SIX_IMAGES=pull)",
        )
    return tuple(chosen)


def configured(root: Path = Path("/etc/apt")) -> tuple[Source, ...]:
    """Every binary source in this machine's apt configuration."""
    found: list[Source] = []
    main = root / "sources.list"
    if main.is_file():
        found += parse_lines(main.read_text())
    for path in sorted((root / "sources.list.d").glob("*")):
        if path.suffix == ".sources":
            found += parse_stanzas(path.read_text())
        elif path.suffix == ".list":
            found += parse_lines(path.read_text())
    return tuple(found)
