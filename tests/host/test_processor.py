"""Whether the memory of a guest fits another host's processor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.host.processor import UNKNOWN, Processor

CPU_INFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 142
model name\t: Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz
stepping\t: 10
microcode\t: 0xf4
flags\t\t: sse4_2 avx2 aes

processor\t: 1
vendor_id\t: Other
"""


@pytest.fixture
def laptop(tmp_path: Path) -> Processor:
    (tmp_path / "cpuinfo").write_text(CPU_INFO)
    return Processor.parse(tmp_path / "cpuinfo")


def test_it_is_read_from_cpuinfo(laptop: Processor) -> None:
    assert laptop == Processor(
        "Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "GenuineIntel/6/142/10", ("aes", "avx2", "sse4_2")
    )


def test_the_same_or_one_with_more_features_fits(laptop: Processor) -> None:
    assert laptop.refusals(laptop) == ()
    assert laptop.refusals(replace(laptop, features=(*laptop.features, "xsaves"))) == ()


def test_another_model_is_refused_with_both_names(laptop: Processor) -> None:
    (why,) = laptop.refusals(Processor("AMD Ryzen 5", "AuthenticAMD/23/96/1", laptop.features))
    assert "i7-8550U CPU @ 1.80GHz (GenuineIntel/6/142/10)" in why
    assert "AMD Ryzen 5 (AuthenticAMD/23/96/1)" in why


def test_features_that_are_switched_off_are_named(laptop: Processor) -> None:
    (why,) = laptop.refusals(replace(laptop, features=("aes",)))
    assert why.endswith("does not show: avx2, sse4_2")
    many = replace(laptop, features=tuple(f"f{number}" for number in range(9)))
    assert many.refusals(replace(laptop, features=()))[0].endswith("f5 and 3 more")


def test_one_that_is_not_known_fits_nowhere(laptop: Processor) -> None:
    assert "does not say which processor" in UNKNOWN.refusals(laptop)[0]


def test_this_host_has_one() -> None:
    assert Processor.of_this_host().features
