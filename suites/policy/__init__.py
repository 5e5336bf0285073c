"""Network policies: what they allow and deny, over each family, against the oracle."""
