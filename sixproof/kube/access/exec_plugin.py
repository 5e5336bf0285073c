"""Credential plugins: the commands of a kubeconfig that log in (``exec:``), as client-go runs them.

The client library's own runner gives its child `sys.stdin`, which pytest has replaced, and shows
none of the child's prompts; so the protocol is implemented here.
Source: Kubernetes, "client-go credential plugins"; API client.authentication.k8s.io.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sixproof.errors import ClusterUnreachable
from sixproof.kube.access.kubeconfig import KubeconfigEntry
from sixproof.kube.api import json_fields
from sixproof.kube.api.json_fields import Manifest, one_line

Say = Callable[[str], None]

LIMIT = 60.0
"""Seconds that a plugin may take where no one can answer it."""
INTERACTIVE_LIMIT = 300.0
"""Seconds that a plugin with a terminal may take: the user may be typing a code elsewhere."""
FIRST_WORD = 5.0
"""Seconds after which the user is informed what the run is waiting for."""
NEXT_WORD = 30.0
"""Seconds between further messages about that."""
_PROMPT = 0.3  # seconds after which half a line is shown: a prompt has no end of line
_LARGEST = 1 << 20  # bytes of an answer
_LONGEST = 4000  # bytes of a line, and of what is kept for an error


@dataclasses.dataclass(frozen=True, slots=True)
class Plugin:
    """A kubeconfig's settings for a plugin. `mode` is ``Never``, ``IfAvailable`` or ``Always``."""

    user: str
    api_version: str
    argv: tuple[str, ...]
    env: dict[str, str]
    mode: str
    hint: str
    cluster: Manifest | None  # for KUBERNETES_EXEC_INFO, if requested

    @classmethod
    def of(cls, user: str, entry: KubeconfigEntry, cluster: Manifest) -> Plugin:
        """The plugin of a user. Raises: ClusterUnreachable if it names no command."""
        settings = json_fields.mapping(entry.value, "exec")
        command = json_fields.text(settings, "command")
        version = json_fields.text(settings, "apiVersion")
        if not command or not version:
            lacks = "command" if not command else "apiVersion"
            raise ClusterUnreachable(f"the exec plugin of user {user!r} has no {lacks}")
        if os.sep in command:
            command = str(entry.file.parent.absolute() / command)
        return cls(
            user,
            version,
            (command, *_arguments(settings.get("args"), user)),
            {
                json_fields.text(e, "name"): json_fields.text(e, "value")
                for e in json_fields.entries(settings, "env")
            },
            json_fields.text(settings, "interactiveMode") or "IfAvailable",
            json_fields.text(settings, "installHint"),
            cluster if settings.get("provideClusterInfo") is True else None,
        )

    @property
    def command(self) -> str:
        """The command's name; arguments may hold secrets and are never shown."""
        return one_line(Path(self.argv[0]).name, 80)

    def run(self, say: Say | None) -> Manifest:
        """The `status` of the plugin's answer: a token, or a certificate with its key.

        What it writes to standard error is passed to `say` at once.

        Raises:
            ClusterUnreachable: it is missing, fails, or does not end in time.
        """
        if not shutil.which(self.argv[0]):
            raise self._failure("is not installed or not executable", self.hint)
        with _terminal() if self.mode != "Never" else contextlib.nullcontext() as terminal:
            if terminal is None and self.mode == "Always":
                raise self._failure("wants a terminal (interactiveMode: Always); there is none")
            answer = self._converse(terminal, say)
        return self._status(answer)

    def _converse(self, terminal: int | None, say: Say | None) -> bytes:
        limit = LIMIT if terminal is None else INTERACTIVE_LIMIT
        try:
            process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment(terminal is not None),
                # In its own process group it can be ended with its children; at a terminal it must
                # stay in this one, which alone may read there.
                process_group=0 if terminal is None else None,
            )
        except (OSError, ValueError) as error:  # no program, or an environment that cannot be
            raise self._failure("cannot be started", one_line(error)) from error
        talk = _Conversation(process, say, f"credential plugin {self.command}")
        try:
            status = talk.until_end(limit)
        except BaseException:
            _end(process, whole_group=terminal is None)
            raise
        if status is None:
            _end(process, whole_group=terminal is None)
            raise self._failure(f"did not end within {limit:g} s", talk.last_words())
        if status:
            raise self._failure(f"ended with status {status}", talk.last_words())
        return talk.answer()

    def _environment(self, interactive: bool) -> dict[str, str]:
        spec: dict[str, Any] = {"interactive": interactive}
        if self.cluster is not None:
            spec["cluster"] = self.cluster
        info = {"apiVersion": self.api_version, "kind": "ExecCredential", "spec": spec}
        return {**os.environ, **self.env, "KUBERNETES_EXEC_INFO": json.dumps(info)}

    def _status(self, answer: bytes) -> Manifest:
        if not answer.strip():
            raise self._failure("answered nothing", "no ExecCredential on its standard output")
        try:
            credential = json.loads(answer)
        except (ValueError, RecursionError) as error:
            raise self._failure("answered what is no JSON", one_line(error)) from error
        version = json_fields.text(credential, "apiVersion")
        if version != self.api_version:
            raise self._failure(
                f"answered as {version!r}, the kubeconfig asks for {self.api_version!r}"
            )
        status = json_fields.mapping(credential, "status")
        if json_fields.text(status, "token"):
            return status
        if json_fields.text(status, "clientCertificateData") and json_fields.text(
            status, "clientKeyData"
        ):
            return status
        raise self._failure("answered neither a token nor a certificate with its key")

    def _failure(self, what: str, more: str = "") -> ClusterUnreachable:
        return ClusterUnreachable(
            f"credential plugin {self.command} of user {one_line(repr(self.user), 120)} "
            f"{one_line(what, 200)}{f': {one_line(more)}' if more else ''}"
        )


