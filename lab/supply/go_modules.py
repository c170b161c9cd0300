"""What the module folders require, and where a Go module proxy has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_INDIRECT = "// indirect"
_REQUIRED = re.compile(r"^(?:require)?\s*([^\s(]+)\s+(v\S+)$")
_REPLACED = re.compile(r"^(?:replace)?\s*(\S+)(?:\s+v\S+)?\s+=>\s+(\S+)\s+(v\S+)$")
_CAPITAL = re.compile("[A-Z]")


def required_modules(folder: Path) -> tuple[tuple[str, str], ...]:
    """Path and version of each module that the folder's own packages are from, its replacements applied.

    Modules that those need in turn (`// indirect` in go.mod, https://go.dev/ref/mod#go-mod-file) are not
    among them.
    """
    lines = (folder / "go.mod").read_text().splitlines()
    replaced: Mapping[str, tuple[str, str]] = {
        found[1]: (found[2], found[3]) for line in lines if (found := _REPLACED.match(line))
    }
    required = (_REQUIRED.match(line) for line in lines if _INDIRECT not in line)
    return tuple(replaced.get(found[1], (found[1], found[2])) for found in required if found)


def proxies(said: str) -> tuple[str, ...]:
    """The URLs in a value of GOPROXY; `direct`, `off` and folders are none (https://go.dev/ref/mod)."""
    return tuple(each for each in re.split("[,|]", said.strip()) if each.startswith(("http://", "https://")))


def module_url(proxy: str, module: str, version: str) -> str:
    """Where the proxy has the go.mod of a module: capitals are written as `!` and the small letter."""
    path, number = (_CAPITAL.sub(lambda found: f"!{found[0].lower()}", text) for text in (module, version))
    return f"{proxy.rstrip('/')}/{path}/@v/{number}.mod"
