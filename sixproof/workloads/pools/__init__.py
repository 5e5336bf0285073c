"""IP pools of a run, which serve only pods that request them, and pods that do."""
