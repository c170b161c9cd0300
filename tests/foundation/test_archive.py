"""Compressed tar files that users name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.archive import pack_whole, unpack, unpack_one
from lab.foundation.progress import SilentProgress


@pytest.mark.parametrize("name", ["10:30 export", "实验 50%.bundle", "-f"])
def test_an_archive_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "file").write_text("x")
    monkeypatch.chdir(tmp_path)
    archive = Path(name)
    with SilentProgress().step("pack") as step:
        pack_whole(tmp_path / "content", ("file",), archive, 1, step)
        for folder in (tmp_path / "one", tmp_path / "all"):
            folder.mkdir()
        assert unpack_one(archive, "file", tmp_path / "one").returncode == 0
        assert unpack(archive, tmp_path / "all", 1, step).returncode == 0
    assert (tmp_path / "one" / "file").read_text() == (tmp_path / "all" / "file").read_text() == "x"
