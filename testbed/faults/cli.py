"""The `faults` commands: list, inject, clear, status."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from testbed import record
from testbed.cluster.health import Check
from testbed.errors import BedError
from testbed.faults import fault, journal, target
from testbed.faults.journal import Injection
from testbed.host import engine as engines
from testbed.host import paths
from testbed.host.engine import Engine
from testbed.variants import variant


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `faults` command to the command line."""
    faults = commands.add_parser("faults", help="inject, show and undo network faults")
    actions = faults.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="the faults there are").add_argument(
        "--json", action="store_true"
    )
    inject = actions.add_parser("inject", help="put a fault in force and prove it")
    inject.add_argument("name")
    inject.add_argument("--node", help="where; the first worker when left out")
    inject.add_argument("--peer", help="the other node of a pair; the last other one when left out")
    inject.add_argument("--pod", metavar="NAMESPACE/POD")
    inject.add_argument("--service", metavar="NAMESPACE/SERVICE")
    inject.add_argument("--family", choices=fault.FAMILIES)
    inject.add_argument(
        "--value", help="an MTU, a number of seconds or a word, where a fault has one"
    )
    inject.add_argument("--json", action="store_true")
    actions.add_parser("clear", help="undo every fault, also those of a run that was killed")
    shown = actions.add_parser("status", help="the faults in force, proven again")
    shown.add_argument("--json", action="store_true")


def checks(at: Engine, nodes: Sequence[str]) -> list[Check]:
    """A failing check for each fault recorded in a node's journal."""
    found = [
        Check("fault", False, f"{about['fault']} on {about['where']}, {about['family']}")
        for node in nodes
        for _, about in journal.recorded(at, node)
    ]
    return found or [Check("faults", True, "none in force")]


def engine() -> Engine:
    found = engines.existing(paths.cache().engine)
    if found is None:
        raise BedError("a Docker engine", seen="none answers", remedy="python -m testbed up")
    return found


def line(injection: Injection) -> str:
    state = "in force" if injection.proven else "NOT in force"
    place = f"{injection.fault} on {injection.where}, {injection.family}"
    return f"{place}: {state}: {injection.evidence}"


def listing(args: argparse.Namespace) -> int:
    known = fault.catalogue().values()
    if args.json:
        shown = [
            {
                "name": f.name,
                "title": f.title,
                "place": f.place,
                "families": f.families,
                "report": f.report,
            }
            for f in known
        ]
        print(json.dumps(shown, indent=2))
    else:
        for one in known:
            print(f"{one.name:4} {one.place:8} {'/'.join(one.families):10} {one.title}")
    return 0


def inject(args: argparse.Namespace) -> int:
    bed = record.read(paths.cache().cluster(variant.load(args.variant).cluster))
    options = target.FaultOptions(
        args.node, args.peer, args.pod, args.service, args.family, args.value
    )
    at = engine()
    done = journal.inject(at, target.resolve(fault.find(args.name), bed, at, options))
    print(json.dumps(asdict(done)) if args.json else line(done))
    return 0


def clear(args: argparse.Namespace) -> int:
    """Undo everything. Needs the nodes, not the record and not the API server."""
    undone = journal.clear(engine(), variant.load(args.variant).nodes)
    print("\n".join(f"undone on {what}" for what in undone) or "no fault was in force")
    return 0


def status(args: argparse.Namespace) -> int:
    """Exit 0 when no fault is in force, 1 when one is or was left half undone."""
    found = list(journal.standing(engine(), variant.load(args.variant).nodes))
    if args.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    else:
        print("\n".join(line(one) for one in found) or "no fault is in force")
    return 1 if found else 0


ACTIONS = {"list": listing, "inject": inject, "clear": clear, "status": status}


def run(args: argparse.Namespace) -> int:
    return ACTIONS[args.action](args)
