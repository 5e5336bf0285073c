import ipaddress
import re

from testbed.cluster import dns

DOCUMENTATION = [ipaddress.ip_network("2001:db8::/32"), ipaddress.ip_network("192.0.2.0/24")]


def records(kind: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(rf"^(\S+)\s+IN {kind}\s+(\S+)$", dns.zone(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def test_nothing_is_forwarded_outside() -> None:
    assert "forward" not in dns.corefile()
    assert "loop" not in dns.corefile()


def test_the_zone_has_names_of_one_family_of_both_and_of_none() -> None:
    six, four = records("AAAA"), records("A")
    assert "v6only" in six
    assert "v6only" not in four
    assert "v4only" in four
    assert "v4only" not in six
    assert {"both"} <= six.keys() & four.keys()
    assert "text" not in six.keys() | four.keys()


def test_the_big_name_does_not_fit_a_small_udp_answer() -> None:
    addresses = records("AAAA")["big"]
    assert len(set(addresses)) == dns.BIG
    assert dns.BIG * 28 > 1232


def test_every_address_is_of_a_documentation_range() -> None:
    listed = [
        value for kind in ("A", "AAAA") for values in records(kind).values() for value in values
    ]
    stray = [v for v in listed if not any(ipaddress.ip_address(v) in net for net in DOCUMENTATION)]
    assert listed
    assert stray == []


def test_one_zone_below_always_fails() -> None:
    block = dns.corefile().split(f"{dns.BROKEN}:53")[1]
    assert "rcode SERVFAIL" in block


def test_the_zone_is_mounted_where_the_corefile_looks_for_it() -> None:
    volume = dns.deployment_patch(2)["spec"]["template"]["spec"]["volumes"][0]
    keys = {item["key"] for item in volume["configMap"]["items"]}
    assert keys == dns.config_map()["data"].keys()
    assert f"/etc/coredns/{dns.ZONE}.zone" in dns.corefile()


def test_the_replicas_stand_on_different_workers_where_there_are_any() -> None:
    pod = dns.deployment_patch(2)["spec"]["template"]["spec"]
    (spread,) = pod["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["maxSkew"]) == ("kubernetes.io/hostname", 1)
    assert "nodeAffinity" in pod["affinity"]
    assert dns.deployment_patch(0)["spec"]["template"]["spec"].keys() == {"volumes"}
