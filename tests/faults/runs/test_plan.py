"""The plan of a run against the run: all that it makes is planned, the printed rules suffice."""

from __future__ import annotations

import base64
import contextlib
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.config import new_client_from_config
from urllib3.exceptions import HTTPError

import testbed
from sixproof.errors import ApiError
from sixproof.kube.api import json_fields, resources, wait
from sixproof.kube.api.client import Cluster
from sixproof.kube.api.resources import Kind
from sixproof.kube.runs import ownership
from tests.faults.injection import finished

pytestmark = pytest.mark.bed

Thing = tuple[str, str, str, str]
"""Kind, namespace and name without what differs from run to run, and what a pod may."""

_NAMESPACED = (
    *(
        resources.POD,
        resources.SERVICE,
        resources.CONFIG_MAP,
        resources.SECRET,
        resources.SERVICE_ACCOUNT,
    ),
    *(resources.ENDPOINT_SLICE, resources.NETWORK_POLICY, resources.LEASE),
)
_COPIES = ("knp.default.", "kanp.", "kbanp.")
_CONTROLLER = "endpointslice.kubernetes.io/managed-by"
ALWAYS = ("Namespace", "Pod")
"""What is planned and no run makes would be noise in a review. Of other kinds, a run makes some
that it needs only when something is late."""
LONGEST = 2400
"""Seconds that a run of everything may take on a busy machine."""
WATCHED = 10
"""Seconds that one watch lasts."""


def without_chance(text: str) -> str:
    """A name without run, process, random part and number."""
    text = re.sub(r"six-[0-9a-f]{6}-", "six-RUN-", text)
    text = re.sub(r"[0-9a-f]{6}-(gw\d+|master)", "RUN-PROCESS", text)
    text = re.sub(r"gw\d+|master", "PROCESS", text)
    return re.sub(r"\d+", "N", re.sub(r"[0-9a-f]{4,}", "X", text))


def thing(manifest: dict[str, Any]) -> Thing:
    """What of an object is the same in every run."""
    may = ""
    if manifest["kind"] == "Pod":
        spec = manifest["spec"]
        (container,) = spec["containers"]
        added = container["securityContext"]["capabilities"].get("add", [])
        ports = [p["hostPort"] for p in container["ports"] if p.get("hostPort")]
        host = bool(spec.get("hostNetwork"))
        may = f"{added} host network {host} {'' if host else ports}"
    if manifest["kind"] == "Namespace":
        may = json_fields.labels(manifest)["pod-security.kubernetes.io/enforce"]
    name, home = json_fields.name(manifest), json_fields.namespace(manifest)
    return manifest["kind"], without_chance(home), without_chance(name), may


class Watcher:
    """Watches all objects of runs until it is closed: what exists for a moment only is seen, too.

    A thread per kind; each watch lasts `WATCHED` seconds and goes on from the last event."""

    def __init__(self, cluster: Cluster, bed: testbed.Bed) -> None:
        self._over = threading.Event()
        self.seen: set[Thing] = set()
        kinds = [resources.NAMESPACE, *_NAMESPACED, *_policies(cluster)]
        self._client = dynamic.DynamicClient(  # type: ignore[no-untyped-call]
            new_client_from_config(str(bed.kubeconfig), bed.context)  # type: ignore[no-untyped-call]
        )
        self._threads = [
            threading.Thread(target=self._watch, args=(kind,), daemon=True) for kind in kinds
        ]

    def __enter__(self) -> Watcher:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(3 * WATCHED)
            assert not thread.is_alive()

    def _watch(self, kind: Kind) -> None:
        resource = self._client.resources.get(api_version=kind.api_version, kind=kind.kind)
        version = None
        while not self._over.is_set():
            watcher = watch.Watch()  # type: ignore[no-untyped-call]
            try:
                for event in resource.watch(
                    label_selector=ownership.selector(),
                    resource_version=version,
                    timeout=WATCHED,
                    watcher=watcher,
                ):
                    self._see(event["raw_object"])
                version = watcher.resource_version or version
            except (ApiException, HTTPError):  # too old or too busy: from the beginning
                version = None
                self._over.wait(0.3)

    def _see(self, found: dict[str, Any]) -> None:
        if _CONTROLLER in json_fields.labels(found) and json_fields.at(
            found, "metadata", "ownerReferences"
        ):
            return  # the endpoint slice controller's, with the labels of our service
        if not json_fields.name(found).startswith(_COPIES):
            self.seen.add(thing(found))


