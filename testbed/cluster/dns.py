"""CoreDNS of the bed: the cluster's zone, a locally served test zone, and no forwarding."""

from __future__ import annotations

from typing import Any

ZONE = "sixproof.test"
BROKEN = f"servfail.{ZONE}"
BIG = 64
V6, V4 = "2001:db8:6::", "192.0.2."


def zone() -> str:
    """The test zone, in documentation ranges: its names resolve, but nothing is reachable."""
    big = "\n".join(f"big     IN AAAA {V6}b:{number:x}" for number in range(1, BIG + 1))
    return f"""$ORIGIN {ZONE}.
$TTL 30
@       IN SOA  ns hostmaster 1 7200 3600 1209600 30
@       IN NS   ns
ns      IN AAAA {V6}53
ns      IN A    {V4}53
v6only  IN AAAA {V6}6
v4only  IN A    {V4}4
both    IN AAAA {V6}10
both    IN A    {V4}10
alias   IN CNAME both
text    IN TXT  "neither A nor AAAA"
{big}
"""


def corefile() -> str:
    """kubeadm's Corefile without forwarding, plus the test zone and one that only fails."""
    return f""".:53 {{
    errors
    health {{
       lameduck 5s
    }}
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    prometheus :9153
    cache 30
    reload
    loadbalance
}}
{ZONE}:53 {{
    errors
    file /etc/coredns/{ZONE}.zone
}}
{BROKEN}:53 {{
    errors
    template ANY ANY {{
        rcode SERVFAIL
    }}
}}
"""


def config_map() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "data": {"Corefile": corefile(), f"{ZONE}.zone": zone()},
    }


def deployment_patch(workers: int) -> dict[str, Any]:
    """A strategic merge patch that mounts the zone beside the Corefile, allows updates, and spreads
    the replicas over the `workers`: the scheduler might put both on one node, and then there would
    be no DNS path across nodes to test, and no pod to show faults with."""
    items = [{"key": name, "path": name} for name in ("Corefile", f"{ZONE}.zone")]
    volume = {"name": "config-volume", "configMap": {"name": "coredns", "items": items}}
    spread = {"affinity": ON_WORKERS, "topologySpreadConstraints": [EVENLY]} if workers else {}
    return {"spec": {"template": {"spec": {"volumes": [volume], **spread}}}}


ON_WORKERS = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        {
                            "key": "node-role.kubernetes.io/control-plane",
                            "operator": "DoesNotExist",
                        }
                    ]
                }
            ]
        }
    }
}
EVENLY = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    "matchLabelKeys": ["pod-template-hash"],  # replicas of the old template do not count
}
SERVICE_PATCH = {"spec": {"ipFamilyPolicy": "PreferDualStack"}}
