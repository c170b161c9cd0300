import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.files import (
    lay_over,
    make_folder,
    sha256_of,
    write_atomically,
    write_output,
    write_report,
)
from lab.foundation.process import run


def test_content_and_mode_are_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomically(path, "text", mode=0o600)
    assert path.read_text() == "text"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_named_and_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LabError, match="the disk is full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_what_cannot_be_written_is_said_with_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match=r"cannot write .*/below: File exists"):
        write_atomically(tmp_path / "file" / "below", "x")


def test_output_goes_through_a_link_to_the_file_behind_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    write_output(tmp_path / "link", "·")
    assert (tmp_path / "file").read_bytes() == "·".encode()
    assert (tmp_path / "link").is_symlink()


def test_output_into_a_pipe_leaves_it_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    write_output(pipe, "x")
    assert os.read(reader, 10) == b"x"
    os.close(reader)
    assert pipe.is_fifo()


def test_output_makes_no_folders(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="there is no folder"):
        write_output(tmp_path / "no" / "such", "x")


@pytest.fixture
def _umask_077() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask_077")
def test_a_checkout_made_under_any_umask_gives_the_same_modes(tmp_path: Path) -> None:
    checkout, root = tmp_path / "checkout", tmp_path / "root"
    (checkout / "etc" / "new").mkdir(parents=True)
    (checkout / "etc" / "file").write_text("new")
    (checkout / "etc" / "program").write_text("new")
    (checkout / "etc" / "program").chmod(0o700)
    (checkout / "etc" / "link").symlink_to("file")
    make_folder(root / "etc")
    (root / "etc").chmod(0o711)
    (root / "etc" / "kept").write_text("kept")
    (root / "etc" / "file").write_text("old")
    lay_over(checkout, root)
    modes = {path.name: path.lstat().st_mode & 0o777 for path in root.rglob("*") if not path.is_symlink()}
    assert modes == {"etc": 0o711, "new": 0o755, "file": 0o644, "program": 0o755, "kept": 0o600}
    assert (root / "etc" / "file").read_text() == "new"
    assert (root / "etc" / "link").readlink() == Path("file")
    assert root.stat().st_mode & 0o777 == 0o755


@pytest.mark.usefixtures("_umask_077")
def test_what_children_make_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    run(["touch", tmp_path / "made"])
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o644


def test_a_report_and_new_folders_belong_to_the_caller(tmp_path: Path, given_to_caller: list[Path]) -> None:
    report = tmp_path / "new" / "reports" / "page.html"
    write_report(report, "x")
    assert given_to_caller == [tmp_path / "new", report.parent, report]
    given_to_caller.clear()
    write_report(report, "y")
    assert given_to_caller == [report]


def test_output_belongs_to_the_caller_but_no_pipe_does(tmp_path: Path, given_to_caller: list[Path]) -> None:
    write_output(tmp_path / "file", "x")
    assert given_to_caller == [tmp_path / "file"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    write_output(pipe, "x")
    os.close(reader)
    assert given_to_caller == [tmp_path / "file"]


@pytest.mark.parametrize("user", ["", "anna", "-1"])
def test_without_sudo_nothing_is_given(
    tmp_path: Path, given_to_caller: list[Path], monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    monkeypatch.setenv("SUDO_UID", user)
    write_output(tmp_path / "file", "x")
    assert given_to_caller == []


def test_a_disk_without_owners_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "100")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", refuse)
    write_output(tmp_path / "file", "x")
    assert (tmp_path / "file").read_text() == "x"
