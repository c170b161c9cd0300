"""The search of a site that is opened as files: one index for each language.

The generator writes one index of all languages, `search_index.json`, for a site on a web server. A page
that is opened as a file loads the script `search_index.js` instead, into which the plugins put the pages of
one language.
"""

from __future__ import annotations

import json
from pathlib import Path

CHINESE_PAGES = "zh/"


def write_index(site: Path) -> None:
    """Gives each page of the built site an index with the pages in its own language."""
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    chinese = [entry for entry in index["docs"] if entry["location"].startswith(CHINESE_PAGES)]
    english = [entry for entry in index["docs"] if not entry["location"].startswith(CHINESE_PAGES)]
    parts = [
        json.dumps({**index, "docs": entries}, ensure_ascii=False, separators=(",", ":"))
        for entries in (chinese, english)
    ]
    (site / "search" / "search_index.js").write_text(
        f'var __index = document.documentElement.lang === "zh" ? {parts[0]} : {parts[1]};\n', encoding="utf-8"
    )
