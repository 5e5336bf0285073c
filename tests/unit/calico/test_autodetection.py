"""Node addresses against the autodetection method that is set."""

from __future__ import annotations

import ipaddress

import pytest

from sixproof.calico.autodetection import disagreement
from sixproof.calico.nodes import CalicoNode
from sixproof.errors import NotAsked
from sixproof.model import Family

NODE = CalicoNode(
    "worker",
    (ipaddress.ip_interface("2001:db8:1::5/64"),),
    internal=(ipaddress.ip_address("2001:db8:1::5"),),
)


@pytest.mark.parametrize(
    "method",
    [
        "cidrs=192.0.2.0/24,2001:db8:1::/48",
        "cidr=2001:db8:1::/64",
        "interface=ens.*,eth.*",
        "skipInterface=docker.*",
        "skip-interface=docker.*",
        "firstFound=true",
        "first-found",
        "kubernetes=NodeInternalIP",
        "kubernetes-internal-ip",
        "2001:db8:1::5/64",
    ],
)
def test_an_address_that_fits_its_method_is_silent(method: str) -> None:
    assert disagreement(method, NODE, Family.IPV6, "eth0") == ""


@pytest.mark.parametrize(
    ("method", "device", "said"),
    [
        ("cidr=2001:db8:2::/48", "eth0", "which is not in 2001:db8:2::/48"),
        ("cidr=192.0.2.0/24", "eth0", "which is not in 192.0.2.0/24"),
        ("interface=ens.*", "eth0", "which is not chosen by interface=ens.*"),
        ("interface=eth.*", "", "on no device, which is not chosen"),
        ("skip-interface=eth.*", "eth0", "which is skipped by skip-interface=eth.*"),
        ("first-found", "docker0", "which first-found passes over"),
        ("firstFound=true", "lo", "which firstFound=true passes over"),
        ("2001:db8:1::6/64", "eth0", "and calico-node is given 2001:db8:1::6/64"),
    ],
)
def test_an_address_that_does_not_is_said_with_its_device(
    method: str, device: str, said: str
) -> None:
    message = disagreement(method, NODE, Family.IPV6, device)
    assert message.startswith("Calico chose 2001:db8:1::5/64 on ")
    assert said in message


def test_an_internal_ip_is_the_nodes_own() -> None:
    stranger = CalicoNode("worker", NODE.chosen, internal=(ipaddress.ip_address("2001:db8::9"),))
    message = disagreement("kubernetes-internal-ip", stranger, Family.IPV6, "eth0")
    assert message.endswith("which is no InternalIP of the node")


def test_without_an_address_of_the_family_nothing_is_said() -> None:
    assert disagreement("cidr=192.0.2.0/24", NODE, Family.IPV4, "") == ""


@pytest.mark.parametrize("method", ["can-reach=2001:db8::1", "interface=eth[", "moon=full"])
def test_what_cannot_be_known_is_not_asked(method: str) -> None:
    with pytest.raises(NotAsked):
        disagreement(method, NODE, Family.IPV6, "eth0")
