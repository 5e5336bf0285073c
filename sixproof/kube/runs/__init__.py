"""Which run owns which objects: ownership, clean-up, leftovers of dead runs, and rehearsals."""
