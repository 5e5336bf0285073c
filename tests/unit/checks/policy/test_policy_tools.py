"""Generated policies and policies of the user's own, against a cluster that is faked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from fixtures import policy
from fixtures.options import Settings
from fixtures.run import state
from sixproof.checks.policy import own
from sixproof.checks.policy.generated import Generated
from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.errors import UsageError, VerdictError
from sixproof.kube.api.client import Cluster
from sixproof.model import Expectation, Family, Flow, Observation, Outcome, Timing
from sixproof.policy import CALICO_3_31, Oracle
from sixproof.probes.connect.probe import ConnectProbe
from sixproof.workloads.policy import cases, files
from sixproof.workloads.policy import stand_ins as policy_stage
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.probe_pods.ports import POD_PORTS
from sixproof.workloads.probe_pods.probe_pod import PodOptions
from tests.unit.workloads.memory import MemoryCluster
from tests.unit.workloads.policy.policy_snapshot_sample import FACTS, HOMES, SCENE, WORLD

SETTINGS = cast(
    Settings, SimpleNamespace(seed=11, settle_timeout=0.2, deny_timeout=0.01, ready_timeout=1.0)
)


class FakedLab:
    """A policy checker in whose cluster nothing is enforced into ``shop`` over IPv6, while
    `broken`."""

    def __init__(self, *, broken: bool = True) -> None:
        self.policy_namespaces = SCENE
        self.around = SimpleNamespace(values=cases.values(SCENE, FACTS))
        self.stands: Sequence[Manifest] = ()
        self.broken = broken

    def flows(self, port_specs: object) -> Sequence[Flow]:
        """Some of the policy namespaces'."""
        assert port_specs == POD_PORTS
        return SCENE.flows(POD_PORTS, Family)

    def expected(self, policies: Sequence[Manifest], flows: Sequence[Flow]) -> dict[Flow, Any]:
        """What the oracle says."""
        oracle = Oracle.of(policies, WORLD, CALICO_3_31)
        return {flow: oracle.judge(flow).expectation() for flow in flows}

    def must_follow(self, title: str, policies: Sequence[Manifest], flows: Sequence[Flow]) -> None:
        """Fails where something leaks."""
        self.stands = policies
        expected = self.expected(policies, flows)
        if any(o.outcome not in expected[o.flow].outcomes for o in self.measure(flows)):
            raise VerdictError(f"{title}: wrong\n  class: Policy leak, IPv6-only failure")

    @contextlib.contextmanager
    def existing(self, policies: Sequence[Manifest]) -> Iterator[Callable[[], None]]:
        """Policies for a while."""

        def apply() -> None:
            self.stands = policies

        yield apply
        self.stands = ()

    def measure(self, flows: Sequence[Flow], _: object = None) -> list[Observation]:
        """What the faked cluster does."""
        wanted = self.expected(self.stands, flows)
        return [Observation(flow, self._outcome(flow, wanted[flow])) for flow in flows]

    def _outcome(self, flow: Flow, wanted: Expectation) -> Outcome:
        leaks = flow.family is Family.IPV6 and flow.destination.namespace == HOMES["shop"]
        return Outcome.ALLOWED if leaks and self.broken else min(wanted.outcomes)


def generated(policy_checker: FakedLab) -> Generated:
    """Generated policies in a faked policy checker."""
    return Generated(
        cast(PolicyChecker, policy_checker),
        cast(ConnectProbe, policy_checker),
        Timing(),
        11,
        calico=True,
    )


def test_a_set_that_disagrees_is_reported_in_its_smallest_form() -> None:
    with pytest.raises(VerdictError) as caught:
        generated(FakedLab()).must_hold(1)
    text = str(caught.value)
    assert "class: Policy leak, IPv6-only failure" in text
    assert "shrunk to 1 policy in" in text
    assert "nothing more can be left out" in text
    assert text.count("kind: NetworkPolicy") == 1
    assert "--six-generate 1 --six-seed 11 -k 'set-1]'" in text


def test_a_set_that_agrees_is_not_reported() -> None:
    generated(FakedLab(broken=False)).must_hold(1)


def test_a_set_that_agrees_when_tried_again_is_not_made_smaller() -> None:
    class Once(FakedLab):
        """Leaks in the first try only."""

        def must_follow(
            self, title: str, policies: Sequence[Manifest], flows: Sequence[Flow]
        ) -> None:
            """Fails, and works from then on."""
            try:
                super().must_follow(title, policies, flows)
            finally:
                self.broken = False

    with pytest.raises(VerdictError, match="agreed when it was tried again"):
        generated(Once()).must_hold(1)


POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns, namespace: prod}
spec:
  podSelector: {matchLabels: {app: web}}
  egress:
    - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
      ports: [{protocol: UDP, port: 53}, {port: https}]
"""


def test_policies_that_stand_in_namespaces_join_those_of_files(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    given = files.read(tmp_path)
    held = yaml.safe_load(POLICY.replace("dns", "web").replace("prod", "shop"))
    cluster = MemoryCluster()
    cluster.apply({"kind": "Namespace", "metadata": {"name": "shop"}})
    cluster.apply(held)
    found = own.with_standing(cast(Cluster, cluster), given, ("shop",))
    assert [p["metadata"]["name"] for p in found.policies] == ["dns", "web"]
    with pytest.raises(UsageError, match="--six-policies-of: there is no namespace blog"):
        own.with_standing(cast(Cluster, cluster), None, ("blog",))


def test_stand_ins_are_made_in_namespaces_of_the_run_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    given = files.read(tmp_path)
    stage = policy_stage.build(given, {})
    cluster = MemoryCluster()
    policy_namespaces = own.build(
        cast(Cluster, cluster), SCENE, stage, ("n1", "n2", "n3"), PodOptions("image"), Timing()
    )
    assert {p.name.split("/")[0] for p in policy_namespaces.pods} == {
        "prod",
        "kube-system",
        "(elsewhere)",
    }
    assert all(p.namespace.startswith("six-abc123-gw0-own") for p in policy_namespaces.pods)
    made = [m for (kind, _, _), m in cluster.objects.items() if kind == "Pod"]
    assert {m["metadata"]["namespace"] for m in made} <= set(policy_namespaces.homes.values())
    (container,) = made[0]["spec"]["containers"]
    assert "udp/53" in container["command"]
    assert [p["name"] for p in container["ports"]] == ["https"]
    sysctls = made[0]["spec"]["securityContext"]["sysctls"]
    assert {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"} in sysctls


def test_the_head_of_a_run_shows_what_was_read_of_the_users_files() -> None:
    """What is left alone and what is taken otherwise than written is said before anything runs."""
    assert _head({}) == []
    left = tuple(f"Pod p{i}" for i in range(7))
    given = files.Given(({},), {}, left, tuple(f"n{i}" for i in range(30)))
    stash: dict[Any, Any] = {
        policy.GIVEN: given,
        state.SETTINGS: SimpleNamespace(policies="dir"),
    }
    lines = _head(stash)
    assert lines[0] == "your policies: 1 in dir"
    assert lines[1] == f"left alone: {', '.join(left[:5])} and 2 more"
    assert lines[2:] == [f"note: n{i}" for i in range(20)]


def _head(stash: dict[Any, Any]) -> list[str]:
    return policy.pytest_report_header(cast("pytest.Config", SimpleNamespace(stash=stash)))
