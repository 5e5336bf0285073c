"""The witness: what the pod's own kernel says."""
