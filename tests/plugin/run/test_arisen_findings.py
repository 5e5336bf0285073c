"""What became wrong with Calico's settings during a run: read again where something failed."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Any, cast

import pytest

from fixtures.run import existing
from fixtures.run.existing import Existing
from sixproof.calico.audit import audit
from sixproof.calico.bgp.configuration import Bgp
from sixproof.calico.state import CalicoState
from sixproof.errors import ApiError
from sixproof.kube.api.client import Cluster
from sixproof.model import ClusterFacts, Family

FACTS = ClusterFacts("https://api", "v1.34.1", (), service_families=tuple(Family), cni="Calico")
RANGES = tuple(map(ipaddress.ip_network, ("198.51.100.0/24", "fd00:ec::/112")))
WELL = CalicoState("projectcalico.org/v3", bgp=Bgp(enabled=True, external_ips=RANGES))
LOST = dataclasses.replace(WELL, bgp=Bgp(enabled=True, external_ips=RANGES[:1]))
CLUSTER = cast(Cluster, None)


def arisen(
    monkeypatch: pytest.MonkeyPatch, before: CalicoState | None, now: Any
) -> tuple[list[str], list[str]]:
    """The codes of what is new, and what could not be read."""

    def read(*_: object) -> CalicoState | None:
        if isinstance(now, Exception):
            raise now
        return cast(CalicoState, now)

    monkeypatch.setattr("fixtures.run.existing.calico.read", read)
    found = Existing(audit(before, FACTS) if before else (), before)
    new, problems = existing.arisen(CLUSTER, FACTS, found)
    return [one.code for one in new], problems


def test_what_was_not_there_before_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was is not, nor what is mended."""
    code = "calico-external-ips-announced"
    assert arisen(monkeypatch, WELL, LOST) == ([code], [])
    assert arisen(monkeypatch, LOST, LOST) == ([], [])
    assert arisen(monkeypatch, LOST, WELL) == ([], [])


def test_a_note_is_not_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calico's API server may be silent because of what failed: the store is read then."""
    stored = dataclasses.replace(WELL, api="crd.projectcalico.org/v1")
    assert {one.code for one in audit(stored, FACTS)} == {"calico-api"}
    assert arisen(monkeypatch, WELL, stored) == ([], [])


def test_what_cannot_be_read_again_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is new then; without Calico nothing is read."""
    new, problems = arisen(monkeypatch, WELL, ApiError("no answer"))
    assert new == []
    assert problems == ["Calico's settings were not read again: no answer"]
    assert arisen(monkeypatch, None, AssertionError("it was read")) == ([], [])
