from __future__ import annotations

import platform

import pytest

from lab.host.time_stamp_counter import counter_khz


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 processors have this counter")
def test_two_measurements_agree_to_a_ten_thousandth() -> None:
    first, second = counter_khz(), counter_khz()
    assert first is not None
    assert second is not None
    assert 500_000 < first < 10_000_000
    assert abs(first - second) * 10_000 < first


def test_other_processors_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert counter_khz() is None
