"""What a fault must leave alone: beside the tests that notice it the others pass, and neither a
family nor a node is accused that it does not reach."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from pathlib import Path

import pytest

import testbed
from sixproof.model import Family, Outcome
from sixproof.reporting.diagnosis.verdicts import verdicts
from tests.faults.conftest import CaseOutcome, SuiteRun, faults, named_by, run_suites, touches

pytestmark = [pytest.mark.bed, pytest.mark.usefixtures("mended")]

PODS, NODES = "suites/pods/test_reachability.py", "suites/nodes/test_reachability.py"
SERVICES, DNS = "suites/services", "suites/dns"
ACROSS = f"{PODS}::test_pods_reach_pods_on_other_nodes"
OWN_NODE = f"{PODS}::test_pods_reach_pods_on_their_own_node"
ITSELF = f"{PODS}::test_a_pod_reaches_itself_by_its_own_address"
NODE_TO_NODE = f"{NODES}::test_nodes_reach_nodes"
POD_TO_NODE = f"{NODES}::test_pods_reach_other_nodes"
NODE_TO_SERVICE = f"{NODES}::test_nodes_reach_cluster_ips"
NEW_SERVICES = f"{SERVICES}/test_families.py::test_every_service_answers_in_each_family_it_has"
NODE_PORTS = (
    f"{SERVICES}/test_node_ports.py::test_a_node_port_answers_on_every_address_of_every_node"
)
API_SERVER = f"{SERVICES}/test_kubernetes_api.py::test_the_api_answers_at_kubernetes_default"
OLD_NAME = f"{DNS}/test_transports.py::test_pods_reach_the_dns_service"
EVERY_REPLICA = f"{DNS}/test_transports.py::test_pods_reach_every_dns_pod"
NEW_NAMES = f"{DNS}/test_records.py::test_a_service_name_has_exactly_its_cluster_ips"
FULL_SIZE = "suites/mtu/test_path.py::test_the_first_full_size_packet_passes"
A_POLICY = (
    "suites/policy/test_kubernetes.py::test_policies_isolate_the_pods_that_they_select"
    "[01-ingress-absent]"
)
ADDRESSES = (
    "suites/calico/test_addresses.py::test_api_server_calico_and_ipam_agree_about_pod_addresses"
)


@dataclasses.dataclass(frozen=True)
class Beside:
    """A fault, the tests that notice it, and tests that it must not touch.

    Of those in `notice` some fail: all, or those whose parameters begin as in ``...[IPv6``. All
    others pass. NODE stands for the node, DNS for the replica. `families` are those that may be
    accused, `never` are outcomes that no cell may have come to. A fault of `pods` needs a probe pod
    and comes once they are ready.
    """

    inject: str
    notice: tuple[str, ...]
    silent: tuple[str, ...]
    families: tuple[Family, ...] = tuple(Family)
    never: tuple[Outcome, ...] = ()
    pods: bool = False

    @property
    def tests(self) -> tuple[str, ...]:
        """What is run."""
        return (*(test.partition("[")[0] for test in self.notice), *self.silent)


SIX = (Family.IPV6,)
CASES = (
    Beside("R1 --node NODE", (NEW_SERVICES,), (ACROSS, API_SERVER, OLD_NAME, FULL_SIZE)),
    Beside(
        "R2 --node NODE", (f"{ACROSS}[IPv6",), (OWN_NODE, ITSELF, NODE_TO_NODE, POD_TO_NODE), SIX
    ),
    Beside("R3 --node NODE", (NODE_TO_NODE, POD_TO_NODE), (ACROSS, NODE_PORTS), SIX, pods=True),
    Beside("R4 --pod DNS", (NEW_NAMES,), (ACROSS, API_SERVER, OLD_NAME)),
    Beside("R5", (f"{NEW_NAMES}[IPv6",), (ACROSS, A_POLICY, FULL_SIZE), SIX),
    Beside("R6 --node NODE", (f"{ADDRESSES}[IPv6",), (ACROSS, OWN_NODE, EVERY_REPLICA), SIX),
    Beside("R7 --peer NODE", (ACROSS,), (OWN_NODE, ITSELF, NODE_TO_NODE)),
    Beside("R8", (NODE_PORTS,), (NEW_SERVICES, NODE_TO_SERVICE), SIX),
    Beside("R9 --node NODE", (f"{ACROSS}[IPv6",), (OWN_NODE, NODE_TO_NODE, POD_TO_NODE), SIX),
    # By chance all copies of a question may go to the replica that nobody reaches.
    Beside(
        "R10 --pod DNS", (EVERY_REPLICA, NEW_NAMES), (ACROSS, OWN_NODE), never=(Outcome.DNS_FAILED,)
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.inject.split()[0])
def test_what_a_fault_does_not_reach_passes_and_is_not_accused(
    tmp_path: Path,
    bed: testbed.Bed,
    workers: tuple[str, str],
    replica: tuple[str, str],
    case: Beside,
) -> None:
    """Only tests that notice it fail; wrong cells have the node as an end, and are of its families
    alone."""
    pod, home = replica
    node = home if "DNS" in case.inject else workers[0]
    words = case.inject.replace("NODE", node).replace("DNS", pod)
    if case.pods:
        suite_run = run_suites(tmp_path, *case.tests, breaking=words, node=node)
    else:
        faults("inject", *words.split())
        suite_run = run_suites(tmp_path, *case.tests)
    assert_others_pass(suite_run, case)
    wrong = [d.observation for m in suite_run.results.matrices for d in m.disagreements()]
    assert {o.flow.family for o in wrong} <= set(case.families)
    assert not {o.outcome for o in wrong} & set(case.never)
    if "NODE" in case.inject:
        assert all(touches(o, node) for o in wrong), sorted({str(o.flow) for o in wrong})[:5]
    somewhere = "NODE" in case.inject or "DNS" in case.inject
    spared = [name for name in bed.node_names if name != node or not somewhere]
    assert_accuses_nobody_else(suite_run, case.families, spared)


def assert_others_pass(suite_run: SuiteRun, case: Beside) -> None:
    """A test that notices the fault fails, and of every other one some case passed and none
    failed."""
    noticing = tuple(named_by(test) for test in case.notice)
    assert suite_run.cases(CaseOutcome.BROKEN) == (), suite_run.output[-3000:]
    bad = {named_by(c.nodeid) for c in suite_run.results.cases if c.outcome.bad}
    assert bad, suite_run.output[-3000:]
    others = {name for name in bad if not name.startswith(noticing)}
    assert others == set(), f"{sorted(others)}\n{suite_run.output[-3000:]}"
    whole = {name for name in noticing if "[" not in name}
    wanted = {named_by(test).partition("[")[0] for test in case.tests} - whole
    green = {n.partition("[")[0] for n in suite_run.green() if not n.startswith(noticing)}
    assert wanted <= green, sorted(wanted - green)


def assert_accuses_nobody_else(
    suite_run: SuiteRun, families: Collection[Family], spared: Collection[str]
) -> None:
    """Every conclusion has a cause. None names another family on its first screen, or has one of
    these nodes as its place; of two families neither is accused alone."""
    accused = {v.family for v in verdicts(suite_run.results) if v.accused}
    assert accused <= set(families), suite_run.output[-3000:]
    assert len(families) == 1 or len(accused) != 1, suite_run.output[-3000:]
    for one in suite_run.conclusions.every:
        assert one.known, one.headline
        assert not [f for f in Family if f not in families and f in one.first_screen]
        for cause in one.causes:
            named = [n for n in spared if re.search(rf"\b{re.escape(n)}\b", cause.place)]
            assert not named, cause.sentence
