"""The policy API of Calico, projectcalico.org/v3."""
