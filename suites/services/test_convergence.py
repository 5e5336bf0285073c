"""Services follow their backends: every change shows soon, in each family, on every node.

Each test first finds the service as it was, makes one change, and measures how long every client
takes to meet what is so from then on. The times are in the report, by family.
"""

from __future__ import annotations

import pytest

from fixtures.dialling import Dialling
from sixproof.model import Endpoint, Family, Protocol
from sixproof.workloads.probe_pods.lanes import Lane
from sixproof.workloads.services.bench import Bench

pytestmark = [pytest.mark.feature("Pod-to-service"), pytest.mark.covers("S3")]

Clients = tuple[Endpoint, ...]
UDP = (Lane(Protocol.UDP, 80),)


@pytest.mark.story("convergence")
def test_a_new_service_answers(bench: Bench, clients: Clients, dialling: Dialling) -> None:
    """A service that was created a moment ago reaches its backends."""
    bench.stage(*bench.reserve[:2])
    dialling.must_converge(bench.open(), clients)


@pytest.mark.story("convergence")
def test_an_added_endpoint_is_reached(
    bench_of_one: Bench, clients: Clients, dialling: Dialling
) -> None:
    """A backend that joins gets its share, from every node."""
    dialling.must_converge(bench_of_one.put(bench_of_one.reserve[1]), clients)


@pytest.mark.story("convergence")
def test_a_removed_endpoint_is_left_alone(
    bench_of_two: Bench, clients: Clients, dialling: Dialling
) -> None:
    """A backend that leaves gets no connection any more, though it would still answer."""
    dialling.must_converge(bench_of_two.take(bench_of_two.reserve[0]), clients)


@pytest.mark.story("convergence")
def test_an_unready_endpoint_is_left_alone(
    bench_of_two: Bench, clients: Clients, dialling: Dialling
) -> None:
    """A backend that becomes unready gets no connection any more, though it would still answer."""
    dialling.must_converge(bench_of_two.unready(bench_of_two.reserve[0]), clients)


@pytest.mark.story("convergence")
def test_a_deleted_endpoint_fails_nobody(
    bench_of_one: Bench, doomed: Endpoint, clients: Clients, dialling: Dialling
) -> None:
    """Once a backend's pod is deleted, every connection reaches those that are left."""
    bench_of_one.stage(doomed)
    dialling.must_converge(bench_of_one.delete(doomed), clients)


@pytest.mark.story("convergence")
def test_without_its_last_endpoint_a_service_refuses(
    bench_of_one: Bench, fourth_clients: Clients, dialling: Dialling
) -> None:
    """When the last backend leaves, clients are refused and not left in silence."""
    dialling.must_converge(bench_of_one.take(bench_of_one.reserve[0]), fourth_clients)


@pytest.mark.story("convergence")
def test_a_service_made_again_at_the_same_address_reaches_its_new_backends(
    bench_of_one: Bench, clients: Clients, dialling: Dialling
) -> None:
    """Deleted and created again at its old clusterIPs, a service leads nowhere else than before
    its own creation: to the backends that it selects now."""
    dialling.must_converge(bench_of_one.recreate(bench_of_one.reserve[1]), clients)


@pytest.mark.story("convergence")
def test_udp_from_a_port_in_use_reaches_the_backend_that_replaced_another(
    bench_of_one: Bench, clients: Clients, dialling: Dialling
) -> None:
    """A UDP client that keeps its source port follows its service to the new backend.

    Why: connection tracking keeps the translation of a UDP flow as long as packets come; kube-proxy
    must remove the entry, in the table of each family.
    """
    old, new = bench_of_one.reserve[:2]
    change = bench_of_one.replace(old, new)
    port = bench_of_one.source_port
    dialling.must_converge(change, clients, source_port=port, lanes=UDP)


@pytest.mark.story("convergence")
def test_a_second_family_is_served_beside_the_first(
    ip_family: Family, bench: Bench, clients: Clients, dialling: Dialling
) -> None:
    """A single-stack service that is given the other family serves both (KEP-563)."""
    bench.stage(bench.reserve[0])
    bench.open(ipFamilyPolicy="SingleStack", ipFamilies=[ip_family.value]).make()
    dialling.must_converge(bench.grow(), clients)
