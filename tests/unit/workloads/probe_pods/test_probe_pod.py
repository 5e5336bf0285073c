"""The probe pod: it is ready when it listens, and it alone is given the run's key."""

from __future__ import annotations

import base64
import json

from sixproof import records
from sixproof.agent.wire import Seal
from sixproof.workloads.probe_pods import probe_pod
from sixproof.workloads.probe_pods.identity import Run
from sixproof.workloads.probe_pods.ports import HOST_AGENT_PORTS
from sixproof.workloads.probe_pods.probe_pod import PodOptions, PodSpec
from sixproof.workloads.probe_pods.topology import ProbeTopology
from sixproof.workloads.services.shared_services import HOST_PORT

RUN = Run.new()
POD = probe_pod.pod(RUN, PodSpec("p", "ns", "node"), PodOptions("image"))


def test_a_pod_is_ready_once_its_agent_listens() -> None:
    """A hook in the container, once: nothing that comes again, and nothing over the network."""
    (container,) = POD["spec"]["containers"]
    hook = container["lifecycle"]["postStart"]["exec"]["command"]

    assert hook == [*probe_pod.BRIDGE, "listens"]
    assert not [name for name in container if name.endswith("Probe")]


def test_the_key_comes_by_a_secret_of_the_run() -> None:
    """Into the folder of the agent's files; neither the ConfigMap nor the pod holds it."""
    secret = probe_pod.key_secret(RUN, "ns")
    (agent,) = (v for v in POD["spec"]["volumes"] if v["name"] == "agent")

    assert base64.b64decode(secret["data"]["key"]).decode() == RUN.key
    assert secret["metadata"]["labels"] == RUN.labels
    assert secret["metadata"]["name"] in [
        source["secret"]["name"] for source in agent["projected"]["sources"] if "secret" in source
    ]
    assert RUN.key not in json.dumps([POD, probe_pod.agent_config_map(RUN, "ns")])


def test_workers_share_the_key_and_no_message_shows_it() -> None:
    """It travels with the probe topology; what a failing test prints of one does not hold it."""
    shipped = json.dumps(records.to_json(ProbeTopology(RUN, (), ())))
    topology = records.from_json(ProbeTopology, json.loads(shipped))

    assert topology.run == RUN
    assert topology.run.seal.mark == Seal(RUN.key.encode()).mark != Run.new().seal.mark
    assert RUN.key not in repr(topology)


def test_a_run_has_a_key_that_fits() -> None:
    """BLAKE2s takes 32 bytes at most (RFC 7693 section 2.1)."""
    assert 16 <= len(RUN.key.encode()) <= 32


def test_ports_on_a_node_are_apart_from_those_that_nodes_hand_out() -> None:
    """NodePorts begin at 30000; any from 32768 on may be in use by a connection of the node."""
    ports = [*(spec.port for spec in HOST_AGENT_PORTS), HOST_PORT]
    assert all(1024 < port < 30000 for port in ports if port is not None)
    assert HOST_PORT not in {spec.port for spec in HOST_AGENT_PORTS}
