"""Matrices and paths as text, HTML, SVG and CSV."""
