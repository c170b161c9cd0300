import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.state.records import (
    LabRecord,
    NoSuchLabError,
    SnapshotRecord,
    choose_lab,
    lab_folder,
    locked,
    read_record,
    remove_folder,
    write_record,
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))


def _make(name: str) -> None:
    lab_folder(name).root.mkdir(parents=True)


def test_a_record_comes_back_as_it_was_written() -> None:
    record = LabRecord("a", mode="macvlan", supply="packages", created="2024-01-01T00:00:00+00:00")
    record = record.with_step("boot", 1.5).with_step("init", 3).with_step("boot", 2)
    images = {"registry.lab.internal/calico-node:v3.25.0": "0" * 64}
    snapshot = SnapshotRecord("mine", "calico-vxlan", ready=True, made="", images_on_demand=images)
    record = replace(record, images_on_demand=images, snapshots=(snapshot,))
    write_record(lab_folder("a"), record)
    again = read_record(lab_folder("a"))
    assert again == record
    assert [step.name for step in record.steps] == ["init", "boot"]


def test_no_record_is_none_and_a_broken_one_says_what_to_do() -> None:
    assert read_record(lab_folder("a")) is None
    _make("a")
    lab_folder("a").state.write_text('{"name": "a"')
    with pytest.raises(LabError) as broken:
        read_record(lab_folder("a"))
    assert broken.value.resolution == "lab down --name a"


def test_the_only_lab_is_chosen() -> None:
    _make("one")
    assert choose_lab(None).name == "one"


def test_without_a_lab_the_command_that_makes_one_is_named() -> None:
    with pytest.raises(NoSuchLabError) as none:
        choose_lab(None)
    assert none.value.resolution == "lab up --topology underlay-3node"


def test_several_labs_are_listed() -> None:
    _make("one")
    _make("two")
    with pytest.raises(NoSuchLabError) as several:
        choose_lab(None)
    assert several.value.details == "labs: one, two"
    assert choose_lab("two").name == "two"
    with pytest.raises(NoSuchLabError, match="no lab named three"):
        choose_lab("three")


def _hold(
    name: str, held: "multiprocessing.synchronize.Event", release: "multiprocessing.synchronize.Event"
) -> None:
    with locked(lab_folder(name)):
        held.set()
        release.wait(30)


def test_a_second_command_on_the_same_lab_is_refused_and_a_killed_one_frees_the_lab() -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=("a", held, release))
    other.start()
    assert held.wait(30)
    with pytest.raises(LabError, match="another command is changing the lab a"), locked(lab_folder("a")):
        pass
    other.kill()
    other.join()
    with locked(lab_folder("a")):
        pass


def test_removing_the_folder_leaves_nothing(tmp_path: Path) -> None:
    with locked(lab_folder("a")):
        write_record(lab_folder("a"), LabRecord("a", mode="m", supply="packages", created=""))
        remove_folder(lab_folder("a"))
    assert list((tmp_path / "labs").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"3", b"\xff\xfe\x00", b'{"name": "a"}'],
)
def test_a_record_that_is_none_is_an_error_whatever_it_is(content: bytes) -> None:
    _make("a")
    lab_folder("a").state.write_bytes(content)
    with pytest.raises(LabError, match="cannot be read") as unreadable:
        read_record(lab_folder("a"))
    assert unreadable.value.resolution == "lab down --name a"


@pytest.mark.parametrize("change", [{"ready": "perhaps"}, {"steps": None}, {"of_a_later_version": 1}])
def test_a_record_of_another_version_names_what_is_wrong(change: dict[str, object]) -> None:
    write_record(lab_folder("a"), LabRecord("a", mode="macvlan", supply="packages", created=""))
    said = json.loads(lab_folder("a").state.read_text())
    lab_folder("a").state.write_text(json.dumps({**said, **change}))
    with pytest.raises(LabError) as unreadable:
        read_record(lab_folder("a"))
    assert next(iter(change)) in str(unreadable.value.details)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/b", "/a", ".a", "-a", "a b", "A", "实验室", "a\n", "a" * 64]
)
def test_a_name_that_is_no_host_name_is_no_name_for_a_lab(name: str) -> None:
    with pytest.raises(WrongUseError, match="is not a valid lab name"):
        lab_folder(name)
