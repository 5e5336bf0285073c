"""The command line: python -m testbed up | down | status | kubeconfig | variants | faults."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import sys
from collections.abc import Sequence

from testbed import bed, record, teardown, tour
from testbed.cluster import health
from testbed.errors import BedError
from testbed.faults import cli as faults
from testbed.host import engine as engines
from testbed.host import paths
from testbed.host.progress import Progress, duration
from testbed.record import Bed
from testbed.variants import variant


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m testbed", description=__doc__)
    top.add_argument(
        "--variant",
        default=variant.asked(),
        help=f"one of {', '.join(variant.names())}; default {variant.DEFAULT} [{variant.VARIABLE}]",
    )
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "up", help="make the bed, or what is missing of it, and wait until it works"
    )
    down = commands.add_parser("down", help="remove the bed")
    down.add_argument("--all", action="store_true", help="every variant, and stop the own engine")
    down.add_argument("--purge", action="store_true", help="with --all: the built things as well")
    status = commands.add_parser("status", help="what runs where, and whether it works")
    status.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig")
    every = commands.add_parser(
        "variants", help="bring each variant up, run the suites on it, and take it down"
    )
    which = every.add_mutually_exclusive_group()
    which.add_argument("--only", default="", metavar="NAME,NAME", help="these, not all of them")
    which.add_argument(
        "--of-the-day", action="store_true", help="the one that CI runs beside the default today"
    )
    every.add_argument(
        "--minutes",
        type=_minutes,
        default=tour.MINUTES,
        help=f"what one of them may take to come up and be tested; default {tour.MINUTES}",
    )
    every.add_argument(
        "--pytest", default="", metavar="WORDS", help="further words: --pytest='-k reachability'"
    )
    faults.add(commands)
    return top


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 < value <= 24 * 60:
        raise argparse.ArgumentTypeError("a number of minutes, at most a day")
    return value


def summary(found: Bed) -> str:
    """A finished bed in a few lines."""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    engine = found.docker_host or "the default one"
    lines = [
        f"cluster     {found.cluster}: {', '.join(found.node_names)}",
        f"versions    {versions}",
        f"images      {found.image_mode} ({found.source})",
        f"probe image {found.probe_image}",
        f"pods        {' '.join(found.pod_subnets)}, MTU {found.pod_mtu}",
        f"services    {' '.join(found.service_subnets)}",
        f"outside     {found.outside.name} {found.outside.ipv4} {found.outside.ipv6} "
        f"{found.outside.global_ipv6}",
        f"engine      {engine}{' (own)' if found.own_engine else ''}",
        f"use it      export KUBECONFIG={found.kubeconfig}   # context {found.context}",
    ]
    return "\n".join(lines)


def up(args: argparse.Namespace) -> int:
    cache, progress = paths.cache(), Progress()
    with bed.locked(cache, progress.say):
        found = bed.Builder(cache, variant.load(args.variant), progress).up()
    progress.say("up")
    print(summary(found))
    return 0


def down(args: argparse.Namespace) -> int:
    if args.purge and not args.all:
        raise BedError("--purge together with --all", seen="--purge alone", remedy="add --all")
    cache, progress = paths.cache(), Progress()
    with bed.locked(cache, progress.say):
        for name in variant.names() if args.all else (args.variant,):
            teardown.down(cache, variant.load(name), progress)
        if args.all:
            teardown.stop(cache, progress)
    if args.purge:
        teardown.purge(cache)
    return 0


def status(args: argparse.Namespace) -> int:
    """Exit 0 when the bed is whole, 1 when it is not."""
    cache, chosen = paths.cache(), variant.load(args.variant)
    found = record.read(cache.cluster(chosen.cluster))
    engine = engines.existing(cache.engine)
    if engine is None:
        raise BedError(
            "the bed's engine", seen="no Docker engine answers", remedy="python -m testbed up"
        )
    checks = [*health.everything(engine, chosen), *faults.checks(engine, chosen.nodes)]
    whole = all(check.ok for check in checks)
    if args.json:
        listed = [{"name": c.name, "ok": c.ok, "seen": c.seen} for c in checks]
        print(json.dumps({**found.as_json(), "healthy": whole, "checks": listed}, indent=2))
    else:
        print(summary(found))
        for check in checks:
            print(f"{'ok  ' if check.ok else 'FAIL'}        {check.name}: {check.seen}")
        steps = ", ".join(f"{name} {duration(took)}" for name, took in found.timings.items())
        print(f"made in     {steps}")
    return 0 if whole else 1


def kubeconfig(args: argparse.Namespace) -> int:
    print(record.read(paths.cache().cluster(variant.load(args.variant).cluster)).kubeconfig)
    return 0


def variants(args: argparse.Namespace) -> int:
    """Exit 0 when all were green, 1 when one was not, 130 when interrupted."""
    today = datetime.datetime.now(datetime.UTC).date()
    names = tour.chosen(tour.of_the_day(today) if args.of_the_day else args.only)
    words = shlex.split(args.pytest)
    stops, interrupted = tour.tour(names, paths.cache(), args.minutes, words)
    file = tour.REPORTS / tour.JSON
    tour.write(stops, tour.ROOT / file)
    print(f"{tour.table(stops)}\nin {file} as JSON")
    return 130 if interrupted else 0 if all(stop.green for stop in stops) else 1


COMMANDS = {
    "up": up,
    "down": down,
    "status": status,
    "kubeconfig": kubeconfig,
    "variants": variants,
    "faults": faults.run,
}


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        return COMMANDS[args.command](args)
    except BedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("testbed: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
