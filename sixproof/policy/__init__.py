"""The policy oracle: from manifests to the expected verdict on a flow. Pure, no I/O."""

from sixproof.policy.engine.decision import Decision, Verdict
from sixproof.policy.engine.judgement import Judgement, SideJudgement
from sixproof.policy.engine.oracle import Oracle
from sixproof.policy.engine.packet import Icmp
from sixproof.policy.engine.provider import (
    CALICO,
    CALICO_3_31,
    KUBERNETES,
    PROFILES,
    HostAction,
    ProviderAnswer,
    ProviderProfile,
    SeenAs,
    TieBreak,
)
from sixproof.policy.engine.rules import Direction, PolicyRef
from sixproof.policy.engine.walk import Step
from sixproof.policy.snapshot.snapshot import (
    ClusterSnapshot,
    NamedPort,
    Node,
    ServicePortSnapshot,
    ServiceSnapshot,
)

__all__ = [
    "CALICO",
    "CALICO_3_31",
    "KUBERNETES",
    "PROFILES",
    "ClusterSnapshot",
    "Decision",
    "Direction",
    "HostAction",
    "Icmp",
    "Judgement",
    "NamedPort",
    "Node",
    "Oracle",
    "PolicyRef",
    "ProviderAnswer",
    "ProviderProfile",
    "SeenAs",
    "ServicePortSnapshot",
    "ServiceSnapshot",
    "SideJudgement",
    "Step",
    "TieBreak",
    "Verdict",
]
