"""The MTU that pods should have: the table of encapsulations, and what Felix makes of it."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest

from sixproof.calico import mtu
from sixproof.calico.felix.settings import Felix
from sixproof.calico.pools import Pool
from sixproof.calico.state import CalicoState
from sixproof.model import Family


def state(*pools: tuple[str, str], **felix: object) -> CalicoState:
    made = tuple(
        Pool(f"p{i}", ipaddress.ip_network(cidr), 26 if "." in cidr else 122, encapsulation)
        for i, (cidr, encapsulation) in enumerate(pools)
    )
    settings = dataclasses.replace(Felix(), **felix)  # type: ignore[arg-type]
    return CalicoState("projectcalico.org/v3", made, settings)


V4, V6 = "10.0.0.0/16", "fd00::/64"


@pytest.mark.parametrize(
    ("pools", "felix", "underlay", "wanted"),
    [
        (((V4, "None"), (V6, "None")), {}, 1500, 1500),
        (((V4, "IPIP"),), {}, 1500, 1480),
        (((V4, "VXLAN"),), {}, 1500, 1450),
        (((V6, "VXLAN"),), {}, 1500, 1430),
        (((V4, "VXLAN"), (V6, "VXLAN")), {}, 1500, 1430),
        (((V4, "VXLANCrossSubnet"), (V6, "None")), {}, 1500, 1450),
        (((V4, "IPIPCrossSubnet"), (V6, "VXLANCrossSubnet")), {}, 9000, 8930),
        (((V4, "None"),), {"wireguard": (Family.IPV4,)}, 1500, 1440),
        (((V6, "None"),), {"wireguard": (Family.IPV6,)}, 1500, 1420),
        (((V4, "VXLAN"),), {"vxlan_mtu": 1400}, 1500, 1400),
        (((V4, "VXLAN"), (V6, "VXLAN")), {"vxlan_mtu": 1400}, 1500, 1400),
        (((V4, "VXLAN"), (V6, "VXLAN")), {"vxlan": False}, 1500, 1430),
        (((V4, "None"),), {"vxlan": True}, 1500, 1450),
        (((V4, "IPIP"),), {"ipip": False}, 1500, 1500),
        ((), {}, 1460, 1460),
    ],
)
def test_table(
    pools: tuple[tuple[str, str], ...], felix: dict[str, object], underlay: int, wanted: int
) -> None:
    found = mtu.expected(state(*pools, **felix), underlay)
    assert (found.mtu, found.underlay) == (wanted, underlay)
    assert found.source


def test_disabled_pool_counts() -> None:
    given = state((V4, "None"), (V6, "VXLAN"))
    disabled = tuple(dataclasses.replace(p, disabled=True) for p in given.pools)
    assert mtu.expected(dataclasses.replace(given, pools=disabled)).mtu == 1430


def test_source_says_where_the_number_comes_from() -> None:
    found = mtu.expected(state((V4, "VXLAN"), (V6, "VXLAN")))
    assert found.source.startswith("1500 - 70 for VXLAN over IPv6 (IPv6 40 + UDP 8 + VXLAN 8")
    assert "VXLAN over IPv4 1450" in found.source
    by_hand = mtu.expected(state((V4, "VXLAN"), vxlan_mtu=1400))
    assert by_hand.source == "VXLAN over IPv4 1400 (set in Felix)"
    assert "eBPF" in mtu.expected(state((V4, "VXLAN"), bpf=True)).source


def test_setting_of_the_cni_goes_before_all() -> None:
    given = dataclasses.replace(state((V4, "VXLAN")), cni_mtu=1380)
    found = mtu.expected(given)
    assert found.mtu == 1380
    assert "CNI configuration" in found.source


def test_devices() -> None:
    found = mtu.expected(state((V4, "VXLAN"), (V6, "VXLAN")))
    assert found.device("vxlan.calico") == 1450
    assert found.device("vxlan-v6.calico") == 1430
    assert found.device("tunl0") is None
