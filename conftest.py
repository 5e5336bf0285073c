"""Loads sixproof's pytest plugin for every test of this checkout."""

pytest_plugins = ("fixtures.plugin",)
