"""What programs get of the user's environment, whatever shell `lab` is called from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lab.foundation.environment import for_programs, inside_a_lab, lost_to_sudo, of_the_user, search_path
from lab.foundation.process import run, run_with_terminal

ASTRAY = {
    "VAGRANT_DOTFILE_PATH": "/tmp/dot",
    "VAGRANT_NO_PLUGINS": "1",
    "RUBYOPT": "-rno_such_library",
    "GEM_HOME": "/tmp/gems",
    "BUNDLE_GEMFILE": "/tmp/Gemfile",
    "PYTEST_ADDOPTS": "-p no_such_plugin",
    "PYTHONPATH": "/tmp/python",
    "GOFLAGS": "-no-such-flag",
    "LIBVIRT_DEFAULT_URI": "test:///default",
    "KUBECONFIG": "/tmp/another-cluster",
    "LC_ALL": "zh_CN.GBK",
    "LANG": "zh_CN.GBK",
}
"""Of users; each changes what a program does that `lab` runs."""
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def _users_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ASTRAY.items():
        monkeypatch.setenv(name, value)
    for name in PROXIES:
        monkeypatch.setenv(name, "http://192.0.2.1:3128")
    monkeypatch.setenv("GOPROXY", "https://goproxy.example")
    monkeypatch.setenv("LAB_SUPPLY", "packages")
    monkeypatch.setenv("PATH", "/opt/bin:/usr/bin:/bin")


def test_nothing_leads_programs_astray() -> None:
    for given in (for_programs(), inside_a_lab()):
        assert {name: given[name] for name in ASTRAY if name in given} == {"LC_ALL": "C.UTF-8"}
        assert given["LAB_SUPPLY"] == "packages"
        assert given["HOME"] == os.environ["HOME"]


def test_proxies_are_for_what_reaches_out_only() -> None:
    assert {*PROXIES, "GOPROXY"} <= for_programs().keys()
    for given in (inside_a_lab(), of_the_user({})):
        assert not set(PROXIES) & given.keys()
        assert given["GOPROXY"] == "https://goproxy.example", "it names a server, and Go asks it by no proxy"


def test_the_systems_folders_come_last_on_the_path() -> None:
    assert search_path() == "/opt/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
    assert for_programs()["PATH"] == of_the_user({})["PATH"] == search_path()


def test_folders_that_are_there_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin")
    assert search_path() == "/usr/sbin:/usr/bin:/usr/local/sbin:/sbin"


def test_what_is_asked_for_is_added() -> None:
    for made in (for_programs, inside_a_lab, of_the_user):
        assert made({"GOFLAGS": "-mod=readonly", "PATH": "/x"})["GOFLAGS"] == "-mod=readonly"
        assert made({"PATH": "/x"})["PATH"] == "/x"


def test_a_users_own_program_keeps_the_users_variables() -> None:
    assert of_the_user({})["LANG"] == "zh_CN.GBK"
    assert of_the_user({"KUBECONFIG": "/lab/kubeconfig"})["KUBECONFIG"] == "/lab/kubeconfig"


def test_children_get_just_that(tmp_path: Path) -> None:
    printed = run(["env"], env={"ONE": "more"}).stdout.splitlines()
    names = {line.partition("=")[0] for line in printed}
    assert names >= {"ONE", "HTTPS_PROXY", "PATH", "LAB_SUPPLY"}
    assert not names & (ASTRAY.keys() - {"LC_ALL"})
    script = "import os, pathlib; pathlib.Path('names').write_text(chr(10).join(os.environ))"
    words = ["sh", "-c", f'cd {tmp_path} && exec {sys.executable} -c "{script}"']
    assert run_with_terminal(words, env={"LAB_NAME": "a"}) == 0
    names = set((tmp_path / "names").read_text().splitlines())
    assert names >= {"LAB_NAME", "PATH"}
    assert not names & {*PROXIES, *(ASTRAY.keys() - {"LC_ALL"})}


def test_a_silent_program_writes_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["sh", "-c", "echo seen; echo seen >&2; exit 3"]
    assert run_with_terminal(words, env={}, silent=True) == 3
    assert capfd.readouterr() == ("", "")
    run_with_terminal(words, env={})
    assert capfd.readouterr() == ("seen\n", "seen\n")


def process(processes: Path, number: int, name: str, parent: int, *variables: str) -> None:
    folder = processes / str(number)
    folder.mkdir()
    (folder / "comm").write_text(f"{name}\n")
    (folder / "stat").write_text(f"{number} ({name}) S {parent} 1 1 0 -1")
    (folder / "environ").write_bytes(b"".join(os.fsencode(each) + b"\0" for each in variables))


def test_what_sudo_has_not_passed_on_is_named(tmp_path: Path) -> None:
    process(tmp_path, os.getppid(), "odd) name", 40)
    users = ("GOPROXY=a", "LAB_SUPPLY=b", "LAB_HOME=c", "https_proxy=d", "SOCKS_PROXY=e", "EDITOR=vi")
    process(tmp_path, 40, "sudo", 39, *users)
    process(tmp_path, 39, "sudo", 1, "LAB_NAME=older")
    assert lost_to_sudo(tmp_path) == ("LAB_HOME", "SOCKS_PROXY")


@pytest.mark.parametrize("name", ["bash", "sudoedit"])
def test_without_sudo_nothing_is_lost(tmp_path: Path, name: str) -> None:
    process(tmp_path, os.getppid(), name, 0, "LAB_HOME=c")
    assert lost_to_sudo(tmp_path) == ()


def test_a_user_who_may_not_look_is_told_nothing(tmp_path: Path) -> None:
    process(tmp_path, os.getppid(), "sudo", 1)
    (tmp_path / str(os.getppid()) / "environ").unlink()
    assert lost_to_sudo(tmp_path) == ()
