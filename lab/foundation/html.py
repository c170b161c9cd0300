"""Pages for a browser, made of templates beside the code that fills them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.foundation.language import language, said
from lab.foundation.progress import seconds_text


def render_html(template: Path, **values: Any) -> str:
    """The HTML text. What is put in is escaped; the filter `seconds` writes times as progress does, `said`
    texts in the language of the environment."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters["seconds"] = seconds_text
    environment.filters["said"] = said
    environment.globals["language"] = language().value
    return environment.get_template(template.name).render(**values)
