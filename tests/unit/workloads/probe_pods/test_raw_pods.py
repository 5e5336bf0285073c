"""Raw pods: one capability more than the others, and nothing else."""

from __future__ import annotations

from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.probe_pod import PodOptions, PodSpec, namespace, pod

RUN = Run("abc")


def made(capability: str) -> tuple[dict[str, object], dict[str, object]]:
    """The pod's and the container's securityContext."""
    spec = pod(RUN, PodSpec("p", "ns", "node", capability=capability), PodOptions("image"))["spec"]
    assert spec["automountServiceAccountToken"] is False
    return spec["securityContext"], spec["containers"][0]["securityContext"]


def test_a_raw_pod_has_net_raw_alone() -> None:
    """All is dropped, NET_RAW is added, and nothing may be gained later."""
    person, container = made(capability="NET_RAW")
    assert container["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert container["allowPrivilegeEscalation"] is False
    assert container["readOnlyRootFilesystem"] is True
    assert person["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (person["runAsUser"], person["runAsNonRoot"]) == (0, False)


def test_any_other_pod_has_none() -> None:
    """Nobody, without a capability."""
    person, container = made(capability="")
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert (person["runAsUser"], person["runAsNonRoot"]) == (65534, True)


def test_only_their_namespace_is_privileged() -> None:
    """The level is the namespace's own."""
    label = "pod-security.kubernetes.io/enforce"
    assert namespace(RUN, "raw-gw0", "privileged")["metadata"]["labels"][label] == "privileged"
    assert namespace(RUN, "a")["metadata"]["labels"][label] == "restricted"
