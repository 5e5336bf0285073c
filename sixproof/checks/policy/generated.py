"""Generated policies: drawn from a seed, followed as others are; a disagreement is shrunk."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sixproof import yaml_text
from sixproof.checks.policy.policy_checker import PolicyChecker
from sixproof.checks.policy.surroundings import Flows
from sixproof.errors import ApiError, ManifestError, VerdictError
from sixproof.kube.api.client import Cluster
from sixproof.model import Observation, Timing
from sixproof.probes.connect.convergence import converge
from sixproof.probes.connect.probe import ConnectProbe, ProbeOptions
from sixproof.reporting.allure import steps
from sixproof.workloads.policy import generate, shrink
from sixproof.workloads.policy.cases import Manifest
from sixproof.workloads.probe_pods.ports import POD_PORTS

NUMBER = "generated"
"""The argument that gets the number of a drawn set."""
STEPS = 40
"""Questions to the cluster while a disagreement is shrunk."""
TRIAL = 5.0
"""Seconds that a smaller set gets until its matrix agrees; the settle time-out where shorter."""


class Generated:
    """Draws sets of policies and holds the cluster to them."""

    def __init__(
        self,
        policy_checker: PolicyChecker,
        probe: ConnectProbe,
        timing: Timing,
        seed: int,
        *,
        calico: bool,
    ) -> None:
        self._lab = policy_checker
        self._probe = probe
        self._timing = timing
        self._seed = seed
        self._calico = calico

    def must_hold(self, number: int) -> None:
        """Apply the set of that number; its matrix must become what the oracle says, and be open
        again once it is deleted.

        Raises:
            VerdictError: it did not; the message ends with the smallest set that still disagrees.
        """
        policy_checker, seed = self._lab, self._seed
        policies = generate.draw(
            seed,
            number,
            policy_checker.policy_namespaces,
            policy_checker.around.values,
            calico=self._calico,
        )
        flows = policy_checker.flows(POD_PORTS)
        try:
            policy_checker.must_follow(f"set {number} of seed {seed}", policies, flows)
        except VerdictError as error:
            with steps.step("When the set is made smaller"):
                smallest = self._smallest(policies, flows)
            again = (
                "to repeat: pytest suites/policy/test_generated.py "
                f"--six-generate {number} --six-seed {seed} -k 'set-{number}]'"
            )
            text = f"{error}\n{smallest}\n{again}"
            raise VerdictError(text, error.families, error.categories) from error

    def _smallest(self, policies: Sequence[Manifest], flows: Flows) -> str:
        """What is left of policies that disagree, as text."""
        if not self._disagree(policies, flows):
            return "the set agreed when it was tried again, so it was not made smaller"
        shrunk = shrink.shrink(
            policies,
            lambda some: self._read(some, flows),
            lambda some: self._disagree(some, flows),
            STEPS,
        )
        text = yaml_text.written(shrunk.policies)
        steps.attach_yaml("the smallest set that disagrees", text)
        return f"{shrunk}:\n{text}"

    def _read(self, policies: Sequence[Manifest], flows: Flows) -> bool:
        """Whether the strict reader accepts policies."""
        try:
            self._lab.expected(policies, flows[:1])
        except ManifestError:
            return False
        return True

    def _disagree(self, policies: Sequence[Manifest], flows: Flows) -> bool:
        """Whether the matrix of these policies does not become what the oracle says."""
        expected = self._lab.expected(policies, flows)

        def wrong(seen: Observation) -> bool:
            return seen.outcome.measured and seen.outcome not in expected[seen.flow].outcomes

        with self._lab.existing(policies) as apply:
            began = time.monotonic()
            try:
                apply()
            except ApiError as error:
                if not 400 <= error.status < 500:
                    raise
                return False  # the API server refuses what is left of it
            seen = converge(
                lambda timeout: self._probe.measure(flows, ProbeOptions(timeout)),
                lambda some: not any(map(wrong, some)),
                began=began,
                deadline=min(TRIAL, self._timing.settle),
                patience=self._timing.deny,
                sure=True,
            ).observations
        return any(map(wrong, seen))


def served(cluster: Cluster) -> bool:
    try:
        cluster.catalog.kind("projectcalico.org/v3", "NetworkPolicy")
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True
