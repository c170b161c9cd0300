"""The plugin, compiled and loaded into the real emulator."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.bench import counter
from lab.bench.counter import EMULATOR, Instructions, build_plugin, read_counts
from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline, NotYetError, wait_for


def test_the_emulator_counts_what_a_guest_executes(tmp_path: Path) -> None:
    plugin = build_plugin(tmp_path)
    assert build_plugin(tmp_path) == plugin
    count = tmp_path / "guest.count"
    guest = subprocess.Popen(
        [
            EMULATOR,
            "-accel",
            "tcg",
            "-m",
            "32",
            "-display",
            "none",
            "-nodefaults",
            "-plugin",
            f"{plugin},counts={count}",
        ],
        stdout=subprocess.DEVNULL,
    )
    try:

        def firmware_ran() -> Instructions:
            found = read_counts([count])
            if found.programs < 1000:
                raise NotYetError(f"{found}")
            return found

        counted = wait_for(
            firmware_ran, what="the firmware", deadline=Deadline(60.0), interval=0.1, retry_on=(LabError,)
        )
    finally:
        guest.kill()
        guest.wait()
    assert counted.kernel == 0, "the firmware runs below the kernel's half of the addresses"


def test_counts_of_all_processors_and_guests_add_up(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    files[0].write_bytes(b"".join(number.to_bytes(8, "little") for number in (1, 2, 10, 20)))
    files[1].write_bytes(b"".join(number.to_bytes(8, "little") for number in (100, 200)))
    assert read_counts(files) == Instructions(111, 222)


def test_a_plugin_that_was_not_loaded_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no instructions were counted"):
        read_counts([tmp_path / "none"])


def test_without_a_compiler_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter, "COMPILERS", ("no-such-compiler",))
    with pytest.raises(LabError, match="no C compiler") as failed:
        build_plugin(tmp_path)
    assert "apt-get install gcc libc6-dev" in str(failed.value)
