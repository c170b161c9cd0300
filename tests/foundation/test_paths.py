"""Where labs and the cache lie, whatever the user's shell says."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.foundation import plain_paths
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import cache_root, labs_root
from tests.conftest import Golden

OWN_HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAB_HOME", "LAB_CACHE", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/anna")


def test_the_usual_places() -> None:
    assert labs_root() == Path("/home/anna/.local/share/lab/labs")
    assert cache_root() == Path("/home/anna/.cache/lab")


def test_named_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert labs_root() == Path("/data/lab/labs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_HOME", "mine")
    assert labs_root() == tmp_path / "mine" / "labs"


@pytest.mark.parametrize("given", ["data", "./data", "~/data"])
def test_a_relative_xdg_folder_is_ignored(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", given)
    assert labs_root() == Path("/home/anna/.local/share/lab/labs")


@pytest.mark.parametrize("home", ["", "home", None])
def test_without_a_home_in_the_environment_the_system_knows_it(
    monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    if home is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", home)
    assert cache_root() == OWN_HOME / ".cache" / "lab"


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    for root, variable in ((labs_root, "LAB_HOME"), (cache_root, "LAB_CACHE")):
        with pytest.raises(LabError, match="this user has no home folder") as refused:
            root()
        assert refused.value.resolution == f"name a folder in {variable}"


ODD = ("my labs", "实验 室/50%", "a'b", "a:b")
HIDDEN = ("/run/lab", "/var/run/lab", "/var/lib/libvirt/images/lab")


@pytest.mark.parametrize(("variable", "root"), [("LAB_HOME", labs_root), ("LAB_CACHE", cache_root)])
def test_a_folder_that_cannot_be_used_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
    compare_with_golden: Golden,
    variable: str,
    root: Callable[[], Path],
) -> None:
    said = []
    for folder in HIDDEN:
        monkeypatch.setenv(variable, folder)
        with pytest.raises(WrongUseError) as refused:
            root()
        said.append(f"{refused.value}\n")
    compare_with_golden(Path(__file__).parent / "golden" / f"refused-{variable}.txt", "\n".join(said))


@pytest.mark.parametrize("folder", ["/srv/lab+a", "/srv/a=b,c", "/srv/a@b~"])
def test_other_letters_are_taken(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.setenv("LAB_HOME", folder)
    assert labs_root() == Path(folder, "labs")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where plain paths are made."""
    there = tmp_path / "run"
    monkeypatch.setattr(plain_paths, "PLACE", there)
    return there


@pytest.mark.parametrize(("variable", "root"), [("LAB_HOME", labs_root), ("LAB_CACHE", cache_root)])
@pytest.mark.parametrize("name", ODD)
def test_a_folder_with_odd_letters_has_a_plain_path_too(
    monkeypatch: pytest.MonkeyPatch, place: Path, name: str, variable: str, root: Callable[[], Path]
) -> None:
    folder = place.parent / name
    monkeypatch.setenv(variable, str(folder))
    plain = root()
    assert plain.is_relative_to(place)
    assert plain_paths.odd_letters(Path(plain.name)) == ()
    assert plain == root()
    assert (plain if variable == "LAB_CACHE" else plain.parent).samefile(folder)


def test_a_plain_path_is_for_everybody_whatever_the_umask(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.setenv("LAB_HOME", str(place.parent / "my labs"))
    before = os.umask(0o077)
    try:
        labs_root()
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o755


def test_a_plain_path_as_the_folder_is_the_same_one(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setenv("LAB_HOME", str(place.parent / "my labs"))
    plain = labs_root()
    monkeypatch.setenv("LAB_HOME", str(plain.parent))
    assert labs_root() == plain


def test_a_link_is_followed(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    folder = place.parent / "with space"
    folder.mkdir()
    (place.parent / "link").symlink_to(folder)
    monkeypatch.setenv("LAB_HOME", str(place.parent / "link"))
    assert labs_root().parent.readlink() == folder


def test_a_plain_path_that_leads_elsewhere_is_mended(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    folder = place.parent / "my labs"
    monkeypatch.setenv("LAB_HOME", str(folder))
    link = labs_root().parent
    link.unlink()
    link.symlink_to("/nowhere")
    assert labs_root().parent.readlink() == folder
    assert plain_paths.plain_paths() == {link: folder}


def test_who_cannot_make_a_plain_path_is_told(
    monkeypatch: pytest.MonkeyPatch, compare_with_golden: Golden, place: Path
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/run/lab-folders")

    said = []
    for name in ODD:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "mkdir", refuse)
            patched.setenv("LAB_HOME", f"/srv/{name}")
            with pytest.raises(WrongUseError) as refused:
                labs_root()
        said.append(f"{refused.value}\n")
    compare_with_golden(Path(__file__).parent / "golden" / "no-plain-path.txt", "\n".join(said))


@pytest.mark.parametrize(("flag", "option"), [(os.ST_NOEXEC, "noexec"), (os.ST_RDONLY, "ro")])
def test_a_mount_on_which_no_lab_works_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flag: int, option: str
) -> None:
    asked: list[Path] = []

    def mounted(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(f_flag=flag)

    monkeypatch.setenv("LAB_HOME", str(tmp_path / "not" / "there"))
    monkeypatch.setattr(os, "statvfs", mounted)
    with pytest.raises(WrongUseError, match="no lab can be in the folder") as refused:
        labs_root()
    assert f"it is mounted {option} (see `findmnt -T {tmp_path}`)" in str(refused.value)
    assert asked == [tmp_path]
