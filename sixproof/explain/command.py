"""The command line of ``explain``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence

from sixproof.errors import UsageError
from sixproof.explain.files import Files
from sixproof.model import Family
from sixproof.policy import PROFILES, Verdict
from sixproof.policy.manifests.audit import audit
from sixproof.policy.manifests.intake import is_like_an_object
from sixproof.policy.manifests.manifest import shown
from sixproof.policy.manifests.placed import Placed
from sixproof.policy.question.question import Explanation, Question, answer
from sixproof.policy.question.report import cut, explained, given_that, to_json

Add = Callable[..., argparse.Action]

MOST_NOTES = 50
"""Maximum number of notes shown, findings about the policies first."""

_EPILOG = """
files:
  YAML or JSON: manifests, what `helm template` or `kubectl get -o yaml` prints, several documents,
  lists. Policies in them are judged. Namespaces, Pods, Deployments (StatefulSets, DaemonSets, Jobs
  and so on), Services, ServiceAccounts and Nodes in them are the cluster; --from shop/web then
  needs no labels and no ports by hand. Everything else is left out, with a note. A directory means
  its files in .yaml, .yml and .json. A named file without a document, and files without a
  policy, are an error: a failed command before a pipe must not count as "all is allowed".

endpoints:
  shop/web                     pod, or Deployment and the like, web in namespace shop
  web                          the same in namespace -n, or in the only one that has it
  svc:shop/web                 a service: its clusterIP, and the pods behind it
  host:shop/agent              a pod on its node's network: policies see the node's address
  node:worker, outside         a node; a place outside the cluster
After it, separated by commas, what no file has or what is to differ:
  10.244.1.2,fd00:10:244::2    its addresses, one of each family
  app=web,tier=front           its labels
  @worker                      its node: traffic from a pod's own node is never denied
  sa:front                     its service account (default: default)
  ns:team=a                    a label of its namespace
  port:http=tcp/8080           a named port
What is neither in a file nor given here is taken to be absent. Where a policy looks at it, the
answer says so under "given that".

cluster file (YAML), every part optional; Kubernetes objects may follow as more documents:
  namespaces: {shop: {env: prod}}
  endpoints:
    web: {namespace: shop, labels: {app: web}, addresses: [10.244.1.2, "fd00:10:244::2"],
          node: worker, serviceAccount: default, ports: {http: tcp/8080}}
    lan: {kind: outside, addresses: [192.0.2.1]}          # or kind: node, kind: host
  nodes: {worker: {addresses: [172.18.0.2], labels: {zone: a}}}
  services:
    shop/web: {addresses: [10.96.0.9], ports: [{port: 80, target: http, nodePort: 30080}],
               backends: [web]}
  serviceAccounts: {shop/default: {role: public}}

examples:
  helm template shop ./chart | python -m sixproof explain - --from shop/web --to shop/db --port sql
  python -m sixproof explain policies.yaml \\
    --from shop/web,app=web,10.244.1.2,fd00:10:244::2 \\
    --to shop/db,app=db,10.244.1.3,fd00:10:244::3 --port tcp/5432 --expect DENIED

