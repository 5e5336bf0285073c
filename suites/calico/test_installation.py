"""The cluster is as the Tigera operator's Installation, or calico-node's environment, asks for."""

from __future__ import annotations

import pytest

from sixproof.checks.calico.address_checks import AddressChecks
from sixproof.checks.calico.installation_checks import InstallationChecks
from sixproof.model import Family

pytestmark = [pytest.mark.feature("Calico"), pytest.mark.story("installation")]


@pytest.mark.covers("I1")
def test_every_component_of_the_operator_is_available(
    installation_checks: InstallationChecks,
) -> None:
    """Every TigeraStatus is Available and not Degraded.

    Why: if a component cannot be updated, its earlier state keeps running, and pods are Ready.
    """
    installation_checks.must_be_available()


@pytest.mark.covers("I1", "L1")
def test_ip_pools_are_those_of_the_installation(installation_checks: InstallationChecks) -> None:
    """Every pool that the Installation names is an IPPool with the same block size, encapsulation,
    source NAT and nodeSelector.

    Why: pools that were changed by hand, or could not be changed, differ from the Installation.
    """
    installation_checks.must_have_its_pools()


@pytest.mark.covers("I1", "F2")
def test_pods_have_the_mtu_of_the_installation(installation_checks: InstallationChecks) -> None:
    """The interface of every pod has the MTU that the Installation sets.

    Why: pods keep the MTU that they were created with.
    """
    installation_checks.must_have_its_mtu()


@pytest.mark.covers("I1", "I2")
def test_node_addresses_are_those_that_autodetection_chooses(
    address_checks: AddressChecks, ip_family: Family
) -> None:
    """The address that Calico chose for a node fits the method that is set: its device, its range
    or the node's InternalIP.

    Why: an address chosen before the method was changed stays until calico-node restarts, and the
    device that comes up first may be the wrong one.
    """
    address_checks.must_be_chosen_by_the_method(ip_family)
