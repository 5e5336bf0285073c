"""Loads sixproof's pytest plugin for every test of this checkout, and what tests of it need: pytest
takes plugins from this file only, or `pytest .` ends in an error."""

pytest_plugins = ("fixtures.plugin", "pytester")
