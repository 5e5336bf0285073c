"""The user's own policies (--six-policies, --six-policies-of): tried on stand-ins, not in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.checks.recorder import Recorder
from sixproof.errors import NotAsked, UsageError
from sixproof.kube.api import json_fields, resources
from sixproof.kube.api.client import Cluster
from sixproof.kube.channel.agents import Agents
from sixproof.kube.facts import policies
from sixproof.model import Severity, Timing
from sixproof.policy import ClusterSnapshot, Node
from sixproof.workloads.policy import cases, files
from sixproof.workloads.policy import stand_ins as policy_stage
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.policy.files import Given
from sixproof.workloads.policy.policy_namespaces import POLICY_NAMESPACES, PolicyNamespaces
from sixproof.workloads.policy.stand_ins import STANDS_FOR, StandIns
from sixproof.workloads.probe_pods import deploy
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.placement import Placement
from sixproof.workloads.probe_pods.ports import PortSpec
from sixproof.workloads.probe_pods.probe_pod import (
    PodOptions,
    PodSpec,
    agent_config_map,
    namespace,
    pod,
)


@dataclasses.dataclass(frozen=True)
class OwnPolicies:
    """The user's policies as they are applied to the stand-ins."""

    policy_checker: PolicyChecker
    policies: tuple[Manifest, ...]
    port_specs: tuple[PortSpec, ...]

    def must_hold(self) -> None:
        """Apply them; the matrix must become what the oracle says of them, and be open again.

        Raises:
            VerdictError: it did not.
        """
        title = f"your {len(self.policies)} policies"
        flows = self.policy_checker.flows(self.port_specs)
        with self.policy_checker.applied(title, self.policies, flows):
            pass


def prepared(
    cluster: Cluster,
    checker: PolicyChecker,
    read: Given | None,
    namespaces: tuple[str, ...],
    agents: Agents,
    recorder: Recorder,
    nodes: Sequence[Node],
    options: PodOptions,
    timing: Timing,
) -> OwnPolicies:
    """The user's policies, `read` from files and those of `namespaces`, beside the stand-ins that
    are made for what they select. `nodes` are those of the cluster with every address of theirs.

    Raises:
        UsageError: a namespace is not there, or a policy cannot be tried.
        NotAsked: the cluster does not serve a kind of policy.
    """
    given, stage = staged(cluster, read, namespaces)
    calico = checker.around.profile.calico_api
    for finding in given.findings:  # elsewhere it is no matter of Calico's
        of_another = dataclasses.replace(finding, severity=Severity.WARNING, families=())
        recorder.finding(finding if calico else of_another)
    for api_version, kind in sorted({(p["apiVersion"], p["kind"]) for p in given.policies}):
        if not any(k.kind == kind for k in cluster.catalog.kinds(api_version)):
            raise NotAsked(f"this cluster does not serve {kind} of {api_version}")
    beside = checker.policy_namespaces
    covered = tuple(dict.fromkeys(h.node for h in beside.hosts))
    made = build(cluster, beside, stage, covered, options, timing)
    agents.open(made.pods)
    snapshot = ClusterSnapshot.of(
        {made.homes[h.name]: as_read(made.run, made, h.name, h.labels) for h in stage.homes},
        nodes=nodes,
        ports={(p.namespace, p.pod): stage.named for p in made.pods},
        endpoints=(*made.pods, *made.hosts),
    )
    existing = policies.existing(cluster, tuple(made.homes.values()))
    moved = checker.moved_to(made, snapshot, existing)
    return OwnPolicies(moved, on_stand_ins(given, made), stage.port_specs)


def staged(
    cluster: Cluster, read: Given | None, namespaces: tuple[str, ...]
) -> tuple[Given, StandIns]:
    """The user's policies, from files and namespaces, and the stand-ins for what they select.

    Raises:
        UsageError: a namespace is not there, or a policy cannot be tried.
    """
    given = with_standing(cluster, read, namespaces)
    return given, policy_stage.build(given, _known(cluster, given))


def on_stand_ins(given: Given, policy_namespaces: PolicyNamespaces) -> tuple[Manifest, ...]:
    """The policies as they are applied to policy namespaces of stand-ins."""
    applied = []
    for policy in map(policy_stage.translated, given.policies):
        policy["metadata"]["namespace"] = policy_namespaces.homes[policy["metadata"]["namespace"]]
        applied.append(cases.own(policy, policy_namespaces))
    return tuple(applied)


