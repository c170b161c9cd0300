from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.foundation.journal import JOURNAL
from tests.operations.lab_with_exercise import ExerciseLab


@pytest.fixture
def exercise_lab(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[ExerciseLab]:
    """No lab yet: the first start of an exercise makes it. The current folder is an empty one."""
    handlers = list(JOURNAL.handlers)
    monkeypatch.chdir(tmp_path)
    yield ExerciseLab(tmp_path_factory.mktemp("home") / "a", monkeypatch, capsys)
    JOURNAL.handlers[:] = handlers
