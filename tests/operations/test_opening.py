"""A Service in a browser; the forward and the API server are stood in for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.doors.record import Forward
from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.host.process_identity import ProcessIdentity
from lab.operations.context import Lab
from lab.operations.doors import opening
from lab.operations.doors.opening import open_service, show_in_browser
from lab.state.records import LabRecord
from lab.topology.plan import Plan
from tests.stand_in_site import PaperParts

URL = "http://localhost:40001/"


class StandInApi:
    """Has one Service, with two ports."""

    def read(self, path: str, *, query: list[tuple[str, str]] | None = None) -> Mapping[str, Any]:
        assert path == "/api/v1/namespaces/default/services/web"
        return {"spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 80}, {"port": 443}]}}


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def lab(plan: Plan, tmp_path: Path) -> Lab:
    folder = LabFolder(tmp_path / "a")
    record = LabRecord("a", mode="macvlan", supply="packages", created="", ready=True)
    return Lab(folder, record, plan, SilentProgress(), PaperParts(folder, made_api=StandInApi()))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []

    def start(command: list[str], log: Path, *, env: Mapping[str, str]) -> None:
        assert env is os.environ
        commands.append(command)

    monkeypatch.setattr(opening, "start_daemon", start)
    for variable in (*opening.DISPLAYS, "SUDO_USER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    return commands


@pytest.mark.parametrize(
    ("name", "target", "url"),
    [
        ("web", "svc/default/web", URL),
        ("svc/web", "svc/default/web", URL),
        ("default/web:443", "svc/default/web:443", "https://localhost:40001/"),
    ],
)
def test_the_url_of_a_service(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, name: str, target: str, url: str
) -> None:
    forward = Forward((), 40001, target, True, "", ProcessIdentity(1, 1, "boot"))
    monkeypatch.setattr(opening, "forwarded", lambda _, asked: {target: forward}[asked])
    assert open_service(lab, name) == url


@pytest.mark.parametrize("name", ["", "/", "a b"])
def test_what_is_no_service_is_refused(lab: Lab, name: str) -> None:
    with pytest.raises(WrongUseError):
        open_service(lab, name)


def test_without_a_desktop_nothing_is_started(lab: Lab, started: list[list[str]]) -> None:
    progress = Notes()
    show_in_browser(lab, URL, progress)
    assert started == []
    assert "no desktop with a browser" in progress.notes[0]


def test_the_desktop_opens_it_as_the_user_of_sudo(
    lab: Lab, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    progress = Notes()
    show_in_browser(lab, URL, progress)
    monkeypatch.setenv("SUDO_USER", "student")
    show_in_browser(lab, URL, progress)
    opener = ["/usr/bin/xdg-open", URL]
    assert started == [opener, ["runuser", "-u", "student", "--", *opener]]
    assert progress.notes == []
