"""People are spoken to in the language of their environment; logs, JSON and errors stay English."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lab.cli.common import show_error
from lab.foundation.errors import LabError
from lab.foundation.language import VARIABLES, Catalogue, Language, language, said
from lab.foundation.message_file import Entry, messages_text, read_messages
from lab.foundation.progress import ConsoleProgress

CATALOGUE = Catalogue(
    {
        "there is no lab named {1}": "甲 {1}",
        "the lab {1} is in mode {2}, not {3}": "{3} 乙 {1} {2}",
        "the lab {1} is not running": "丙 {1}",
        "{1} was made anew: {2}": "丁 {1} 己 {2}",
        "labels": "戊",
        "no step {1}{2}": "{1} 己{2}",
    }
)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, Language.ENGLISH),
        ({"LANG": "zh_CN.UTF-8"}, Language.CHINESE),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, Language.ENGLISH),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, Language.CHINESE),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, Language.CHINESE),
        ({"LANG": "zh_CN.UTF-8", "LAB_LANG": "en"}, Language.ENGLISH),
        ({"LC_ALL": "C", "LAB_LANG": "zh"}, Language.CHINESE),
        ({"LANG": "de_DE.UTF-8"}, Language.ENGLISH),
    ],
)
def test_the_first_variable_that_is_set_decides(
    environment: dict[str, str], wanted: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language() is wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("labels", "戊"),
        ("there is no lab named labels", "甲 labels"),
        ("the lab a is in mode b, not c", "c 乙 a b"),
        ("labels of it", "labels of it"),
        ("no step up", "up 己"),
        ("no step up; did you mean 'down'?", "up 己; did you mean 'down'?"),
        ("a was made anew: the lab a is not running", "丁 a 己 丙 a"),
        ("labels\n\nnobody knows this\nlabels", "戊\n\nnobody knows this\n戊"),
        ("nobody knows this", "nobody knows this"),
        ("there is no lab named {1} \\1", "甲 {1} \\1"),
    ],
)
def test_values_go_to_their_places(text: str, wanted: str) -> None:
    assert CATALOGUE.translated(text) == wanted


def test_a_catalogue_is_read_as_it_was_written(tmp_path: Path) -> None:
    entries = (
        Entry('a "b"\n\tc \\ {1}', "甲“乙”\n{1}", "lab/a.py"),
        Entry("d", "", "lab/a.py"),
        Entry("e", "丁", "lab/b.py", fuzzy=True),
    )
    path = tmp_path / "a.po"
    path.write_text(messages_text(entries))
    assert read_messages(path) == entries
    path.write_text('msgid "f"\n"g"\nmsgstr ""\n"己"\n')
    assert read_messages(path) == (Entry("fg", "己"),)
    path.write_text("nothing of it\n")
    with pytest.raises(ValueError, match="nothing of it"):
        read_messages(path)


def test_an_error_is_shown_in_chinese_and_stays_english(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_LANG", "zh")
    error = LabError(
        "the lab a is not running", details="last seen: 7\nas is", resolution="wait until it has ended"
    )
    show_error(error)
    shown = capsys.readouterr().err
    assert shown.replace("\uff1a", ":") == (
        "错误:实验环境 a 没有运行\n  最后看到的情况:7\n  as is\n解决办法:请等它结束\n"
    )
    assert str(error).startswith("the lab a is not running\n")


def test_steps_are_shown_in_chinese_and_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_LANG", "zh_CN.UTF-8")
    stream = io.StringIO()
    progress = ConsoleProgress(stream)
    with progress.step("pod network"):
        progress.note("nothing of a is left")
    assert "... Pod 网络\n  a 已全部清除\n" in stream.getvalue()
    assert [time.name for time in progress.times] == ["pod network"]
    monkeypatch.setenv("LAB_LANG", "en")
    assert said("pod network") == "pod network"
