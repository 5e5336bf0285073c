"""HTML and SVG, made by the templates in ``reporting/templates/``.

The only importer of Jinja2. What is filled into a template is text and never markup, whatever it
looks like; a value that a template asks for and is not given is an error.
"""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

_TEMPLATES = Environment(
    loader=PackageLoader("sixproof.reporting"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def filled(template: str, **values: object) -> str:
    """The text of a template with these values."""
    return _TEMPLATES.get_template(template).render(values)
