"""The API server's objects, kept up to date by lists and watches (Kubernetes API concepts)."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WATCH_SECONDS = 60
"""The API server ends a watch after this time; then all is listed again, in case of lost events."""
CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 75.0
PAUSE_SECONDS = 1.0

Manifest = dict[str, Any]


class Watched(Enum):
    """The kinds of objects that the plugin uses, and where they are listed."""

    nodes = "/api/v1/nodes"
    pods = "/api/v1/pods"
    namespaces = "/api/v1/namespaces"
    networkpolicies = "/apis/networking.k8s.io/v1/networkpolicies"


@dataclass(frozen=True)
class Api:
    """The API server as a pod's ServiceAccount reaches it."""

    host: str
    port: int
    account: Path

    @classmethod
    def of_the_pod(cls) -> Api:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        return cls(host, int(port), ACCOUNT)

    def get(self, path: str) -> http.client.HTTPResponse:
        """The answer to a request; raises OSError or HTTPException for any other than 200."""
        trust = ssl.create_default_context(cafile=self.account / "ca.crt")
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=CONNECT_SECONDS, context=trust
        )
        # Before kube-proxy has its rules, nothing answers there.
        connection.connect()
        connection.sock.settimeout(SILENCE_SECONDS)
        # The kubelet writes a new token long before the old one expires.
        token = (self.account / "token").read_text().strip()
        connection.request(
            "GET", path, headers={"Authorization": f"Bearer {token}", "Connection": "close"}
        )
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            said = answer.read(500)
            answer.close()
            raise OSError(f"{path}: {answer.status} {said!r}")
        return answer


class Mirror(threading.Thread):
    """All objects of one kind, almost up to date; `changed` is called after each change."""

    def __init__(self, api: Api, watched: Watched, changed: Callable[[], None]) -> None:
        super().__init__(name=watched.name, daemon=True)
        self._api, self._path, self._changed = api, watched.value, changed
        self._lock = threading.Lock()
        self._objects: dict[str, Manifest] = {}
        self.known = False

    def items(self) -> list[Manifest]:
        with self._lock:
            return list(self._objects.values())

    def run(self) -> None:
        while True:
            try:
                self.follow()
            except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
                print(f"{self._path}: {error}", file=sys.stderr, flush=True)
                time.sleep(PAUSE_SECONDS)

    def follow(self) -> None:
        """List the objects, then process changes until the API server ends the watch."""
        with closing(self._api.get(f"{self._path}?resourceVersion=0")) as answer:
            listed = json.load(answer)
        with self._lock:
            self._objects = {_key(item): item for item in listed["items"]}
        self.known = True
        self._changed()
        version = listed["metadata"]["resourceVersion"]
        asked = f"{self._path}?watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}"
        with closing(self._api.get(asked)) as answer:
            for event in _events(answer):
                self._take(event)

    def _take(self, event: Manifest) -> None:
        kind, thing = event["type"], event["object"]
        if kind == "ERROR":  # for example because the version is too old to be watched
            raise OSError(str(thing.get("message", "the watch failed")))
        with self._lock:
            if kind == "DELETED":
                self._objects.pop(_key(thing), None)
            elif kind in ("ADDED", "MODIFIED"):
                self._objects[_key(thing)] = thing
            else:
                return
        self._changed()


def _key(thing: Manifest) -> str:
    about = thing["metadata"]
    return f"{about.get('namespace', '')}/{about['name']}"


def _events(answer: http.client.HTTPResponse) -> Iterator[Manifest]:
    while line := answer.readline():
        yield json.loads(line)
