"""Whose objects are whose: ownership, clean-up, what dead runs left, and rehearsals."""
