from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[Path, str], None]


@pytest.fixture
def compare_with_golden() -> Golden:
    """Compares a text with a file that holds what is right; UPDATE_GOLDEN=1 writes the file anew."""

    def compare(file: Path, text: str) -> None:
        if os.environ.get("UPDATE_GOLDEN") == "1":
            file.write_text(text)
        assert file.is_file(), f"{file} is missing; if this text is right, run with UPDATE_GOLDEN=1\n{text}"
        assert text == file.read_text()

    return compare
