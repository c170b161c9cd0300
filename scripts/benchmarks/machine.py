"""The host that figures are from."""

from __future__ import annotations

import os
import platform

from pydantic.dataclasses import dataclass

from lab.foundation.paths import cache_root
from lab.foundation.strict import STRICT
from lab.foundation.wait import Deadline
from lab.host.about import memory_gib, processor_model
from lab.host.doctor import KVM_RECORD
from lab.host.kvm import probe
from lab.supply.box import newest_box

KVM_LIMIT = 30.0


@dataclass(frozen=True, config=STRICT)
class Machine:
    """A host at the beginning of a call."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    kvm: bool
    """Whether a guest was seen to boot with it."""
    load: float | None = None
    """Processes that wanted a processor, on average over the minute before; None where nobody looked."""

    @classmethod
    def this(cls) -> Machine:
        box = newest_box(cache_root())
        record = cache_root() / KVM_RECORD
        kvm = box is not None and probe(box.kernel, Deadline(KVM_LIMIT), cache=record).usable
        load = round(os.getloadavg()[0], 1)
        return cls(processor_model(), os.cpu_count() or 1, memory_gib(), platform.release(), kvm, load)

    def __str__(self) -> str:
        how = "KVM" if self.kvm else "no KVM, guests are emulated"
        what = f"{self.processor}, {self.cores} cores, {self.memory_gib} GiB, Linux {self.kernel}, {how}"
        return what if self.load is None else f"{what}; load before: {self.load:.1f}"
