"""Which pods a pool serves without being asked: its selectors as Calico's IPAM reads them."""

from __future__ import annotations

from collections.abc import Mapping

from sixproof.calico.pools import Pool
from sixproof.errors import NotAsked
from sixproof.model import Endpoint
from sixproof.policy.calico.selector_text import parse_selector

Labelled = Mapping[str, Mapping[str, str]]
"""Labels of objects, by their names."""
_ALL = ("", "all()")


def chooses(pool: Pool) -> bool:
    """Whether there may be pods that it does not serve."""
    selectors = (pool.node_selector, pool.namespace_selector)
    return pool.manual or any(s.strip() not in _ALL for s in selectors)


def passed_over(pool: Pool, pod: Endpoint, nodes: Labelled, namespaces: Labelled) -> str:
    """Why a pod that names no pool cannot have got an address of this one, "" where it can.

    What is not known of a node or a namespace is held against nobody.

    Raises:
        NotAsked: a selector cannot be read.
    """
    if pool.manual:
        return f"IPPool {pool.name} is Manual: it serves pods that name it, and this one names none"
    for what, selector, name, known in (
        ("nodeSelector", pool.node_selector, pod.node, nodes),
        ("namespaceSelector", pool.namespace_selector, pod.namespace, namespaces),
    ):
        if name in known and not matches(selector, known[name]):
            return f"the {what} of IPPool {pool.name} ({selector}) does not select {name}"
    return ""


def matches(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether a pool's selector matches labels.

    Raises:
        NotAsked: it cannot be read.
    """
    try:
        return parse_selector(selector).matches(labels)
    except ValueError as error:
        raise NotAsked(f"the selector {selector!r} of an IPPool cannot be read: {error}") from error
