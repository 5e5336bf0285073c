"""What a run ran on, in the files that Allure reads."""

from __future__ import annotations

import dataclasses

import pytest

from sixproof.reporting.results.environment import environment, executor, properties
from tests.unit.reporting.samples import facts


def test_the_environment_names_what_a_result_depends_on() -> None:
    pairs = dict(
        environment(
            facts(),
            run_id="six-1",
            harness="0.1.0",
            image="python:3.12-slim",
            image_source="pull",
            context="staging",
            extra=[("BGP", "mesh")],
        )
    )
    assert pairs["Cluster"] == f"staging at {facts().server}"
    assert pairs["Kubernetes"] == "v1.37.0"
    assert pairs["CNI"] == "Calico v3.31.2"
    assert pairs["IPv6 encap"] == "VXLAN"
    assert pairs["Pod MTU"] == "1430"
    assert pairs["Ranges IPv6"] == "fd00:10:244::/56, fd00:10:96::/112"
    assert pairs["Nodes"] == "3: control-plane, worker, worker2"
    assert pairs["Node kernel"] == "6.18.5"
    assert pairs["Probe image"] == "python:3.12-slim (pull)"
    assert pairs["Run"] == "six-1"
    assert pairs["BGP"] == "mesh"


def test_what_is_not_known_is_left_out_and_never_empty() -> None:
    bare = dataclasses.replace(facts(), cni="", cni_version="", dataplane="", pod_mtu=None)
    pairs = dict(environment(bare, run_id="six-1", harness="0.1.0"))
    assert pairs["CNI"] == "unknown"
    assert pairs["Cluster"] == facts().server
    assert not {"Dataplane", "Pod MTU", "Probe image"} & set(pairs)


def test_of_many_nodes_the_first_are_named() -> None:
    (one, *_) = facts().nodes
    many = tuple(dataclasses.replace(one, name=f"n{i}") for i in range(100))
    said = dict(environment(dataclasses.replace(facts(), nodes=many), run_id="x", harness="0"))
    assert said["Nodes"].startswith("100: n0, n1,")
    assert said["Nodes"].endswith(", n29 and 70 more")


def test_a_cluster_that_was_not_reached_is_said_so() -> None:
    pairs = dict(environment(None, run_id="six-1", harness="0.1.0"))
    assert pairs["Cluster"] == "was not reached"


def test_properties_are_escaped() -> None:
    text = properties(
        [("Pod MTU", "1430"), ("a=b:c", "x\\y\nz"), ("Name", "w\u00f6rker \U0001f600")]
    )
    assert text == (
        "Pod\\ MTU = 1430\na\\=b\\:c = x\\\\y\\nz\nName = w\\u00f6rker \\ud83d\\ude00\n"
    )


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"name": "local", "type": "local", "buildName": "six-1"}),
        (
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_SERVER_URL": "https://git.example",
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_RUN_ID": "7",
                "GITHUB_RUN_NUMBER": "42",
                "GITHUB_WORKFLOW": "nightly",
            },
            {
                "name": "GitHub Actions",
                "type": "github",
                "buildName": "nightly six-1",
                "buildOrder": 42,
                "buildUrl": "https://git.example/o/r/actions/runs/7",
            },
        ),
        (
            {"GITLAB_CI": "1", "CI_JOB_NAME": "live", "CI_PIPELINE_IID": "3", "CI_JOB_URL": "u"},
            {
                "name": "GitLab CI",
                "type": "gitlab",
                "buildName": "live",
                "buildOrder": 3,
                "buildUrl": "u",
            },
        ),
        (
            {"BUILD_URL": "u", "JOB_NAME": "j", "BUILD_NUMBER": "5"},
            {
                "name": "Jenkins",
                "type": "jenkins",
                "buildName": "j",
                "buildOrder": 5,
                "buildUrl": "u",
            },
        ),
    ],
    ids=["local", "github", "gitlab", "jenkins"],
)
def test_the_executor_is_recognised_by_its_variables(
    environ: dict[str, str], expected: dict[str, object]
) -> None:
    assert executor(environ, run_id="six-1") == expected