def with_standing(cluster: Cluster, read: Given | None, namespaces: tuple[str, ...]) -> Given:
    """What was read from files, and the policies that exist in these namespaces.

    Raises:
        UsageError: a namespace is not there, or a policy cannot be tried.
    """
    given = read or Given((), {})
    for name in namespaces:
        if cluster.find(resources.NAMESPACE, name) is None:
            raise UsageError(f"--six-policies-of: there is no namespace {name}")
    if namespaces:
        found = policies.of_namespaces(cluster, namespaces)
        try:
            there = files.existing(found, policies.tiers(cluster))
        except UsageError as error:
            raise UsageError(f"--six-policies-of {','.join(namespaces)}: {error}") from error
        given = dataclasses.replace(
            given,
            policies=(*given.policies, *there.policies),
            findings=(*given.findings, *there.findings),
        )
    return given


def _known(cluster: Cluster, given: Given) -> dict[str, dict[str, str]]:
    """The labels of the namespaces of the same names, where the cluster has them; Kubernetes' own
    are left out, among them those of Pod Security."""
    found = {}
    for name in sorted({files.home_of(p) for p in given.policies}):
        there = cluster.find(resources.NAMESPACE, name)
        labels = json_fields.labels(there) if there else {}
        found[name] = {k: v for k, v in labels.items() if "kubernetes.io/" not in k}
    return found


def as_read(
    run: Run, policy_namespaces: PolicyNamespaces, name: str, labels: policy_stage.Labels
) -> dict[str, str]:
    """The labels of a stand-in as the API server holds them."""
    home = policy_namespaces.homes[name]
    made: dict[str, str] = namespace(run, home.removeprefix(run.namespace("")))["metadata"][
        "labels"
    ]
    return {
        "kubernetes.io/metadata.name": home,
        **labels,
        **made,
        POLICY_NAMESPACES: policy_namespaces.id,
    }


def build(
    cluster: Cluster,
    beside: PolicyNamespaces,
    stage: StandIns,
    nodes: tuple[str, ...],
    options: PodOptions,
    timing: Timing,
) -> PolicyNamespaces:
    """Make the stand-ins and wait until their pods are ready."""
    run, serial = beside.run, f"{beside.serial}-own"
    homes = {h.name: run.namespace(f"{serial}{i}") for i, h in enumerate(stage.homes)}
    policy_namespaces = PolicyNamespaces(run, serial, homes, (), beside.hosts)
    made, pods = [], []
    for row, home in enumerate(stage.homes):
        manifest = namespace(run, f"{serial}{row}")
        manifest["metadata"]["labels"] = as_read(run, policy_namespaces, home.name, home.labels)
        made.append(manifest)
        for column, (name, labels) in enumerate(home.pods.items()):
            node = nodes[(row + column) % len(nodes)]
            existing = {STANDS_FOR: home.labels[STANDS_FOR]} if STANDS_FOR in home.labels else {}
            wanted = {POLICY_NAMESPACES: policy_namespaces.id, **existing, **labels}
            spec = PodSpec(name, homes[home.name], node, tuple(wanted.items()))
            pods.append(_serving(pod(run, spec, options), stage))
    plan = deploy.DeployPlan(
        namespaces=tuple(made),
        config_maps=tuple(agent_config_map(run, home) for home in homes.values()),
        pods=tuple(pods),
        pull_secret=options.pull_secret,
    )
    deploy.open_namespaces(cluster, plan)
    topology = deploy.fill(
        cluster, run, plan, Placement(()), timeout=timing.ready, progress=lambda _: None
    )
    called = {real: name for name, real in homes.items()}
    found = tuple(
        dataclasses.replace(p, name=f"{called[p.namespace]}/{p.pod}") for p in topology.pods
    )
    return dataclasses.replace(policy_namespaces, pods=found)


def _serving(manifest: Manifest, stage: StandIns) -> Manifest:
    """The pod with the stage's ports, low ones too (a safe sysctl, which "restricted" admits)."""
    spec = manifest["spec"]
    (container,) = spec["containers"]
    head = container["command"][: container["command"].index("serve") + 2]
    container["command"] = [*head, *map(str, stage.port_specs)]
    container["ports"] = [
        {"name": p.name, "containerPort": p.number, "protocol": p.protocol.value}
        for p in stage.named
    ]
    low = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
    spec["securityContext"].setdefault("sysctls", []).append(low)
    return manifest
