"""What ConfigMap and Secret deliver, in a folder, where any user can read it."""

from __future__ import annotations

from pathlib import Path

from sixproof.workloads.probe_pods import delivery


def deliver(home: Path, key: str) -> None:
    """Write the agent's files and its key, as a pod has them at its mount path."""
    for path, text in {**delivery.agent_files(), delivery.KEY_PATH: key}.items():
        target = home / path
        for folder in reversed(target.relative_to(home).parents[:-1]):
            (home / folder).mkdir(exist_ok=True)
            (home / folder).chmod(0o755)
        target.write_text(text)
        target.chmod(0o644)
