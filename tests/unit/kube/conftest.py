"""A fake API server and a cluster connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sixproof.kube.api.client import Cluster
from tests.unit.kube.server import FakeApi, kubeconfig, serve


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def cluster(api: FakeApi, tmp_path: Path) -> Iterator[Cluster]:
    with (
        serve(api) as url,
        Cluster.connect(
            kubeconfig(tmp_path / "kubeconfig", url), timeout=1.0, patience=0.0
        ) as cluster,
    ):
        yield cluster
