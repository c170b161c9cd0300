from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.cluster.secrets import load_or_make_secrets
from lab.foundation.errors import LabError


def test_made_once_and_for_nobody_else_to_read(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = load_or_make_secrets(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make_secrets(path) == made


def test_two_labs_share_nothing(tmp_path: Path) -> None:
    one, other = (load_or_make_secrets(tmp_path / name) for name in ("one", "other"))
    assert one.token != other.token
    assert one.identity != other.identity
    assert one.service_account_key != other.service_account_key


def test_token_is_one_that_kubernetes_takes(tmp_path: Path) -> None:
    assert re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", load_or_make_secrets(tmp_path / "secrets.json").token)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"token": 1', '{"token": "x", "authority": {"a": 1}}'])
def test_a_damaged_file_is_told_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    with pytest.raises(LabError, match="cannot be read"):
        load_or_make_secrets(path)
    assert path.read_text() == content
