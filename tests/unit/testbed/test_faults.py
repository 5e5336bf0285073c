import dataclasses
import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from testbed.cluster.kube import Kubectl
from testbed.errors import BedError
from testbed.faults import cli, fault, journal, target
from testbed.faults.fault import Fault, Place
from testbed.faults.target import FaultTarget
from testbed.host.engine import Engine
from tests.unit.testbed.test_record import BED

CATALOGUE = fault.catalogue()
FAULTS = pytest.mark.parametrize("name", CATALOGUE)
SCRIPTS = ("inject", "undo", "proof", "save", "keep")
POD = {"POD", "POD_PID", "CONTAINER", "NETNS", "POD_IP"}
GIVEN = {
    *("FAULT", "NODE", "DIR", "SAVED", "TABLE", "VALUE", "FAMILY", "IPV", "NF", "NFPROTO", "IN"),
    *("IPTABLES", "TUNNEL", "POD_CIDR", "SERVICE_CIDR", "OUTSIDE", "PEER", "PEER_ADDRESS"),
    *("PEER_TUNNEL", "NAMESPACE", "SERVICE", "POD_NAME", "DNS", "KUBECONFIG"),
}
SIMPLE = """
title = "t"
report = "r"
place = "node"
inject = "true"
undo = "true"
proof = "true"
"""


def test_the_catalogue_has_the_faults_that_the_suites_are_tried_with() -> None:
    wanted = {"A1", "A2", "A3", "A4", "I1", "I2", "I3", "I4", "I7", "I8", "I9", "I10", "I13", "I16"}
    assert wanted | {"I18", "I21", "I23", "C1", "C2", "C3"} <= CATALOGUE.keys()


@FAULTS
def test_a_fault_says_what_it_is_and_what_must_be_reported(name: str) -> None:
    one = CATALOGUE[name]
    assert one.title
    assert one.report
    assert set(one.families) <= set(fault.FAMILIES)
    assert one.passing == (not one.undo)


@FAULTS
@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_shell(name: str, script: str) -> None:
    text = f"{target.FUNCTIONS}\n{getattr(CATALOGUE[name], script)}"
    checked = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
    assert checked.stderr == ""


@FAULTS
def test_scripts_use_only_variables_that_a_scene_sets_or_they_set_themselves(name: str) -> None:
    one = CATALOGUE[name]
    text = "\n".join(getattr(one, script) for script in SCRIPTS)
    used = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", text))
    of_pod = one.place is Place.POD or "POD_NAME" in used
    assert used <= GIVEN | (POD if of_pod else set())


@pytest.mark.parametrize("name", [n for n, f in CATALOGUE.items() if "table <<" in f.inject])
def test_a_fault_made_of_rules_counts_what_it_does(name: str) -> None:
    one = CATALOGUE[name]
    drops = [
        line
        for line in one.inject.splitlines()
        if re.search(r"\b(drop|reject|snat|masquerade|set)\b", line)
    ]
    assert drops
    assert all("counter" in line for line in drops)
    assert "counted" in one.proof
    assert one.undo.strip().splitlines()[0] == "untable"


def test_routes_of_faults_carry_the_protocol_that_clear_looks_for() -> None:
    for one in CATALOGUE.values():
        lines = [
            line for line in one.inject.splitlines() if re.search(r"ip -\S+ route (?!show)", line)
        ]
        assert all("proto 66" in line for line in lines), one.name


def test_a_fault_that_cannot_be_undone_is_refused() -> None:
    with pytest.raises(BedError, match="how it is undone"):
        fault.parse("X", SIMPLE.replace('undo = "true"', ""))


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(BedError, match="spell"):
        fault.parse("X", SIMPLE + 'spell = "abracadabra"')


def test_the_family_is_the_first_unless_asked_and_never_one_that_cannot_be() -> None:
    six = fault.parse("X", SIMPLE + 'families = ["IPv6"]')
    assert fault.parse("X", SIMPLE).family(None) == "IPv6"
    assert fault.parse("X", SIMPLE).family("IPv4") == "IPv4"
    with pytest.raises(BedError, match="X over IPv6"):
        six.family("IPv4")


def test_names_are_found_in_either_case_and_unknown_ones_list_what_there_is() -> None:
    assert fault.find("i7").name == "I7"
    with pytest.raises(BedError, match=r"seen: there are: .*I7"):
        fault.find("I99")


@FAULTS
def test_faults_that_act_on_calico_say_so(name: str) -> None:
    one = CATALOGUE[name]
    lines = [line for script in SCRIPTS for line in getattr(one, script).splitlines()]
    text = "\n".join(re.sub(r"(^|\s)#.*", "", line) for line in lines)
    assert one.calico == bool(re.search(r"cali|felix|bird", text, re.I))


def test_a_fault_of_calico_is_refused_where_another_plugin_runs() -> None:
    elsewhere = replace(BED, variant="kindnet")
    with pytest.raises(BedError, match=r"a bed with Calico for fault C1[\s\S]*kindnet"):
        target.resolve(fault.find("C1"), elsewhere, Engine("unix:///none"), target.FaultOptions())


