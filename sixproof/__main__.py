"""``python -m sixproof``: what can be answered without a cluster."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from sixproof.errors import UsageError
from sixproof.model import Family
from sixproof.policy import PROFILES, Verdict, yaml_text
from sixproof.policy.audit import audit
from sixproof.policy.question import Question, answer
from sixproof.policy.report import explained, to_json
from sixproof.policy.scene import INLINE

_EPILOG = f"""
endpoints:
  a NAME from the world file, or inline,
  {INLINE}.
  The destination may also be a service of the world file: svc:NAMESPACE/NAME.

world file (YAML), every part optional:
  namespaces: {{shop: {{env: prod}}}}
  endpoints:
    web: {{namespace: shop, labels: {{app: web}}, addresses: [10.244.1.2, "fd00:10:244::2"],
          node: worker, serviceAccount: default, ports: {{http: tcp/8080}}}}
    lan: {{kind: outside, addresses: [192.0.2.1]}}          # or kind: node, kind: host
  nodes: {{worker: {{addresses: [172.18.0.2], labels: {{zone: a}}}}}}
  services:
    shop/web: {{addresses: [10.96.0.9], ports: [{{port: 80, target: http, nodePort: 30080}}],
               backends: [web]}}
  serviceAccounts: {{shop/default: {{role: public}}}}
Namespaces are also taken from Namespace objects among the policies.

example:
  python -m sixproof explain policies.yaml \\
    --from shop/web,app=web,10.244.1.2,fd00:10:244::2 \\
    --to shop/db,app=db,10.244.1.3,fd00:10:244::3 --port tcp/5432

exit status: 0 judged; 1 judged, and not as --expect says; 2 bad usage or a bad manifest
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m sixproof", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    explain = commands.add_parser(
        "explain",
        help="say whether policies allow a flow, and which rule decides",
        description="Say whether policies allow a flow, and which rule decides. Asks no cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = explain.add_argument
    add("policies", nargs="+", metavar="POLICY", help="YAML or JSON file of policies, - for stdin")
    add("--from", dest="source", required=True, metavar="ENDPOINT", help="where the flow starts")
    add("--to", dest="to", required=True, metavar="ENDPOINT", help="where it goes")
    add("--port", required=True, metavar="LANE", help="tcp/80, udp/53, sctp/9, 80 (TCP), or icmp")
    add(
        "--via",
        default="",
        metavar="ADDRESS",
        help="the address dialled, where it is not the destination's",
    )
    add(
        "--family",
        default="",
        choices=[f.value for f in Family],
        help="one family; default: all that fit",
    )
    add("--world", metavar="FILE", help="YAML file that describes the cluster, see below")
    add("-n", "--namespace", default="default", help="of policies that name none (%(default)s)")
    add("--provider", choices=list(PROFILES), default="calico", help="default: %(default)s")
    add("--reject", action="store_true", help="the provider rejects instead of dropping")
    add("--all", action="store_true", help="list the policies that do not apply, too")
    add("--json", action="store_true", help="print one JSON object for each family")
    add("--expect", type=str.upper, choices=list(Verdict), help="fail unless this is the verdict")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the result is the exit status."""
    arguments = parser().parse_args(argv)
    try:
        return explain(arguments)
    except UsageError as bad:
        sys.stderr.write(f"error: {bad}\n")
        return 2


def explain(arguments: argparse.Namespace) -> int:
    """Judge the flow asked about, in each family, and say why.

    Raises:
        UsageError: an argument, a file or a manifest is wrong.
    """
    profile = PROFILES[arguments.provider]
    question = Question(
        source=arguments.source,
        to=arguments.to,
        port=arguments.port,
        via=arguments.via,
        family=arguments.family,
        namespace=arguments.namespace,
        profile=profile.rejecting() if arguments.reject else profile,
    )
    values = [value for path in arguments.policies for value in _load(path)]
    world = _load(arguments.world) if arguments.world else []
    found = answer(question, values, world[0] if world else {})
    for judgement in found.judgements:
        if arguments.json:
            text = json.dumps(to_json(judgement))
        else:
            text = explained(found.oracle, judgement, everything=arguments.all)
        sys.stdout.write(f"{text}\n")
    for name in found.skipped:
        sys.stderr.write(f"note: {name} is no policy, and was left out\n")
    for finding in audit(found.policies, question.profile):
        sys.stderr.write(f"note: {finding}\n")
    unexpected = [j for j in found.judgements if arguments.expect not in (None, j.verdict)]
    return 1 if unexpected else 0


def _load(path: str) -> list[object]:
    """The documents of a file.

    Raises:
        UsageError: it cannot be read, or is no YAML.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        return yaml_text.documents(text)
    except (OSError, UnicodeDecodeError) as bad:
        raise UsageError(f"{path}: cannot be read: {bad}") from bad
    except yaml.YAMLError as bad:
        raise UsageError(f"{path}: no readable YAML: {bad}") from bad


if __name__ == "__main__":
    sys.exit(main())
