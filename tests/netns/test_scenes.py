"""What is done to packets on the way, and what it must come to: every fault its own outcome."""

from __future__ import annotations

import pytest

from sixproof.model import Family, Protocol
from tests.netns.laboratory import scenes
from tests.netns.laboratory.lab import Panorama
from tests.netns.laboratory.scenes import SCENES, Scene

pytestmark = [
    pytest.mark.netns,
    pytest.mark.parametrize("protocol", scenes.PROTOCOLS, ids=str),
    pytest.mark.parametrize("ip_family", Family, ids=str),
    pytest.mark.parametrize("scene", SCENES, ids=str),
]


def test_scene_comes_to_its_outcome(
    panorama: Panorama, scene: Scene, ip_family: Family, protocol: Protocol
) -> None:
    """Both sides' evidence leads to the outcome that belongs to what was done to the packets."""
    seen = panorama[scene.name, ip_family, protocol]

    assert (seen.outcome, seen.reason) == (scene.outcome(ip_family, protocol), seen.reason)


def test_reason_says_what_was_seen(
    panorama: Panorama, scene: Scene, ip_family: Family, protocol: Protocol
) -> None:
    """The reason speaks of what was done, so that the reader need not guess."""
    assert scene.reason(ip_family, protocol) in panorama[scene.name, ip_family, protocol].reason