Make = Callable[..., FaultTarget]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(
        ident: str = "x-ipv6", *, save: str = "", undo: str = "true", keep: str = ""
    ) -> FaultTarget:
        one = Fault("X", "t", "r", Place.NODE, ("IPv6",), "", "", undo=undo, save=save, keep=keep)
        folder = tmp_path / ident
        variables = {"DIR": str(folder), "SAVED": f"{folder}/saved", "FAMILY": "IPv6", "IN": ""}
        return FaultTarget(one, "node", ident, variables)

    return made


def sh(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh"], input=script, text=True, capture_output=True, check=False)


def test_what_was_there_is_saved_by_the_first_injection_only(make: Make, tmp_path: Path) -> None:
    value = tmp_path / "value"
    value.write_text("1430\n")
    one = make(save=f"cat {value}", undo=f'cat "$SAVED" > {value}')
    for _ in range(2):
        done = sh(f"set -e\n{one.preamble()}\n{journal.writing(one)}\necho 1500 > {value}")
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x-ipv6" / "saved").read_text() == "1430\n"


def test_a_save_that_fails_injects_nothing(make: Make, tmp_path: Path) -> None:
    one = make(save="cat /no/such/file", undo="true")
    done = sh(f"set -e\n{one.preamble()}\n{journal.writing(one)}\ntouch {tmp_path}/injected")
    assert done.returncode != 0
    assert not (tmp_path / "injected").exists()


def undo(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return sh(journal.UNDO % {"state": tmp_path, "stop": journal.STOP_KEEPERS, "sweep": ""})


def test_a_keeper_in_the_middle_of_a_round_is_waited_for(make: Make, tmp_path: Path) -> None:
    """Else it puts the fault in force again behind the undo (R1: kube-proxy stayed stopped)."""
    seen = tmp_path / "seen"
    keep = f"touch {tmp_path}/begun; sleep 0.6; echo kept >> {seen}"
    one = make(undo=f"echo undone >> {seen}", keep=keep)
    sh(f"set -e\n{one.preamble()}\n{journal.writing(one)}")
    folder = one.variables["DIR"]
    with subprocess.Popen(["sh", "-c", f"DIR={folder}\n{journal.KEEPER}"]) as keeper:
        try:
            for _ in range(100):
                if (tmp_path / "begun").exists():
                    break
                time.sleep(0.02)
            done = undo(tmp_path)
            assert keeper.wait(timeout=10) == 0
        finally:
            keeper.kill()
    assert done.returncode == 0, done.stderr
    assert seen.read_text().splitlines()[-1] == "undone"
    assert not Path(folder).exists()


def test_a_keeper_that_was_killed_is_not_waited_for(make: Make, tmp_path: Path) -> None:
    """It left its file; the number is no process any more."""
    one = make(undo="true", keep="true")
    sh(f"set -e\n{one.preamble()}\n{journal.writing(one)}")
    (Path(one.variables["DIR"]) / "keeper.999999999").touch()
    begun = time.monotonic()
    assert undo(tmp_path).returncode == 0
    assert time.monotonic() - begun < 5


def test_clear_runs_what_journals_say_and_removes_them(make: Make, tmp_path: Path) -> None:
    for ident in ("a", "b"):
        one = make(ident, undo=f"echo $FAMILY >> {tmp_path}/undone", keep="true")
        sh(f"set -e\n{one.preamble()}\n{journal.writing(one)}")
        assert (tmp_path / ident / "keep").exists()
    done = undo(tmp_path)
    assert (done.returncode, done.stdout.split()) == (0, ["a", "b"])
    assert (tmp_path / "undone").read_text() == "IPv6\nIPv6\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["undone"]
    assert undo(tmp_path).stdout == ""


def test_clear_goes_on_after_one_that_cannot_be_undone_and_fails(
    make: Make, tmp_path: Path
) -> None:
    for ident, how in (("a", "echo no such link >&2; exit 1"), ("b", "true")):
        one = make(ident, undo=how)
        sh(f"set -e\n{one.preamble()}\n{journal.writing(one)}")
    done = undo(tmp_path)
    assert done.returncode != 0
    assert "cannot undo a: no such link" in done.stderr
    assert done.stdout.split() == ["b"]
    assert (tmp_path / "a").exists()


def test_the_undo_of_a_pod_that_is_gone_does_nothing(make: Make, tmp_path: Path) -> None:
    one = make(undo="echo must not run; exit 1")
    gone = FaultTarget(one.fault, one.node, one.ident, {**one.variables, "NETNS": "cni-gone"})
    done = sh(journal.files(gone)["undo"])
    assert (done.returncode, done.stdout) == (0, "")


def test_a_pod_that_is_being_removed_takes_its_fault_with_it(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its devices go first: the undo fails, and then the network namespace is gone, too."""
    monkeypatch.setattr(journal, "NAMESPACES", str(tmp_path))
    netns = tmp_path / "cni-going"
    netns.touch()
    one = make(undo=f"(sleep 0.3; rm {netns}) >/dev/null 2>&1 & echo no such device >&2; false")
    going = FaultTarget(one.fault, one.node, one.ident, {**one.variables, "NETNS": "cni-going"})

    done = sh(journal.files(going)["undo"])

    assert done.returncode == 0
    assert not netns.exists()


def test_an_undo_that_fails_in_a_pod_that_stays_is_an_error(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "NAMESPACES", str(tmp_path))
    monkeypatch.setattr(journal, "GONE", journal.GONE.replace("seq 75", "seq 2"))
    (tmp_path / "cni-stays").touch()
    one = make(undo="echo no such device >&2; false")
    stays = FaultTarget(one.fault, one.node, one.ident, {**one.variables, "NETNS": "cni-stays"})
    works = FaultTarget(
        dataclasses.replace(one.fault, undo="true"), one.node, one.ident, stays.variables
    )

    assert sh(journal.files(stays)["undo"]).returncode == 1
    assert sh(journal.files(works)["undo"]).returncode == 0


def test_the_journal_says_what_and_where(make: Make) -> None:
    about = json.loads(journal.files(make(undo="true"))["about"])
    assert about == {"fault": "X", "family": "IPv6", "where": "node"}


@pytest.mark.parametrize(
    ("block", "offset", "expected"),
    [
        ("fd00:10:244:4b:c8a6:cf04:72e5:4f80/122", 33, "fd00:10:244:4b:c8a6:cf04:72e5:4fa1"),
        ("fd00:10::/122", 33, "fd00:10::21"),
        ("10.244.202.64/26", 33, "10.244.202.97"),
    ],
)
def test_an_address_within_a_block(block: str, offset: int, expected: str) -> None:
    assert sh(f"{target.FUNCTIONS}\nwithin {block} {offset}").stdout == expected


def test_places_are_namespace_and_name() -> None:
    assert target.split("ns/pod", "--pod") == ("ns", "pod")
    with pytest.raises(BedError, match="NAMESPACE/NAME"):
        target.split("pod", "--pod")


def test_a_family_has_the_tunnel_and_the_ranges_of_the_bed() -> None:
    found = target.family_variables("IPv4", BED)
    assert (found["TUNNEL"], found["POD_CIDR"]) == ("vxlan.calico", "10.244.0.0/16")
    found = target.family_variables("IPv6", BED)
    assert (found["TUNNEL"], found["POD_CIDR"]) == ("vxlan-v6.calico", "fd00:10:244::/56")
    direct = target.family_variables("IPv6", replace(BED, variant="bgp"))
    assert direct["TUNNEL"] == "eth0", "packets of pods leave as they are"


def test_a_bed_of_one_node_has_no_peer() -> None:
    with pytest.raises(BedError, match="a variant that has workers"):
        target.peer_variables(Engine(None), BED, BED.nodes[0].name, "IPv6", None)


def test_a_service_is_asked_for_only_where_a_fault_needs_one() -> None:
    assert target.service_variables(CATALOGUE["I18"], target.FaultOptions()) == {}
    with pytest.raises(BedError, match="--service"):
        target.service_variables(CATALOGUE["S2"], target.FaultOptions())
    given = target.service_variables(CATALOGUE["S2"], target.FaultOptions(service="a/b"))
    assert given == {"NAMESPACE": "a", "SERVICE": "b"}


class OnePod:
    """A kubectl that knows one pod."""

    def get(self, *_: str) -> dict[str, Any]:
        """Its object."""
        return {"status": {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}}


def test_a_pod_is_asked_for_only_where_a_fault_changes_its_object() -> None:
    """By its names, with its address of the family."""
    kubectl = cast(Kubectl, OnePod())
    assert target.object_variables(CATALOGUE["S2"], target.FaultOptions(), kubectl, "IPv6") == {}
    with pytest.raises(BedError, match="add --pod"):
        target.object_variables(CATALOGUE["L4"], target.FaultOptions(), kubectl, "IPv6")
    found = target.object_variables(
        CATALOGUE["L4"], target.FaultOptions(pod="a/b"), kubectl, "IPv6"
    )
    assert found == {"NAMESPACE": "a", "POD_NAME": "b", "POD_IP": "fd00::1"}


def test_the_first_address_of_a_family_is_taken() -> None:
    addresses = ["10.0.0.1", "fd00::1", "fd00::2"]
    assert target.of_family(addresses, "IPv6") == "fd00::1"
    assert target.of_family(addresses[:1], "IPv6") == ""


def test_an_unproven_fault_reads_differently() -> None:
    proven = journal.Injection("I7", "IPv6", "six-worker", "six-worker", True, "4 packets counted")
    lost = journal.Injection("I7", "IPv6", "six-worker", "six-worker", False, "no table")
    assert "in force: 4 packets counted" in cli.line(proven)
    assert "NOT in force: no table" in cli.line(lost)
