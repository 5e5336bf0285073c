"""Permissions: every verb is asked for, and the plan holds each of them."""

from __future__ import annotations

import pytest
import yaml

from sixproof.errors import ApiError
from sixproof.kube.api.client import Cluster
from sixproof.kube.facts import permissions
from sixproof.kube.facts.permissions import Need
from tests.unit.kube.server import FakeApi, Reply, Seen, refused

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def test_refused_verbs_are_missing(cluster: Cluster, api: FakeApi) -> None:
    def respond(seen: Seen) -> Reply:
        asked = seen.body["spec"]["resourceAttributes"]
        refusal = (asked["resource"], asked["subresource"], asked["verb"]) in {
            ("pods", "exec", "create"),
            ("daemonsets", "", "list"),
            ("daemonsets", "", "get"),
        }
        return Reply({"status": {"allowed": not refusal}})

    api.compute("POST", REVIEWS, respond)
    found = permissions.check(cluster, calico_api=False)
    assert {str(n): n.required for n in found.missing} == {
        "create pods/exec": True,
        "get/list daemonsets.apps": False,
    }
    asked = len(api.requests("POST", REVIEWS))
    assert asked == sum(len(n.verbs) for n in permissions.NEEDS)


def test_calico_is_asked_for_only_where_it_is_served() -> None:
    groups = {n.group for n in permissions.needs(calico_api=False)}
    assert "projectcalico.org" not in groups
    assert "projectcalico.org" in {n.group for n in permissions.needs(calico_api=True)}


def test_api_server_that_does_not_answer_such_questions(cluster: Cluster, api: FakeApi) -> None:
    api.on("POST", REVIEWS, refused(403, "Forbidden", "no reviews"))
    found = permissions.check(cluster, calico_api=False)
    assert "no reviews" in found.unknown
    assert found.missing == ()
    api.on("POST", REVIEWS, Reply(hang_up=True))
    with pytest.raises(ApiError, match="no answer"):
        permissions.check(cluster, calico_api=False)


def test_plan_grants_exactly_the_needs() -> None:
    wanted = permissions.needs(calico_api=True)
    role = yaml.safe_load(permissions.rbac(wanted))
    granted = [Need(tuple(r["verbs"]), r["resources"][0], r["apiGroups"][0]) for r in role["rules"]]
    assert role["kind"] == "ClusterRole"
    assert [(n.verbs, n.resource, n.group) for n in granted] == [
        (n.verbs, n.resource, n.group) for n in wanted
    ]
    assert all(need.purpose for need in wanted)


def test_exec_is_wanted_both_ways() -> None:
    """Kubernetes 1.35 asks for `create` on pods/exec over a websocket, before that for `get`."""
    [need] = [n for n in permissions.NEEDS if n.resource == "pods/exec"]
    assert set(need.verbs) == {"get", "create"}
