"""IP pools of a run's own, which serve nobody that does not ask, and pods that ask for them."""
