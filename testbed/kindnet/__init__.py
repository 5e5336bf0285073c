"""A small network plugin: does for the bed's pods what kind's own kindnet does.

It is delivered to an image in the same folder: standard library only, Python 3.11, and no imports
from other packages of the bed.
"""
