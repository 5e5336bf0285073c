"""The policy oracle: from manifests to the verdict that a flow must come to. Pure, no I/O."""

from sixproof.policy.decision import Decision, Verdict
from sixproof.policy.judgement import Judgement, SideJudgement
from sixproof.policy.oracle import Oracle
from sixproof.policy.packet import Icmp
from sixproof.policy.provider import (
    CALICO,
    CALICO_3_31,
    KUBERNETES,
    PROFILES,
    Answer,
    HostAction,
    ProviderProfile,
    SeenAs,
    TieBreak,
)
from sixproof.policy.rules import Direction, PolicyRef
from sixproof.policy.walk import Step
from sixproof.policy.world import NamedPort, Node, Service, ServicePort, World

__all__ = [
    "CALICO",
    "CALICO_3_31",
    "KUBERNETES",
    "PROFILES",
    "Answer",
    "Decision",
    "Direction",
    "HostAction",
    "Icmp",
    "Judgement",
    "NamedPort",
    "Node",
    "Oracle",
    "PolicyRef",
    "ProviderProfile",
    "SeenAs",
    "Service",
    "ServicePort",
    "SideJudgement",
    "Step",
    "TieBreak",
    "Verdict",
    "World",
]
