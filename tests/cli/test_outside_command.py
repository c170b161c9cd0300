"""`lab outside` on the command line; the lab is stood in for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from lab.cli import outside
from lab.cli.main import cli
from lab.cli.tables import show_status
from lab.operations.doors.outside import OutsideRequest
from lab.operations.status import LabStatus, OutsideRow

OPEN = OutsideRow("open", ("uplink", "underlay"), allow_lan=True, since="now")
OF_HOST = replace(OPEN, allow_host=True, allow_lan=False, host_address="10.0.2.2")
BROKEN = replace(OPEN, state="broken", broken="slirp4netns ended")


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ("outside", *words))


@pytest.fixture(autouse=True)
def a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "the_lab", lambda name: name)


def test_how_it_was_opened_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def opened(_: object, request: OutsideRequest, __: object) -> OutsideRow:
        asked.append(request)
        return OF_HOST

    monkeypatch.setattr(outside, "open_outside", opened)
    done = run("open", "--network", "uplink", "--network", "underlay", "--allow-host")
    assert done.stdout == (
        "outside: open from uplink, underlay; this host reached at 10.0.2.2, private addresses off limits\n"
    )
    assert run("open", "--allow-lan").exit_code == 0
    assert asked == [OutsideRequest(("uplink", "underlay"), allow_host=True), OutsideRequest(allow_lan=True)]


def test_closing_says_whether_it_was_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "close_outside", lambda lab: lab == "a")
    assert run("close", "--name", "a").stdout == "closed\n"
    assert run("close", "--name", "b").stdout == "it was not open\n"


@pytest.mark.parametrize(
    ("row", "lines"),
    [
        (OutsideRow("closed"), ["outside: closed"]),
        (OPEN, ["outside: open from uplink, underlay; this host off limits, private addresses reached"]),
        (
            BROKEN,
            [
                "outside: open from uplink, underlay; this host off limits, private addresses reached",
                "wrong: outside: slirp4netns ended; `lab outside open --network uplink --network underlay"
                " --allow-lan` mends it",
            ],
        ),
    ],
)
def test_status(monkeypatch: pytest.MonkeyPatch, row: OutsideRow, lines: list[str]) -> None:
    monkeypatch.setattr(outside, "outside_status", lambda _: row)
    assert run("status").stdout.splitlines() == lines
    assert json.loads(run("status", "--json").stdout)["state"] == row.state


def test_the_status_of_a_lab_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    closed = LabStatus("a", "up", "macvlan", "v1", "containerd", "kvm", "-", "-", "-", (), (), ())
    show_status(closed)
    assert "outside" not in capsys.readouterr().out
    assert closed.as_json()["outside"]["state"] == "closed"
    show_status(replace(closed, outside=BROKEN))
    assert "wrong: outside: slirp4netns ended" in capsys.readouterr().out
