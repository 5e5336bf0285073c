"""Measurements on the test bed: ratios taken in one run, printed, asserted by no test."""
