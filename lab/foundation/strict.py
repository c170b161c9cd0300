"""Files of the program's own are read strictly: what is not as this version writes it is an error."""

from __future__ import annotations

from pydantic import ConfigDict, ValidationError

STRICT = ConfigDict(extra="forbid")


def problems_of(error: ValidationError) -> str:
    """What is wrong, a line each: the place in the file, then why."""
    return "\n".join(
        f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)
    )
