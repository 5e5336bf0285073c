"""A small network plugin: what kind's own kindnet does for pods, written for the bed.

All of it is delivered to an image in the same folder: standard library only, Python 3.11, and
nothing of it imports another room of the bed.
"""
