"""The processor of a host, as its guests under KVM see it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic.dataclasses import dataclass

from lab.foundation.strict import STRICT
from lab.host.about import CPU_INFO

SHOWN_FEATURES = 6


@dataclass(frozen=True, config=STRICT)
class Processor:
    """As /proc/cpuinfo has it, of the first of the host's processors."""

    name: str
    """`model name`."""
    model: str
    """Vendor, family, model and stepping: what `host-passthrough` shows guests beside the features."""
    features: tuple[str, ...]
    """`flags`, sorted."""

    @classmethod
    def of_this_host(cls) -> Self:
        return cls.parse(CPU_INFO)

    @classmethod
    def parse(cls, cpu_info: Path) -> Self:
        """From a file such as /proc/cpuinfo; what it does not tell is empty."""
        first, _, _ = cpu_info.read_text(encoding="utf-8").partition("\n\n")
        pairs = (line.partition(":") for line in first.splitlines())
        said = {key.strip(): value.strip() for key, _, value in pairs}
        return cls(said.get("model name", ""), _model(said), tuple(sorted(said.get("flags", "").split())))

    def refusals(self, here: Processor) -> tuple[str, ...]:
        """Why memory of a guest that saw this processor does not fit one that sees the other.

        libvirt and QEMU promise nothing for host-passthrough between different models:
        https://libvirt.org/formatdomain.html#cpu-model-and-topology.
        """
        if not self.model:
            return ("it does not say which processor its machines saw, as with KVM they see the host's",)
        if self.model != here.model:
            return (
                f"its machines saw the processor {self}, this host has {here}: with KVM they see the host's",
            )
        lacking = sorted(set(self.features) - set(here.features))
        if lacking:
            more = f" and {len(lacking) - SHOWN_FEATURES} more" if len(lacking) > SHOWN_FEATURES else ""
            shown = ", ".join(lacking[:SHOWN_FEATURES])
            return (f"its machines use what this host's processor does not show: {shown}{more}",)
        return ()

    def __str__(self) -> str:
        return f"{self.name or 'without a name'} ({self.model or 'of no known model'})"


UNKNOWN = Processor("", "", ())


def _model(said: Mapping[str, str]) -> str:
    keys = ("vendor_id", "cpu family", "model", "stepping")
    return "/".join(said[key] for key in keys) if all(key in said for key in keys) else ""
