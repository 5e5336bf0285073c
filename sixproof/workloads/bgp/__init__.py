"""A BGP peer of a run, to which the cluster's nodes announce their routes."""
