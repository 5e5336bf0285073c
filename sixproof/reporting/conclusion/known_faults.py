"""Publicly known faults: a cause that looks like one of them says so, and where it was reported.

A row is one entry of `KNOWN`. It is recognised by its signature: the code of the cause, and words
of the cause's own sentence and evidence.
"""

from __future__ import annotations

import dataclasses

from sixproof.explain import markdown
from sixproof.reporting.conclusion.cause import Cause


@dataclasses.dataclass(frozen=True, slots=True)
class KnownFault:
    """A fault seen in the field: `cause` and `words` are its signature.

    All of `words` are in what the cause says, none of `without`. `title` is the fault in a few
    words, `sources` are public reports, as owner/repository and number.
    """

    cause: str
    words: tuple[str, ...]
    title: str
    sources: tuple[str, ...]
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{' and '.join(self.sources)}: {self.title}"

    @property
    def signature(self) -> str:
        """The words by which it is recognised."""
        lacking = f"without {' or '.join(self.without)}" if self.without else ""
        return ", ".join(filter(None, (*self.words, lacking)))

    def fits(self, cause: Cause) -> bool:
        """Whether a cause has the signature."""
        if cause.code != self.cause:
            return False
        said = " ".join((cause.what, *cause.evidence))
        return all(w in said for w in self.words) and not any(w in said for w in self.without)


KNOWN = (
    KnownFault(
        "conntrack",
        (),
        "the table of connections is full, new ones are dropped at random",
        ("kubernetes/kubernetes 71261",),
    ),
    KnownFault(
        "device",
        ("UDP port",),
        "nodes of one cluster send VXLAN to different ports",
        ("projectcalico/calico 10692",),
    ),
    KnownFault(
        "dns-configuration",
        ("rewrite", "AAAA A"),
        "CoreDNS rewrites AAAA questions, and answers them with A records",
        ("rancher/rke2 4050",),
    ),
    KnownFault(
        "dns-replica",
        ("no answer on port 53",),
        "one CoreDNS replica is Ready and cannot be reached",
        ("coredns/coredns 7168",),
    ),
    KnownFault(
        "dns-replica",
        ("lost its watch",),
        "a CoreDNS replica without the API server goes on answering from what it knew",
        ("coredns/coredns 3587", "coredns/coredns 3879"),
    ),
    KnownFault(
        "kube-proxy",
        (),
        "kube-proxy runs, its pod is Ready, and its rules are old",
        ("kubernetes/kubernetes 38372", "kubernetes/kubernetes 47589"),
    ),
    KnownFault(
        "node-port-addresses",
        (),
        "nodePortAddresses has no range with a node of one family",
        ("kubernetes/kubernetes 122899",),
    ),
    KnownFault(
        "packet-filter",
        ("VXLAN packets",),
        "VXLAN is filtered in one direction",
        ("projectcalico/calico 9403",),
    ),
    KnownFault(
        "packet-filter",
        ("hook input", "drops"),
        "a node's firewall drops what is meant for the node",
        ("GoogleCloudPlatform/netd 178",),
        without=("ICMP", "VXLAN"),
    ),
    KnownFault(
        "packet-filter",
        ("hook forward", "rejects"),
        "a firewall rejects forwarded packets before Calico accepts them",
        ("projectcalico/calico 4382",),
    ),
    KnownFault(
        "pod-address",
        ("podIPs lack",),
        "a chained CNI plugin takes an address out of the result, not off the interface",
        ("kubernetes/kubernetes 82634", "projectcalico/calico 9312"),
    ),
    KnownFault(
        "pod-address",
        ("disable_ipv6 is 1",),
        "IPv6 is off in the pod's own network namespace",
        ("danm-cni/danm 68",),
    ),
    KnownFault(
        "route",
        ("policy rule",),
        "routing rules of another program come before the main table",
        ("tailscale/tailscale 14706",),
    ),
    KnownFault(
        "source-address",
        ("not masqueraded",),
        "IPv6 packets of pods leave without source NAT",
        ("projectcalico/calico 7183",),
    ),
    KnownFault(
        "sysctl",
        ("forwarding is 0",),
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
        (fault.title, f"`{fault.cause}`", fault.signature, ", ".join(fault.sources))
        for fault in KNOWN
    ]
    return markdown.table(("looks like", "cause", "by its words", "reports"), rows)
