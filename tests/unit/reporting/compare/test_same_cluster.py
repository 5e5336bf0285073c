"""Whether two runs were on one cluster."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest

from sixproof.model import ClusterFacts, NodeFacts
from sixproof.reporting.compare.same_cluster import why_another


def cluster(server: str, **nodes: str) -> ClusterFacts:
    """A cluster with nodes and an address of each."""
    made = (NodeFacts(n, (ipaddress.ip_address(a),) if a else ()) for n, a in nodes.items())
    return ClusterFacts(server, "v1.37.0", tuple(made))


ONE = cluster("https://api.one:6443", w1="192.0.2.1", w2="192.0.2.2")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(ONE, id="itself"),
        pytest.param(cluster("https://api.one:6443", w9="192.0.2.9"), id="all nodes replaced"),
        pytest.param(cluster("https://[2001:db8::1]", w2="192.0.2.2"), id="another way in"),
        pytest.param(cluster("https://127.0.0.1:4000", w1="198.51.100.1"), id="a forwarded port"),
        pytest.param(cluster("https://[::1]:4000", w1=""), id="over IPv6"),
        pytest.param(cluster("https://localhost:4000", w1=""), id="by name"),
    ],
)
def test_the_same_cluster(other: ClusterFacts) -> None:
    """By its API server, or by a node that is still there; either way round."""
    assert why_another(ONE, other) == ""
    assert why_another(other, ONE) == ""


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(cluster("https://api.two", w1="198.51.100.1"), id="nodes of the same names"),
        pytest.param(cluster("https://api.two", x="192.0.2.1"), id="nodes of the same addresses"),
        pytest.param(cluster("https://127.0.0.1:4000", x="192.0.2.1"), id="a forwarded port"),
        pytest.param(cluster("not a [url", w1=""), id="no URL"),
        pytest.param(cluster("https://api.two"), id="no node"),
        pytest.param(cluster(""), id="nothing"),
    ],
)
def test_another_cluster(other: ClusterFacts) -> None:
    """Said with what both are."""
    why = why_another(ONE, other)
    assert "https://api.one:6443 (nodes w1, w2)" in why
    assert why.endswith("are not one cluster")
    assert why_another(other, ONE)


def test_two_kind_clusters_at_one_port_are_two() -> None:
    """The loopback address is that of whatever runs there now."""
    before = cluster("https://127.0.0.1:6443", six="192.0.2.1")
    assert why_another(before, cluster("https://127.0.0.1:6443", twin="192.0.2.1"))


def test_names_of_a_file_are_shown_harmlessly() -> None:
    """No character that a terminal obeys, and few of many nodes."""
    many = {f"w{n}": "" for n in range(9)}
    hostile = dataclasses.replace(cluster("x\x1b[2J\n", **many))
    why = why_another(ONE, hostile)
    assert why.isprintable()
    assert "w0, w1, w2 and 6 more" in why
