"""Pods that ask for pools: what they name, and what becomes of those that are refused."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from sixproof.kube.api.client import Cluster
from sixproof.model import Family
from sixproof.workloads.pools.asking import ANNOTATION, REFUSED, AddressResult, refusals
from sixproof.workloads.pools.own_pool import Purpose
from sixproof.workloads.pools.pool_pods import PoolHome
from sixproof.workloads.probe_pods.probe_pod import PodOptions, node_of
from tests.unit.workloads.pools.pool_api import PoolApi
from tests.unit.workloads.pools.test_own_pool import RUN, drawn

POOLS = drawn()
HOME = "six-abc123-pools-gw0"


def opened(api: PoolApi, nodes: tuple[str, ...] = ("n1", "n2")) -> PoolHome:
    """The namespace of a process."""
    return PoolHome(cast(Cluster, api), RUN, "gw0", PodOptions("image"), nodes, timeout=0.2)


def pods(api: PoolApi) -> dict[str, Any]:
    """The pods that stand, by name."""
    return {name: one for (kind, _, name), one in api.objects.items() if kind == "Pod"}


def named(pod: dict[str, Any]) -> dict[Family, list[str]]:
    """The pools that a pod names."""
    notes = pod["metadata"].get("annotations", {})
    return {f: json.loads(notes[ANNOTATION[f]]) for f in Family if ANNOTATION[f] in notes}


def test_pods_name_the_pools_of_their_purpose() -> None:
    """One on each node for natOutgoing on, one for off, and one that names none."""
    api = PoolApi()
    made = opened(api).ask(POOLS)
    assert [p.name for p in made.masked] == ["masked@n1", "masked@n2"]
    assert [p.name for p in made.bare] == ["bare@n1"]
    assert made.of(Purpose.BARE) == made.bare
    assert [purpose for _, purpose in made.every] == [Purpose.MASKED] * 2 + [Purpose.BARE]
    found = pods(api)
    assert named(found["masked-n2"]) == {
        f: [f"six-abc123-pools-gw0-masked-{f.lower()}"] for f in Family
    }
    assert named(found["unasked-n1"]) == {}
    assert not any("calico" in note for note in found["unasked-n1"]["metadata"]["annotations"])
    assert node_of(found["masked-n2"]) == "n2"


def test_a_few_nodes_are_enough() -> None:
    """Of a large cluster three."""
    made = opened(PoolApi(), ("n1", "n2", "n3", "n4")).ask(POOLS)
    assert len(made.masked) == 3


def test_holders_take_a_block_of_the_segment_before_pods_that_ask_for_nothing() -> None:
    """On both nodes."""
    api = PoolApi()
    made = opened(api, ("n2", "n1")).segment(POOLS)
    assert (made.inside.node, made.elsewhere.node) == ("n1", "n2")
    assert [h.node for h in made.holders] == ["n1", "n2"]
    order = [line for line in api.log if line.startswith("apply Pod")]
    assert [line.split()[-1].split("-")[0] for line in order] == ["holder"] * 2 + ["plain"] * 2
    assert named(pods(api)["plain-n1"]) == {}


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("why", REFUSED)
def test_who_is_to_be_refused_names_a_pool_that_serves_nobody(family: Family, why: str) -> None:
    """In the other family it names one that it would get; the reason is known by name or range."""
    api = PoolApi()
    home = opened(api)
    refusal = home.refuse(POOLS, family, why)
    (pod,) = pods(api).values()
    asked = named(pod)
    assert asked[family.other] == [f"six-abc123-pools-gw0-masked-{family.other.lower()}"]
    (name,) = asked[family]
    disabled = next(p for p in POOLS if (p.purpose, p.family) == (Purpose.DISABLED, family))
    assert (name == disabled.name) is (why == "disabled")
    assert refusal.words[0] == name
    if why == "disabled":
        assert str(disabled.cidr) in refusal.words
    else:
        assert name not in {p.name for p in POOLS}
    assert len(home.result(refusal).addresses) == 2  # this cluster gives everybody some
    assert pods(api) == {}


def test_what_becomes_of_a_refused_pod_is_calicos_reason() -> None:
    """As kubelet reported on the bed, for a pool that did not exist."""
    api = PoolApi()
    home = opened(api)
    refusal = home.refuse(POOLS, Family.IPV6, "missing")
    name, wanted = refusal.asking.name, refusal.words[0]
    pod = pods(api)[name]
    pod["status"] = {"phase": "Pending"}
    assert home.result(refusal) == AddressResult((), "the pod is Pending; no events")
    api.objects["Pod", HOME, name] = pod
    api.objects["Event", HOME, "e"] = {
        "involvedObject": {"name": name},
        "type": "Warning",
        "reason": "FailedCreatePodSandBox",
        "message": (
            'Failed to create pod sandbox: plugin type="calico" failed (add): error parsing pool '
            f'"{wanted}": invalid CIDR address: {wanted}'
        ),
    }
    result = home.result(refusal)
    assert result.addresses == ()
    assert result.reason.startswith(f'no network: Calico says: error parsing pool "{wanted}"')


def test_all_pods_of_the_namespace_go_with_the_process() -> None:
    """Before its pools."""
    api = PoolApi()
    home = opened(api)
    home.ask(POOLS)
    home.close()
    assert pods(api) == {}


def test_refusals_are_known_by_their_reason() -> None:
    """Both."""
    assert set(refusals(POOLS, Family.IPV4, HOME, "n1")) == set(REFUSED)
