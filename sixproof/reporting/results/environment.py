"""What a run ran on: the environment and executor files of Allure, and the page's facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sixproof.model import ClusterFacts, Family

Pairs = tuple[tuple[str, str], ...]
_NAMED = 30
"""Nodes that are named."""


def environment(
    facts: ClusterFacts | None,
    *,
    run_id: str,
    harness: str,
    image: str = "",
    image_source: str = "",
    context: str = "",
    extra: Iterable[tuple[str, str]] = (),
) -> Pairs:
    """Name and value of what a result depends on, in the order in which a reader wants it.

    `image_source` is how probe images came to the nodes: ``pull`` or ``build``; `context` is that
    of the kubeconfig.
    """
    pairs = [("Cluster", "was not reached")]
    if facts is not None:
        named = f"{context} at {facts.server}" if context else facts.server
        pairs = [("Cluster", named), *_cluster(facts)]
    if image or image_source:
        pairs.append(("Probe image", " ".join(filter(None, (image, _bracket(image_source))))))
    pairs += [("sixproof", harness), ("Run", run_id)]
    return tuple((name, value) for name, value in (*pairs, *extra) if value)


def _cluster(facts: ClusterFacts) -> Iterable[tuple[str, str]]:
    cni = " ".join(filter(None, (facts.cni, facts.cni_version)))
    yield "Kubernetes", facts.version
    yield "CNI", cni or "unknown"
    yield "Dataplane", facts.dataplane
    for family, mode in facts.encapsulation:
        yield f"{family} encap", mode
    yield "Pod MTU", str(facts.pod_mtu or "")
    yield "kube-proxy mode", facts.kube_proxy_mode
    yield "Pod families", ", ".join(facts.families())
    yield "Service families", ", ".join(facts.service_families)
    for family in Family:
        ranges = [n for n in (*facts.pod_cidrs, *facts.service_cidrs) if Family.of(n) is family]
        yield f"Ranges {family}", ", ".join(str(network) for network in ranges)
    more = f" and {len(facts.nodes) - _NAMED} more" if len(facts.nodes) > _NAMED else ""
    named = ", ".join(node.name for node in facts.nodes[:_NAMED])
    yield "Nodes", f"{len(facts.nodes)}: {named}{more}"
    yield "Node system", _distinct(node.os_image for node in facts.nodes)
    yield "Node kernel", _distinct(node.kernel for node in facts.nodes)
    yield "Container runtime", _distinct(node.runtime for node in facts.nodes)
    yield from facts.extra


def executor(environ: Mapping[str, str], *, run_id: str) -> dict[str, object]:
    """Allure's executor.json: which CI ran this, and where, from its environment variables."""
    if environ.get("GITHUB_ACTIONS"):
        base = f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}"
        return {
            "name": "GitHub Actions",
            "type": "github",
            "buildName": f"{environ.get('GITHUB_WORKFLOW', '')} {run_id}".strip(),
            "buildOrder": int(environ.get("GITHUB_RUN_NUMBER") or 0),
            "buildUrl": f"{base}/actions/runs/{environ.get('GITHUB_RUN_ID', '')}",
        }
    if environ.get("GITLAB_CI"):
        return {
            "name": "GitLab CI",
            "type": "gitlab",
            "buildName": environ.get("CI_JOB_NAME", run_id),
            "buildOrder": int(environ.get("CI_PIPELINE_IID") or 0),
            "buildUrl": environ.get("CI_JOB_URL", ""),
        }
    if url := environ.get("BUILD_URL"):
        return {
            "name": "Jenkins",
            "type": "jenkins",
            "buildName": environ.get("JOB_NAME", run_id),
            "buildOrder": int(environ.get("BUILD_NUMBER") or 0),
            "buildUrl": url,
        }
    return {"name": "local", "type": "local", "buildName": run_id}


def properties(pairs: Iterable[tuple[str, str]]) -> str:
    """The text of environment.properties, escaped as java.util.Properties reads it."""
    return "".join(f"{_escaped(name, key=True)} = {_escaped(value)}\n" for name, value in pairs)


def _escaped(text: str, *, key: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    if key:
        for char in " :=":
            text = text.replace(char, f"\\{char}")
    return "".join(c if c.isascii() else _units(c) for c in text)


def _units(char: str) -> str:
    """A character as UTF-16 escapes, two of them beyond the basic plane."""
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _distinct(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(v for v in values if v))


def _bracket(text: str) -> str:
    return f"({text})" if text else ""
