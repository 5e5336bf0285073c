"""Whether two runs were on one cluster: others have other faults, and compare with nothing."""

from __future__ import annotations

import ipaddress
import urllib.parse

from sixproof.kube.api.json_fields import one_line
from sixproof.model import ClusterFacts

NAMED = 3
"""Nodes that a sentence names."""


def why_another(before: ClusterFacts, after: ClusterFacts) -> str:
    """Why two runs were not on one cluster, "" where they were.

    They were where the API server is the same, or where nodes of the same name have an address in
    common. A server on the loopback address is a forwarded port, or that of a kind cluster, which
    is another one each time: there the names of nodes count alone.
    """
    shared = {node.name for node in before.nodes} & {node.name for node in after.nodes}
    local = _is_local(before.server) or _is_local(after.server)
    if before.server == after.server and not local:
        return ""
    if shared and (local or any(_meets(before, after, name) for name in shared)):
        return ""
    return f"{_said(before)} and {_said(after)} are not one cluster"


def _meets(before: ClusterFacts, after: ClusterFacts, name: str) -> bool:
    """Whether a node has an address in common with the one of that name in the other run."""
    return bool({*before.node(name).addresses} & {*after.node(name).addresses})


def _is_local(server: str) -> bool:
    """Whether an API server is dialled on the runner itself; what is no URL is not."""
    try:
        host = urllib.parse.urlsplit(server).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _said(facts: ClusterFacts) -> str:
    names = [one_line(node.name, 60) for node in facts.nodes]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    nodes = f"nodes {', '.join(names[:NAMED])}{more}" if names else "no node"
    return f"{one_line(facts.server or 'an API server without a name', 100)} ({nodes})"