exit status: 0 judged; 1 judged, and not as --expect says; 2 nothing to judge, bad usage, a bad
manifest, or an answer that could not be written
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a command line."""
    explain = commands.add_parser(
        "explain",
        help="say whether policies allow a flow, and which rule decides",
        description="Say whether policies allow a flow, and which rule decides. Asks no cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_question(explain.add_argument)
    _add_cluster(explain.add_argument)
    _add_answer(explain.add_argument)


def _add_question(add: Add) -> None:
    add("policies", nargs="*", metavar="FILE", help="policies and objects, - for stdin; see below")
    add("--from", dest="source", required=True, metavar="ENDPOINT", help="where the flow starts")
    add("--to", dest="to", required=True, metavar="ENDPOINT", help="where it goes")
    ports = (
        "tcp/80, 80/tcp, 80 (TCP), udp/53, sctp/9, a port of the destination by name (http, "
        "udp/dns), or icmp (an echo request)"
    )
    add("--port", required=True, metavar="PORT", help=ports)
    via = (
        "the address dialled, where it is not the destination's: of a service, or of a node for a "
        "NodePort"
    )
    add("--via", default="", metavar="ADDRESS", help=via)
    families = [family.value for family in Family]
    every = "one family; default: all that both ends have an address of"
    add("--family", default="", choices=families, help=every)


def _add_cluster(add: Add) -> None:
    add("--cluster", metavar="FILE", help="YAML file that describes the cluster, see below")
    home = "of policies and objects that name none, as kubectl apply -n (default: default)"
    add("-n", "--namespace", default="", help=home)
    add("-R", "--recursive", action="store_true", help="look into directories below, too")
    tiers = "a Calico tier that no file holds: its order and, if not Deny, its default action"
    add("--tier", action="append", default=[], metavar="NAME=ORDER[,Pass]", help=tiers)
    none = "ask about a cluster without policies; without this, files without one are an error"
    add("--no-policies", action="store_true", help=none)
    whose = (
        "whose answers count where the API leaves a question open; kubernetes: no engine's, the "
        "verdict is then UNDEFINED (default: %(default)s)"
    )
    add("--provider", choices=list(PROFILES), default="calico", help=whose)
    looks = "the provider rejects instead of dropping; changes how a denial looks, no verdict"
    add("--reject", action="store_true", help=looks)


def _add_answer(add: Add) -> None:
    add("--all", action="store_true", help="list the policies that do not apply, too")
    add("--json", action="store_true", help="print one JSON object for each family")
    status = "exit with 1 unless this is the verdict in every family that was judged"
    add("--expect", type=str.upper, choices=list(Verdict), help=status)


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """The output of a command, and its exit status."""

    status: int
    text: str
    notes: tuple[str, ...]


def explain(arguments: argparse.Namespace) -> Output:
    """Judge the flow in question, in each family, and say why.

    Raises:
        UsageError: an argument, a file or a manifest is wrong, or there is nothing to judge.
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
        no_policies=arguments.no_policies,
    )
    if not arguments.policies and not arguments.no_policies:
        raise UsageError("no FILE given: name files of policies, or ask with --no-policies")
    files = Files.of(arguments.policies, deep=arguments.recursive)
    files.documents += map(tier, arguments.tier)
    snapshot = _snapshot(arguments.cluster, files)
    found = answer(question, files.documents, snapshot, unread=files.unread)
    expect = arguments.expect
    unexpected = [j for j in found.judgements if expect not in (None, j.verdict)]
    hollow = bool(expect) and not (found.decided or arguments.no_policies)
    text = _json(found) if arguments.json else _words(found, everything=arguments.all)
    findings = map(str, audit(found.policies, question.profile))
    notes = (*findings, *files.notes, *found.notes)
    if hollow:
        notes = (f"--expect {expect} is not met: nothing in the files can allow or deny", *notes)
    elif unexpected:
        said = ", ".join(f"{one.flow.family} {one.verdict}" for one in unexpected)
        notes = (f"--expect {expect} is not met: {said}", *notes)
    return Output(1 if unexpected or hollow else 0, text, few(notes))


def few(notes: Sequence[str]) -> tuple[str, ...]:
    """As many notes as a reader can use; the rest are counted."""
    more = [f"and {len(notes) - MOST_NOTES} more"] if len(notes) > MOST_NOTES else []
    return (*notes[:MOST_NOTES], *more)


def _words(found: Explanation, *, everything: bool) -> str:
    parts = [explained(found.oracle, j, everything=everything) for j in found.judgements]
    return "\n".join([*parts, *given_that(found.premises), ""])


def _json(found: Explanation) -> str:
    premises = [cut(premise) for premise in found.premises]
    objects = [{**to_json(j), "premises": premises} for j in found.judgements]
    return "".join(f"{json.dumps(one)}\n" for one in objects)


def tier(text: str) -> Placed:
    """``security=100`` or ``security=100,Pass`` as a Tier.

    Raises:
        UsageError: the text is not a tier.
    """
    name, _, rest = text.partition("=")
    order, comma, action = rest.partition(",")
    try:
        spec = {"order": float(order), **({"defaultAction": action} if comma else {})}
    except ValueError:
        wanted = "write NAME=ORDER, as in security=100, or security=100,Pass"
        raise UsageError(f"--tier {shown(text)}: {wanted}") from None
    value = {
        "apiVersion": "projectcalico.org/v3",
        "kind": "Tier",
        "metadata": {"name": name},
        "spec": spec,
    }
    return Placed(value, f"--tier {shown(text)[1:-1]}")


def _snapshot(path: str | None, files: Files) -> Placed | None:
    """The description in a cluster file; the Kubernetes objects in it join those of the files."""
    if not path:
        return None
    there = Files.of([path])
    objects: list[Placed] = []
    described: list[Placed] = []
    for one in there.documents:
        (objects if is_like_an_object(one.value) else described).append(one)
    files.documents += objects
    files.unread += there.unread
    files.notes += there.notes
    for one in described[1:]:
        files.unread.append(f"{one.place}: a second description of the cluster: write one document")
    return described[0] if described else None
