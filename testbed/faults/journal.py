"""Injecting, showing and undoing. A change is recorded on the node before it is made, so that
`clear` needs no memory: a fault of a killed run is found, and undone, like any other."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testbed.errors import BedError
from testbed.faults.target import STATE, FaultTarget
from testbed.host.command import Result
from testbed.host.engine import Engine

PROOF_SECONDS = 20.0
NAMESPACES = "/run/netns"
KEEPER = """
echo > "$DIR/keeper.$$"
while [ -e "$DIR/keep" ]; do sh "$DIR/keep"; sleep 0.2; done
rm -f "$DIR/keeper.$$"
"""
# Keepers end between two of their rounds; one that is in the middle of a round would put the fault
# in force again after the undo. Up to 20 s, for nodes that are busy.
STOP_KEEPERS = """
rm -f "$dir/keep"
for _ in $(seq 200); do
  busy=
  for keeper in "$dir"/keeper.*; do
    [ -e "$keeper" ] && kill -0 "${keeper##*.}" 2>/dev/null && busy=1
  done
  [ -n "$busy" ] || break
  sleep 0.1
done
"""
# Up to 15 s for the removal of a pod that is under way.
GONE = """[ -e %(netns)s ] || exit 0
if (
%(undo)s
); then exit 0; fi
for _ in $(seq 75); do
  [ -e %(netns)s ] || exit 0
  sleep 0.2
done
exit 1
"""
# Leftovers that no journal records any more: tables and routes that only faults create.
SWEEP = r"""
sweep() {
  $IN nft list tables inet 2>/dev/null | awk '$3 ~ /^six_fault_/ {print $3}' |
  while read -r table; do
    $IN nft delete table inet "$table" && echo "table $table${IN:+ in $IN}"
  done
}
IN=; sweep
for netns in $(ip netns list | cut -d' ' -f1); do IN="ip netns exec $netns"; sweep; done
for version in 4 6; do
  ip -$version route show table all proto 66 | while read -r route; do
    eval "ip -$version route del $route" && echo "route $route"
  done
done
"""
UNDO = """
for dir in %(state)s/*/; do
  [ -d "$dir" ] || continue
  %(stop)s
  if ! said=$(sh "$dir/undo" 2>&1); then
    echo "cannot undo $(basename "$dir"): $said" >&2; failed=1; continue
  fi
  basename "$dir"
  rm -rf "$dir"
done
%(sweep)s
exit ${failed:-0}
"""


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault in force, or one that a journal records, with its proof."""

    fault: str
    family: str
    node: str
    where: str
    proven: bool
    evidence: str


def shell(engine: Engine, node: str, script: str, timeout: float = 120) -> Result:
    return engine.attempt("exec", "--interactive", node, "sh", stdin=script, timeout=timeout)


def files(target: FaultTarget) -> dict[str, str]:
    """The journal of a target: whole scripts, so that they run without this program."""
    fault, preamble = target.fault, target.preamble()
    about = {"fault": fault.name, "family": target.variables["FAMILY"], "where": target.where()}
    written = {
        "undo": f"{preamble}\n{undoing(target)}",
        "proof": f"{preamble}\n{fault.proof}",
        "about": json.dumps(about),
    }
    if fault.keep:
        written["keep"] = f"{preamble}\n{fault.keep}"
    return written


def undoing(target: FaultTarget) -> str:
    """A script that undoes the fault. A pod that is gone took its fault with it, and so did one
    that is just being removed: its devices go before its network namespace does."""
    netns = target.variables.get("NETNS")
    if not netns:
        return target.fault.undo
    return GONE % {"netns": f"{NAMESPACES}/{netns}", "undo": target.fault.undo}


def writing(target: FaultTarget) -> str:
    """A script that writes the journal, and saves the state before the first injection."""
    folder = target.variables["DIR"]
    lines = [f"mkdir -p {folder}"]
    for name, text in files(target).items():
        lines.append(f"printf %s {shlex.quote(text)} > {folder}/{name}")
    if target.fault.save:
        save = f"{{ {target.fault.save.strip()}\n}} > $SAVED.part; mv $SAVED.part $SAVED"
        lines.append(f"if [ ! -e $SAVED ]; then {save}; fi")
    return "\n".join(lines)


def inject(engine: Engine, target: FaultTarget) -> Injection:
    """Put the fault in force and prove it; what cannot be proven is undone and is an error."""
    fault, node = target.fault, target.node
    journal = "" if fault.passing else writing(target)
    script = f"set -e\n{target.preamble()}\n{journal}\n{fault.inject}"
    done = shell(engine, node, script)
    if done.ok and fault.keep:
        keeper = f"DIR={target.variables['DIR']}\n{KEEPER}"
        engine.run("exec", "--detach", node, "sh", "-c", keeper)
    proof = prove(engine, target) if done.ok else done
    if done.ok and proof.ok:
        return Injection(
            fault.name, target.variables["FAMILY"], node, target.where(), True, proof.out.strip()
        )
    if not fault.passing:
        withdraw(engine, target)
    said = (proof.out + proof.err).strip()
    raise BedError(
        f"fault {fault.name} on {target.where()} in force, with its effect shown"
        f" within {PROOF_SECONDS:.0f} s",
        seen=f"{'the proof' if done.ok else 'the injection'} failed: {said}",
        remedy="the fault was undone; see that the bed is whole (python -m testbed status)",
    )


def prove(engine: Engine, target: FaultTarget) -> Result:
    """Run the proof until it holds or PROOF_SECONDS are over."""
    deadline = time.monotonic() + PROOF_SECONDS
    while True:
        shown = shell(engine, target.node, f"{target.preamble()}\n{target.fault.proof}")
        if shown.ok or time.monotonic() > deadline:
            return shown
        time.sleep(0.5)


def withdraw(engine: Engine, target: FaultTarget) -> None:
    """Undo one fault."""
    folder = target.variables["DIR"]
    shell(engine, target.node, f"dir={folder}\n{STOP_KEEPERS}\nsh $dir/undo; rm -rf $dir")


def clear(engine: Engine, nodes: Sequence[str]) -> list[str]:
    """Undo every fault on the nodes; returns what was undone, as `node: what`."""
    undone: list[str] = []
    failed: list[str] = []
    for node in nodes:
        done = shell(engine, node, UNDO % {"state": STATE, "stop": STOP_KEEPERS, "sweep": SWEEP})
        undone += [f"{node}: {line}" for line in done.out.splitlines()]
        if not done.ok:
            failed.append(f"{node}: {done.err.strip()}")
    if failed:
        raise BedError(
            "every fault undone",
            seen="; ".join(failed),
            remedy="python -m testbed down, then up",
        )
    return undone


LISTING = """
for dir in {state}/*/; do
  [ -d "$dir" ] && echo "$(basename "$dir") $(cat "$dir/about")"
done
true
"""


def recorded(engine: Engine, node: str) -> list[tuple[str, dict[str, str]]]:
    """The journals on a node: their names and what they are about."""
    lines = shell(engine, node, LISTING.format(state=STATE)).out.splitlines()
    return [(name, json.loads(text)) for name, _, text in (line.partition(" ") for line in lines)]


def standing(engine: Engine, nodes: Sequence[str]) -> Iterator[Injection]:
    """Every fault recorded in a journal on the nodes, with its proof run again."""
    for node in nodes:
        for name, about in recorded(engine, node):
            proof = shell(engine, node, f"sh {STATE}/{name}/proof")
            evidence = (proof.out + proof.err).strip()
            yield Injection(
                about["fault"], about["family"], node, about["where"], proof.ok, evidence
            )
