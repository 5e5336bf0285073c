"""What the value of an option may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures import values
from fixtures.options import OPTIONS, Option

READERS = {option.switch: option.parse for option in OPTIONS}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--six-image", "python:3.13:slim"),
        ("--six-image", "Python"),
        ("--six-image-registry", "https://registry.example"),
        ("--six-pull-secret", "my secret"),
        ("--six-tolerations", "key=value:Sometimes"),
        ("--six-tolerations", "=value"),
        ("--six-nodes", "Worker 1"),
        ("--six-nodes", ","),
        ("--six-require-families", ","),
        ("--six-policies", "nowhere"),
        ("--six-policies", "pyproject.toml"),
        ("--six-policies-of", "shop,Shop"),
        ("--six-node-selector", "zone in (a"),
        ("--six-node-selector", "zone a"),
        ("--six-node-selector", "zone=a,,gpu"),
        ("--six-variant", "nosuch"),
    ],
)
def test_a_value_that_cannot_be_is_refused(option: str, value: str) -> None:
    """What the API server would refuse, or nobody can mean, is refused before anything is made."""
    with pytest.raises(ValueError, match=r"\w{4}"):
        READERS[option](value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--six-image", "registry.example:5000/team/python:3.13-slim@sha256:" + 32 * "ab"),
        ("--six-image", "[fd00::5]:5000/python"),
        ("--six-image-registry", "registry.example:5000/mirror"),
        ("--six-tolerations", "node-role.kubernetes.io/control-plane:NoSchedule,team=net"),
        ("--six-nodes", "worker-1.example,worker-2"),
        ("--six-policies-of", "shop,front-end"),
        ("--six-node-selector", "kubernetes.io/os=linux,!gpu,zone notin (a, b),tier!=x, spot"),
        ("--six-variant", "ipv6"),
    ],
)
def test_right_values_are_taken(option: str, value: str) -> None:
    """What Kubernetes and container engines take is taken here."""
    assert READERS[option](value)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_default_can_be_read(option: Option) -> None:
    """No default is refused by its own reader."""
    option.parse(option.default)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_wrong_value_is_cut_short(option: Option) -> None:
    """No message is as long as what somebody gave by mistake."""
    if option.parse in (str, Path, values.optional_path):
        return  # whoever opens it reports it
    with pytest.raises(ValueError, match=r"^.{20,250}$"):
        option.parse("Ä" * 10_000)


def test_a_node_named_twice_is_covered_once() -> None:
    """Naming a node again adds nothing."""
    assert values.nodes("b,a,b") == ("b", "a")
