"""A network mode and its options in one word, such as `macvlan:host_shim=false`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.foundation.errors import WrongUseError

OptionValue = bool | int | str


@dataclass(frozen=True)
class ModeChoice:
    """A mode by its name, and what of its options is not left to their defaults."""

    name: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)

    @classmethod
    def parse(cls, word: str) -> ModeChoice:
        """From `MODE` or `MODE:OPTION=VALUE[:OPTION=VALUE]`. Raises WrongUseError for another form."""
        name, *pieces = word.split(":")
        options: dict[str, OptionValue] = {}
        for piece in pieces:
            option, found, value = piece.partition("=")
            if not option or not found or not value:
                raise WrongUseError(
                    f"{word!r} does not name a mode with options",
                    details=f"{piece!r} is not OPTION=VALUE",
                    resolution="write it as in macvlan:host_shim=false",
                )
            options[option] = _value(value)
        return cls(name, options)

    def __str__(self) -> str:
        options = (f"{name}={_text(self.options[name])}" for name in sorted(self.options))
        return ":".join((self.name, *options))


def _value(text: str) -> OptionValue:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _text(value: OptionValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
