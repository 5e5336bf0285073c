"""The lab of this session, and the one measurement of all its scenes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sixproof.model import Family
from sixproof.probes.connect.probe import ProbeOptions
from tests.netns.laboratory import agents, namespace, scenes
from tests.netns.laboratory.lab import Lab, Panorama, flow
from tests.netns.laboratory.scenes import SCENES

WAIT = 2.0
"""Seconds of silence; less than the 3 s after which a default neighbour entry fails."""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The namespaces with their agents, gone afterwards whatever happens."""
    if reason := namespace.why_not():
        pytest.skip(reason)
    namespace.sweep()
    agents.sweep()
    built = Lab()
    try:
        built.build()
        yield built
    finally:
        built.close()


@pytest.fixture(scope="session")
def panorama(lab: Lab) -> Panorama:
    """Every scene in every family and protocol, measured in one batch."""
    keys = [
        (index, scene, family, protocol)
        for index, scene in enumerate(SCENES)
        for family in Family
        for protocol in scenes.PROTOCOLS
    ]
    flows = [flow(scenes.server_of(i), f, p, scene.port) for i, scene, f, p in keys]
    seen = lab.measure(flows, ProbeOptions(timeout=WAIT))
    return {(s.name, f, p): o for (_, s, f, p), o in zip(keys, seen, strict=True)}
