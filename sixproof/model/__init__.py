"""Frozen values shared by all packages. Standard library only."""

from sixproof.model.cluster import EXCLUDED, LINUX, ClusterFacts, NodeFacts
from sixproof.model.endpoint import Endpoint, EndpointKind
from sixproof.model.family import Family, IPAddress, IPNetwork, host_literal, within
from sixproof.model.finding import Finding, FindingType, Severity, declared, merged_findings
from sixproof.model.flow import Flow
from sixproof.model.icmp import IcmpError
from sixproof.model.matrix import (
    Disagreement,
    Edge,
    Expectation,
    Judged,
    Matrix,
    MatrixKind,
    edge_of,
)
from sixproof.model.observation import Observation
from sixproof.model.outcome import Outcome, Parity
from sixproof.model.protocol import Protocol
from sixproof.model.timing import ATTEMPTS, QUICK_ATTEMPTS, Timing

__all__ = [
    "ATTEMPTS",
    "EXCLUDED",
    "LINUX",
    "QUICK_ATTEMPTS",
    "ClusterFacts",
    "Disagreement",
    "Edge",
    "Endpoint",
    "EndpointKind",
    "Expectation",
    "Family",
    "Finding",
    "FindingType",
    "Flow",
    "IPAddress",
    "IPNetwork",
    "IcmpError",
    "Judged",
    "Matrix",
    "MatrixKind",
    "NodeFacts",
    "Observation",
    "Outcome",
    "Parity",
    "Protocol",
    "Severity",
    "Timing",
    "declared",
    "edge_of",
    "host_literal",
    "merged_findings",
    "within",
]
