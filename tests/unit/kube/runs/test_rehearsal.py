"""A rehearsal takes what the API server would take, and nothing else."""

from __future__ import annotations

import pytest

from sixproof.errors import ApiError
from sixproof.kube.runs.rehearsal import Rehearsal
from sixproof.model import Family


@pytest.mark.parametrize("name", ["pods_to_delete-1", "Web", "-a", "a.", "", "a" * 254])
def test_a_name_that_the_api_server_refuses_is_refused(name: str) -> None:
    """A plan shows what a run would meet."""
    cluster = Rehearsal("c", list(Family))
    with pytest.raises(ApiError, match="no DNS subdomain name") as refused:
        cluster.apply({"kind": "ConfigMap", "metadata": {"name": name, "namespace": "six-1-a"}})
    assert refused.value.status == 422
    assert cluster.made == []


@pytest.mark.parametrize("name", ["a", "to-delete-1", "tier.policy"])
def test_other_names_are_taken(name: str) -> None:
    """Each once, as it was asked for."""
    cluster = Rehearsal("c", list(Family))
    wanted = {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "six-1-a"}}
    assert cluster.apply(wanted) == wanted
    assert cluster.made == [wanted]
