"""An exercise in Chinese: what a student reads is Chinese, what programs and logs get is not."""

# ruff: noqa: RUF001 - full-width punctuation is what is meant

from __future__ import annotations

import json
import re

import pytest

from tests.operations.lab_with_exercise import ExerciseLab

CHINESE = re.compile("[一-鿿]")


@pytest.fixture
def lab(exercise_lab: ExerciseLab, monkeypatch: pytest.MonkeyPatch) -> ExerciseLab:
    monkeypatch.setenv("LAB_LANG", "zh")
    exercise_lab.run("exercise", "make", "large-answers")
    return exercise_lab


def test_a_round_is_told_in_chinese(lab: ExerciseLab) -> None:
    (lab.home / "report.md").write_text("# Nothing yet\n")
    status, said = lab.run("exercise", "start", "large-answers.exercise", "--student", "1", "--name", "a")
    assert (status, "准备练习" in said, "学生 1，满分 50 分" in said) == (0, True, True)
    status, said = lab.run("exercise", "check")
    assert status == 1
    assert "可达性：2 项中有 1 项失败" in said
    assert "实验环境不正常：得 0 分，满分 50 分" in said
    status, said = lab.run("test")
    assert status == 2
    assert "实验环境 a 中正在进行练习 large-answers，而这条命令会指出原因" in said
    status, said = lab.run("handin", str(lab.home / "report.md"))
    assert (status, "正常且由手工修复：否" in said) == (0, True)
    status, said = lab.run("exercise", "stop")
    assert "故障是：" in said


def test_programs_and_logs_get_english(lab: ExerciseLab) -> None:
    lab.run("exercise", "start", "large-answers.exercise", "--student", "1", "--name", "a")
    _, said = lab.run("exercise", "check", "--json")
    verdict = json.loads(said[said.index("{\n") :])
    assert "reachability" in {each["topic"] for each in verdict["symptoms"]}
    assert CHINESE.search(json.dumps(verdict, ensure_ascii=False)) is None
    assert lab.run("fault", "list")[0] == 2
    log = lab.folder.log.read_text()
    assert "this command would say what is wrong" in log
    assert CHINESE.search(log) is None
