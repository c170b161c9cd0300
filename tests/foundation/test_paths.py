"""Where labs and the cache lie, whatever the user's shell says."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

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


REFUSED = (
    *("/srv/my labs", "/srv/实验 室/50%", "/srv/a'b", "/srv/a:b"),
    *("/run/lab", "/var/run/lab", "/var/lib/libvirt/images/lab"),
)


@pytest.mark.parametrize(("variable", "root"), [("LAB_HOME", labs_root), ("LAB_CACHE", cache_root)])
def test_a_folder_that_cannot_be_used_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
    compare_with_golden: Golden,
    variable: str,
    root: Callable[[], Path],
) -> None:
    said = []
    for folder in REFUSED:
        monkeypatch.setenv(variable, folder)
        with pytest.raises(WrongUseError) as refused:
            root()
        said.append(f"{refused.value}\n")
    compare_with_golden(Path(__file__).parent / "golden" / f"refused-{variable}.txt", "\n".join(said))


@pytest.mark.parametrize("folder", ["/srv/lab+a", "/srv/a=b,c", "/srv/a@b~"])
def test_other_letters_are_taken(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.setenv("LAB_HOME", folder)
    assert labs_root() == Path(folder, "labs")


def test_a_link_is_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "with space").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "with space")
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "link"))
    with pytest.raises(WrongUseError):
        labs_root()


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
