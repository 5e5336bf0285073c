"""Publicly known faults: a cause that looks like one of them says so, and where it was reported.

A row is one entry of `KNOWN`. It is recognised by its signature: the code of the cause, and one of
its traits.
"""

from __future__ import annotations

import dataclasses

from sixproof.explain import markdown
from sixproof.reporting.conclusion.cause import Cause, Trait


@dataclasses.dataclass(frozen=True, slots=True)
class KnownFault:
    """A fault seen in the field: `cause` and `trait` are its signature, any cause of that code
    where the trait is None. `title` is the fault in a few words, `sources` are public reports, as
    owner/repository and number.
    """

    cause: str
    trait: Trait | None
    title: str
    sources: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' and '.join(self.sources)}: {self.title}"

    def fits(self, cause: Cause) -> bool:
        """Whether a cause has the signature."""
        return cause.code == self.cause and (self.trait is None or self.trait in cause.traits)


KNOWN = (
    KnownFault(
        "conntrack",
        None,
        "the table of connections is full, new ones are dropped at random",
        ("kubernetes/kubernetes 71261",),
    ),
    KnownFault(
        "device",
        Trait.VXLAN_PORT,
        "nodes of one cluster send VXLAN to different ports",
        ("projectcalico/calico 10692",),
    ),
    KnownFault(
        "dns-configuration",
        Trait.AAAA_REWRITTEN,
        "CoreDNS rewrites AAAA questions, and answers them with A records",
        ("rancher/rke2 4050",),
    ),
    KnownFault(
        "dns-replica",
        Trait.NO_ANSWER,
        "one CoreDNS replica is Ready and cannot be reached",
        ("coredns/coredns 7168",),
    ),
    KnownFault(
        "dns-replica",
        Trait.OLD_ANSWERS,
        "a CoreDNS replica without the API server goes on answering from what it knew",
        ("coredns/coredns 3587", "coredns/coredns 3879"),
    ),
    KnownFault(
        "kube-proxy",
        None,
        "kube-proxy runs, its pod is Ready, and its rules are old",
        ("kubernetes/kubernetes 38372", "kubernetes/kubernetes 47589"),
    ),
    KnownFault(
        "node-port-addresses",
        None,
        "nodePortAddresses has no range with a node of one family",
        ("kubernetes/kubernetes 122899",),
    ),
    KnownFault(
        "packet-filter",
        Trait.FILTERS_VXLAN,
        "VXLAN is filtered in one direction",
        ("projectcalico/calico 9403",),
    ),
    KnownFault(
        "packet-filter",
        Trait.DROPS_INPUT,
        "a node's firewall drops what is meant for the node",
        ("GoogleCloudPlatform/netd 178",),
    ),
    KnownFault(
        "packet-filter",
        Trait.REJECTS_FORWARDED,
        "a firewall rejects forwarded packets before Calico accepts them",
        ("projectcalico/calico 4382",),
    ),
    KnownFault(
        "pod-address",
        Trait.NOT_IN_POD_IPS,
        "a chained CNI plugin takes an address out of the result, not off the interface",
        ("kubernetes/kubernetes 82634", "projectcalico/calico 9312"),
    ),
    KnownFault(
        "pod-address",
        Trait.IPV6_OFF_IN_POD,
        "IPv6 is off in the pod's own network namespace",
        ("danm-cni/danm 68",),
    ),
    KnownFault(
        "route",
        Trait.POLICY_RULE,
        "routing rules of another program come before the main table",
        ("tailscale/tailscale 14706",),
    ),
    KnownFault(
        "source-address",
        Trait.NOT_MASQUERADED,
        "IPv6 packets of pods leave without source NAT",
        ("projectcalico/calico 7183",),
    ),
    KnownFault(
        "sysctl",
        Trait.NOT_FORWARDING,
        "forwarding is off again, for example after a restart of the node",
        ("kubernetes/website 48403",),
    ),
)


def known(cause: Cause) -> tuple[KnownFault, ...]:
    """The publicly known faults that a cause looks like."""
    return tuple(fault for fault in KNOWN if fault.fits(cause))


def table() -> str:
    """All of them as a table in Markdown."""
    rows = [
        (fault.title, f"`{fault.cause}`", fault.trait or "", ", ".join(fault.sources))
        for fault in KNOWN
    ]
    return markdown.table(("looks like", "cause", "by", "reports"), rows)
