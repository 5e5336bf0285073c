"""A load balancer before the API server that cuts every connection: no result is lost by it."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import testbed
from sixproof.reporting.results.results_json import Results
from sixproof.reporting.results.test_record import CaseOutcome
from tests.faults.runs.test_plan import pytest_run

pytestmark = pytest.mark.bed
LIFE = 15.0
"""Seconds after which a connection is cut, whatever goes through it."""


class Balancer:
    """Passes bytes between clients on loopback and a server, and cuts each connection in time. One
    thread a connection, ended with it."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        ends = time.monotonic() + LIFE
        with client, socket.create_connection(self._server) as server:
            other = {client: server, server: client}
            with selectors.DefaultSelector() as selector:
                for sock in other:
                    selector.register(sock, selectors.EVENT_READ)
                while time.monotonic() < ends and not self._over.is_set():
                    for key, _ in selector.select(0.2):
                        sock = client if key.fileobj is client else server
                        try:
                            data = sock.recv(1 << 16)
                            other[sock].sendall(data)
                        except OSError:
                            return
                        if not data:
                            return
            self.cut += 1

    def close(self) -> None:
        """Cut everything."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def balancer(bed: testbed.Bed) -> Iterator[Balancer]:
    """Before the bed's API server."""
    config = yaml.safe_load(bed.kubeconfig.read_text(encoding="utf-8"))
    server = config["clusters"][0]["cluster"]["server"]
    made = Balancer(int(server.rpartition(":")[2]))
    yield made
    made.close()


def test_streams_that_are_cut_cost_no_result(
    bed: testbed.Bed, balancer: Balancer, tmp_path: Path
) -> None:
    """Each is cut after 15 s, in the middle of what it carries: everything is measured."""
    config = yaml.safe_load(bed.kubeconfig.read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{balancer.port}"
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
    chosen = ("suites/pods", "suites/nodes", "suites/dns")
    options = ("-n", "2", "--six-provider", "kind", "--six-kubeconfig", str(kubeconfig))
    run = pytest_run(*chosen, *options, "--six-report-dir", str(tmp_path / "report"))
    assert run.returncode == 0, run.stdout[-5000:]
    results = Results.read(tmp_path / "report/results.json")
    counts = results.counts()
    assert counts[CaseOutcome.PASSED] > 50
    assert counts[CaseOutcome.NOT_PROVEN] == counts[CaseOutcome.BROKEN] == 0
    assert balancer.cut > 20