def _policies(cluster: Cluster) -> Iterator[Kind]:
    groups = cluster.catalog.groups()
    for group in ("projectcalico.org", "policy.networking.k8s.io"):
        for version in groups.get(group, ())[:1]:
            for kind in cluster.catalog.kinds(f"{group}/{version}"):
                if {"list", "create", "watch"} <= set(kind.verbs):
                    yield kind


def pytest_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest, as a user makes it."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return finished(command, timeout=LONGEST)


@pytest.mark.parametrize(
    "chosen",
    [
        ("suites/pods",),
        ("suites/mtu/test_crafted.py", "--six-raw", "on"),
        ("suites/policy/test_generated.py", "--six-generate", "5"),
        ("suites",),
    ],
    ids=["pods", "raw", "generated", "everything"],
)
@pytest.mark.timeout(LONGEST + 300)
def test_a_run_makes_what_is_planned_with_the_rules_that_are_printed(
    cluster: Cluster, bed: testbed.Bed, tmp_path: Path, chosen: tuple[str, ...]
) -> None:
    """Kind, namespace, name and rights of everything that a run has on the cluster are planned, and
    an account with the plan's rules, and none besides, can run it."""
    arguments = (*chosen, "-n", "2", "--six-provider", "kind")
    plan = pytest_run(*arguments, "--six-plan")
    assert plan.returncode == 0, plan.stdout[-2000:] + plan.stderr
    objects = [o for o in yaml.safe_load_all(plan.stdout) if o]
    planned = {thing(o) for o in objects if o["kind"] != "ClusterRole"}
    (role,) = [o for o in objects if o["kind"] == "ClusterRole"]
    with account(cluster, bed, role, tmp_path) as kubeconfig:
        with Cluster.connect(kubeconfig) as limited, pytest.raises(ApiError, match="403"):
            # It is the account, not the administrator.
            limited.get(resources.SECRET, "bootstrap", "kube-system")
        wait_for_none(cluster)
        with Watcher(cluster, bed) as watcher:
            reports = ("--six-report-dir", str(tmp_path / "reports"))
            run = pytest_run(*arguments, "--six-kubeconfig", str(kubeconfig), *reports)
    assert run.returncode == 0, run.stdout[-5000:]
    assert "not allowed" not in run.stdout
    assert len(watcher.seen) > 10
    assert sorted(watcher.seen - planned) == []
    assert sorted(t for t in planned - watcher.seen if t[0] in ALWAYS) == []


def wait_for_none(cluster: Cluster) -> None:
    """Wait until the namespaces of earlier runs are gone, which the cluster removes."""
    gone = wait.until(
        lambda: cluster.list(resources.NAMESPACE, labels=ownership.selector()),
        lambda held: not held,
        timeout=60,
    )
    assert not gone.value, [json_fields.name(space) for space in gone.value]


@contextlib.contextmanager
def account(
    cluster: Cluster, bed: testbed.Bed, role: dict[str, Any], folder: Path
) -> Iterator[Path]:
    """The kubeconfig of an account with the rules of this ClusterRole alone."""
    name = f"six-plan-{uuid.uuid4().hex[:6]}"
    role["metadata"]["name"] = name
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    called = {"name": name, "namespace": "default"}
    core = {"apiVersion": "v1", "metadata": called}
    token = {
        **core,
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {**called, "annotations": {"kubernetes.io/service-account.name": name}},
    }
    made = [
        {**core, "kind": "ServiceAccount"},
        role,
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [subject],
        },
        token,
    ]
    try:
        for manifest in made:
            cluster.apply(manifest)
        filled = wait.until(
            lambda: json_fields.text(
                cluster.get(resources.SECRET, name, "default"), "data", "token"
            ),
            bool,
            timeout=30,
        )
        config = yaml.safe_load(bed.kubeconfig.read_text(encoding="utf-8"))
        for user in config["users"]:
            user["user"] = {"token": base64.b64decode(filled.value).decode()}
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        yield path
    finally:
        for manifest in reversed(made):
            cluster.delete(*cluster.catalog.place(manifest))
