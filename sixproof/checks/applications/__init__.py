"""Checks of the owner's applications: do they work over each family?"""
