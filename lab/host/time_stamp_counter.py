"""The frequency of the processor's time stamp counter, measured.

An emulated guest reads the host's counter and has to find out how fast it runs. On a busy host its own
calibration goes wrong: its clock was seen to run four times too fast, so that every time limit in it ended
four times too early. It is told the right frequency instead.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

READ_COUNTER = bytes.fromhex("0f31 48c1e220 4809d0 c3")
"""rdtsc; shl rdx, 32; or rax, rdx; ret: Intel's manual, volume 2."""

INTERVAL_SECONDS = 0.1
ATTEMPTS = 50
"""Readings at either end, of which the least disturbed one counts."""


@dataclass(frozen=True)
class _Reading:
    nanoseconds: int
    ticks: int
    disturbance: int
    """Nanoseconds between the readings of the clock before and after that of the counter."""


def counter_khz() -> int | None:
    """The frequency in kHz, right to a few millionths; None on processors other than x86-64."""
    if platform.machine() != "x86_64":
        return None
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(READ_COUNTER)
        code = ctypes.c_char.from_buffer(page)
        try:
            counter = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(code))
            first = _read(counter)
            time.sleep(INTERVAL_SECONDS)
            last = _read(counter)
        finally:
            del code
    return round((last.ticks - first.ticks) * 1_000_000 / (last.nanoseconds - first.nanoseconds))


def _read(counter: Callable[[], int]) -> _Reading:
    def once() -> _Reading:
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        ticks = counter()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return _Reading((before + after) // 2, ticks, after - before)

    return min((once() for _ in range(ATTEMPTS)), key=lambda reading: reading.disturbance)