def _arguments(args: object, user: str) -> list[str]:
    if args is not None and not isinstance(args, list):
        raise ClusterUnreachable(f"args of the exec plugin of user {user!r} must be a list")
    return [str(one) for one in args or ()]


def cluster_info(cluster: KubeconfigEntry) -> Manifest:
    """The cluster information for plugins; certificates as data, the plugin's own settings
    separate.

    Raises:
        ClusterUnreachable: its certificates cannot be read.
    """
    info = {
        key: cluster.value[key]
        for key in ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
        if cluster.value.get(key)
    }
    if data := cluster.text("certificate-authority-data"):
        info["certificate-authority-data"] = data
    elif path := cluster.path("certificate-authority"):
        try:
            info["certificate-authority-data"] = base64.b64encode(path.read_bytes()).decode()
        except OSError as error:
            raise ClusterUnreachable(f"{path} cannot be read: {one_line(error)}") from error
    for extension in json_fields.entries(cluster.value, "extensions"):
        if extension.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = extension.get("extension")
    return info


class _Conversation:
    """The output of a running plugin: standard output is its answer, standard error is for the
    user.

    Threads read both, since a child of the plugin may hold them open forever.
    """

    def __init__(self, process: subprocess.Popen[bytes], say: Say | None, name: str) -> None:
        self._process = process
        self._say = say
        self._name = name
        self._heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._answer = bytearray()
        self._words = bytearray()
        self._line = bytearray()
        self._readers = [
            threading.Thread(target=self._read_answer, daemon=True),
            threading.Thread(target=self._read_words, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def until_end(self, limit: float) -> int | None:
        """Pass on its output until it ends; its exit status, None on a time-out."""
        begun = time.monotonic()
        reported_at = 0.0
        while (status := self._process.poll()) is None:
            spent = time.monotonic() - begun
            if spent > limit:
                self._flush()
                return None
            if self._say and spent > reported_at + (NEXT_WORD if reported_at else FIRST_WORD):
                reported_at = spent
                self._flush()
                self._say(f"waiting for {self._name} for {spent:.0f} s, at most {limit:g} s")
            self._listen(0.05 if spent < 1 else _PROMPT)
        for reader in self._readers:
            reader.join(1.0)
        while not self._heard.empty():
            self._listen(0)
        self._flush()
        return status

    def answer(self) -> bytes:
        """Its standard output."""
        return bytes(self._answer)

    def last_words(self) -> str:
        """The end of its standard error."""
        return bytes(self._words[-400:]).decode(errors="replace").strip()

    def _listen(self, timeout: float) -> None:
        try:
            data = self._heard.get(timeout=timeout) if timeout else self._heard.get_nowait()
        except queue.Empty:
            self._flush()
            return
        self._words += data
        del self._words[:-_LONGEST]
        self._line += data
        *lines, rest = bytes(self._line).split(b"\n")
        self._line = bytearray(rest)
        for line in lines:
            self._show(line)
        if len(rest) > _LONGEST:
            self._flush()

    def _flush(self) -> None:
        line, self._line = bytes(self._line), bytearray()
        self._show(line)

    def _show(self, line: bytes) -> None:
        text = one_line(line.decode(errors="replace"), 1000) if line.strip() else ""
        if text and self._say:
            self._say(f"{self._name}: {text}")

    def _read_answer(self) -> None:
        assert self._process.stdout
        with contextlib.suppress(OSError, ValueError), self._process.stdout as pipe:
            while data := os.read(pipe.fileno(), 1 << 16):
                if len(self._answer) < _LARGEST:
                    self._answer += data

    def _read_words(self) -> None:
        assert self._process.stderr
        with contextlib.suppress(OSError, ValueError), self._process.stderr as pipe:
            while data := os.read(pipe.fileno(), 1 << 14):
                self._heard.put(data)


@contextlib.contextmanager
def _terminal() -> Iterator[int | None]:
    """The terminal of this process if it may read from it, else None.

    Neither `sys.stdin` nor descriptor 0 shows this: pytest replaces both.
    """
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield None
        return
    try:
        # In the background a read would stop the plugin.
        yield descriptor if os.tcgetpgrp(descriptor) == os.getpgrp() else None
    finally:
        os.close(descriptor)


def _end(process: subprocess.Popen[bytes], *, whole_group: bool) -> None:
    """End a plugin, with its children where it has its own process group."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if whole_group:
                os.killpg(process.pid, sign)
            else:
                process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2.0)
            return
