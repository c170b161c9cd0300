"""Writing and reading compressed tar files, with GNU tar and zstd."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lab.foundation.files import give_to_caller
from lab.foundation.process import Completed, run
from lab.foundation.progress import StepContext

RECORDS_PER_REPORT = 1000
RECORD_BYTES = 10240
"""tar's own record; it reports after so many of them."""

_LOCAL = "--force-local"
"""A colon in the name of an archive, as in a time of day, would make it one of another host's."""
_REPORT = f"--checkpoint={RECORDS_PER_REPORT}"


def pack(folder: Path, names: tuple[str, ...], target: Path, total: int, step: StepContext) -> None:
    """Write the files and folders `names` of `folder` (`total` bytes), in this order.

    Owners and times are left out. Raises ProcessFailedError when tar or zstd fails, as on a full disk.
    """
    run(
        (
            *("tar", "--create", _LOCAL, "--file", target, "--directory", folder),
            *("--use-compress-program", "zstd --threads=0 -3"),
            *("--format=gnu", "--sort=name", "--numeric-owner", "--owner=0", "--group=0", "--mtime=@0"),
            *(_REPORT, "--checkpoint-action=echo=%u"),
            *names,
        ),
        on_line=_advance(step, total),
    )


def pack_whole(
    folder: Path,
    names: tuple[str, ...],
    target: Path,
    total: int,
    step: StepContext,
    *,
    private: bool = False,
) -> None:
    """As `pack`, but the archive appears when it is whole and on the disk, and until then `target` stays.

    It belongs to the user who called sudo; with `private` nobody else may read it.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        if private:
            partial.touch(mode=0o600)
        pack(folder, names, partial, total, step)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)
        give_to_caller(target)
    finally:
        partial.unlink(missing_ok=True)


def unpack_one(archive: Path, name: str, folder: Path) -> Completed:
    """Unpack the file `name`, which is near the beginning, and read no further. Does not raise."""
    return run(("tar", *_extract(archive, folder), "--occurrence=1", name), check=False)


def unpack(archive: Path, folder: Path, total: int, step: StepContext) -> Completed:
    """Unpack everything (`total` bytes) below `folder`. Does not raise when it cannot be read to the end."""
    words = ("tar", *_extract(archive, folder), _REPORT, "--checkpoint-action=echo=%u")
    return run(words, check=False, on_line=_advance(step, total))


def _extract(archive: Path, folder: Path) -> tuple[str | Path, ...]:
    return (
        *("--extract", _LOCAL, "--file", archive, "--directory", folder, "--use-compress-program", "zstd"),
        *("--touch", "--no-same-owner", "--no-same-permissions"),
    )


def _advance(step: StepContext, total: int) -> Callable[[str], None]:
    def advance(line: str) -> None:
        number = line.rpartition(" ")[2]
        if number.isdigit():
            step.advance(min(int(number) * RECORD_BYTES, total), total)

    return advance
