"""Kubeconfig files, read and merged as kubectl does, so that a run uses the cluster kubectl shows.

Rules of client-go's ``clientcmd``, checked against kubectl 1.27 and 1.33: the first file that sets
``current-context`` decides, the first entry of a name is taken whole, a duplicate name in one file
is an error, missing and empty files of a list are skipped, a relative path is relative to its file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sixproof import yaml_text
from sixproof.errors import ClusterUnreachable, TextError
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest, one_line

PIPE_PATIENCE = 60.0
"""Seconds that the writer of a pipe (``<(vault read …)``) may take."""
LARGEST = 16 << 20
"""Maximum size of a kubeconfig in bytes."""
_SHOWN = 300  # characters of a list of names in an error


@dataclasses.dataclass(frozen=True, slots=True)
class KubeconfigEntry:
    """One named cluster, user or context; `file` is where it is defined."""

    value: Manifest
    file: Path

    def text(self, key: str) -> str:
        """The string of a field, "" where it is not set.

        Raises:
            ClusterUnreachable: it is a list or an object: what is not read must not be ignored.
        """
        if isinstance(self.value.get(key), list | dict):
            raise ClusterUnreachable(f"{self.file}: {key} must be text")
        return json_fields.text(self.value, key)

    def path(self, key: str) -> Path | None:
        """The path in a field, relative ones from the folder of the kubeconfig.

        Raises:
            ClusterUnreachable: it can be no path: of a user that does not exist.
        """
        name = self.text(key)
        if "\0" in name:
            raise ClusterUnreachable(f"{self.file}: {key} is no path")
        try:
            return self.file.parent / Path(name).expanduser() if name else None
        except RuntimeError as error:
            raise ClusterUnreachable(f"{self.file}: {key}: {one_line(error)}") from error

    def mapping(self, key: str) -> Manifest:
        """The object of a field, empty where it is not set.

        Raises:
            ClusterUnreachable: it is no object: what is not read must not be ignored.
        """
        if not isinstance(self.value.get(key), dict | None):
            raise ClusterUnreachable(f"{self.file}: {key} must be an object")
        return json_fields.mapping(self.value, key)


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """What a context refers to. `user` is None where the context names none: an anonymous user."""

    context: str
    cluster_name: str
    cluster: KubeconfigEntry
    user_name: str
    user: KubeconfigEntry | None


@dataclasses.dataclass(frozen=True, slots=True)
class Kubeconfig:
    """The merged files; `documents` are their contents as parsed, by path."""

    where: str
    current: str
    contexts: dict[str, KubeconfigEntry]
    clusters: dict[str, KubeconfigEntry]
    users: dict[str, KubeconfigEntry]
    documents: dict[Path, Manifest]

    def choose(self, context: str = "") -> Chosen:
        """The cluster and the user of a context, by default the current one.

        Raises:
            ClusterUnreachable: there is no such context, or it refers to something undefined.
        """
        if not self.contexts:
            raise ClusterUnreachable(
                f"{self.where} holds no context: no cluster was ever written to it"
            )
        name = context or self.current
        if not name:
            raise ClusterUnreachable(
                f"{self.where} has no current context; choose one with --six-context: "
                f"{_listed(self.contexts)}"
            )
        if name not in self.contexts:
            raise ClusterUnreachable(
                f"no context {_quoted(name)} in {self.where}; it has: {_listed(self.contexts)}"
            )
        entry = self.contexts[name]
        user = entry.text("user")
        return Chosen(
            name,
            entry.text("cluster"),
            self._part("cluster", name, self.clusters),
            user,
            self._part("user", name, self.users) if user else None,
        )

    def _part(self, kind: str, context: str, known: dict[str, KubeconfigEntry]) -> KubeconfigEntry:
        name = self.contexts[context].text(kind)
        if name in known:
            return known[name]
        missing = (
            f"the {kind} {_quoted(name)}, which is not defined there" if name else f"no {kind}"
        )
        raise ClusterUnreachable(f"context {_quoted(context)} of {self.where} names {missing}")


def read(paths: Iterable[Path], where: str) -> Kubeconfig:
    """The kubeconfig merged from these files; missing ones are skipped.

    `where` is what errors call them.

    Raises:
        ClusterUnreachable: one of them cannot be read or is not a kubeconfig.
    """
    merged = Kubeconfig(where, "", {}, {}, {}, {})
    current = ""
    for path in dict.fromkeys(paths):
        try:
            document = _document(path)
            if document is None:
                continue
            for field, singular in (
                ("contexts", "context"),
                ("clusters", "cluster"),
                ("users", "user"),
            ):
                known: dict[str, KubeconfigEntry] = getattr(merged, field)
                for name, value in _named(document, field, singular):
                    known.setdefault(name, KubeconfigEntry(value, path))
        except (TextError, OSError, ValueError) as error:
            raise ClusterUnreachable(f"{path} is not a kubeconfig: {_reason(error)}") from error
        merged.documents[path] = document
        current = current or json_fields.text(document, "current-context")
    return dataclasses.replace(merged, current=current)


def text_of(path: Path) -> str:
    """The content of a file or a pipe, "" where it does not exist.

    Raises:
        OSError: it cannot be read. ValueError: it is too large, or a pipe stays silent.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return ""
    data = b"".join(_from_pipe(path) if stat.S_ISFIFO(mode) else _from_file(path))
    return data.decode()


def _from_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MiB")
    yield data


def _from_pipe(path: Path) -> Iterator[bytes]:
    deadline = time.monotonic() + PIPE_PATIENCE
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    size = 0
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise ValueError(f"nothing more came from it in {PIPE_PATIENCE:g} s")
            with contextlib.suppress(BlockingIOError):
                data = os.read(descriptor, 1 << 16)
                if not data:
                    return
                size += len(data)
                if size > LARGEST:
                    raise ValueError(f"it has more than {LARGEST >> 20} MiB")
                yield data
    finally:
        os.close(descriptor)


def _document(path: Path) -> Manifest | None:
    """The first document of a file, which is all that kubectl reads; None if empty."""
    found = yaml_text.documents(text_of(path))
    if not found:
        return None
    if not isinstance(found[0], dict):
        raise ValueError("it is no mapping")
    return found[0]


def _named(document: Manifest, field: str, singular: str) -> list[tuple[str, Manifest]]:
    """The entries of a list such as ``clusters``, each with its name."""
    listed: Any = document.get(field)
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise ValueError(f"{field} is no list")
    found: dict[str, Manifest] = {}
    for entry in listed:
        name = json_fields.at(entry, "name")
        if not isinstance(name, str | int | float):
            raise ValueError(f"an entry of {field} has no name")
        if str(name) in found:
            raise ValueError(f"{field} has {_quoted(str(name))} twice")
        found[str(name)] = json_fields.mapping(entry, singular)
    return list(found.items())


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return one_line(error)


def _listed(names: Iterable[str]) -> str:
    return one_line(", ".join(names), _SHOWN)


def _quoted(name: str) -> str:
    return one_line(repr(name), 120)
