"""`lab forward`, `lab open` and `lab kubeconfig --host` on the command line; the lab is stood in for."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from lab.cli import access, doors
from lab.cli.endings import EndedError
from lab.cli.main import cli
from lab.cli.tables import show_status
from lab.doors.record import Forward
from lab.foundation.errors import LabError, WrongUseError
from lab.host.process_identity import ProcessIdentity
from lab.operations.context import Lab
from lab.operations.doors.forwarding import OpenPort
from lab.operations.status import ForwardRow, LabStatus


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """How, and to whom, ports were forwarded."""
    calls: list[tuple[str, tuple[str, ...]]] = []

    def background(_: object, ports: Sequence[OpenPort], targets: Sequence[str]) -> None:
        assert len(ports) == len(targets)
        calls.append(("background", tuple(targets)))

    def foreground(
        _: object, ports: Sequence[OpenPort], targets: Sequence[str], *, background: bool, tell: object
    ) -> None:
        assert not background
        calls.append(("foreground", tuple(targets)))

    monkeypatch.setattr(doors, "the_lab", lambda name: name)
    monkeypatch.setattr(Lab, "open", lambda folder, progress: SimpleNamespace())
    monkeypatch.setattr(access, "the_lab", lambda name: name)
    monkeypatch.setattr(doors, "targets_of", lambda _, names: tuple(names))
    monkeypatch.setattr(doors, "serve_in_background", background)
    monkeypatch.setattr(doors, "serve", foreground)
    return calls


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def test_it_says_where_it_listens(served: list[tuple[str, tuple[str, ...]]]) -> None:
    port = free_port()
    done = run("forward", f"{port}:svc/web")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"127.0.0.1:{port} and [::1]:{port} to svc/web\n"
    assert run("forward", "-b", "0:svc/a", "0:b/c").exit_code == 0
    assert served == [("foreground", ("svc/web",)), ("background", ("svc/a", "b/c"))]


@pytest.mark.parametrize("end", [KeyboardInterrupt(), EndedError(signal.SIGTERM)])
def test_it_ends_well_when_it_is_asked_to(
    served: object, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    def serve(*_: object, **__: object) -> None:
        raise end

    monkeypatch.setattr(doors, "serve", serve)
    assert run("forward", "0:api").exit_code == 0


def test_an_address_that_others_reach_is_told(served: list[tuple[str, tuple[str, ...]]]) -> None:
    done = run("forward", "0.0.0.0:0:api")
    assert "everybody who can reach 0.0.0.0 on this host can now connect to api" in done.stderr
    assert "everybody" not in run("forward", "127.0.0.2:0:api").stderr


def test_a_port_that_is_taken_is_told_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "the_lab", lambda _: pytest.fail("no lab is looked for yet"))
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        done = run("forward", f"{port}:svc/web")
    assert isinstance(done.exception, LabError)
    assert f"127.0.0.1:{port} is taken" in str(done.exception)


@pytest.mark.parametrize(
    "words", [(), ("svc/web",), ("--stop", "x"), ("--stop", "--background"), ("--stop", "8080:svc/web")]
)
def test_wrong_use(served: list[tuple[str, tuple[str, ...]]], words: tuple[str, ...]) -> None:
    assert isinstance(run("forward", *words).exception, WrongUseError)
    assert served == []


def test_what_was_ended_is_told(served: object, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Forward(("127.0.0.1:80", "[::1]:80"), 80, "api", True, "", ProcessIdentity(1, 1, ""))
    monkeypatch.setattr(doors, "stop_forwards", lambda _, ports: (forward,) if ports == [80] else ())
    assert run("forward", "--stop", "80").stdout == "ended: 127.0.0.1:80 and [::1]:80 to api\n"
    assert run("forward", "--stop").stdout == "nothing was forwarded\n"


def test_a_url_is_printed(served: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "open_service", lambda _, service: f"http://localhost:1/{service}")
    monkeypatch.setattr(doors, "show_in_browser", lambda lab, url, progress: None)
    assert run("open", "shop/web").stdout == "http://localhost:1/shop/web\n"


def test_the_path_of_the_kubeconfig_is_printed(served: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.operations.doors.host_kubeconfig.host_kubeconfig", lambda _: Path("/a/b"))
    monkeypatch.setattr(access, "kubeconfig_text", lambda _: "kind: Config\n")
    assert run("kubeconfig", "--host").stdout == "/a/b\n"
    assert run("kubeconfig").stdout == "kind: Config\n"


def test_status_lists_forwards(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        ForwardRow(("127.0.0.1:80", "[::1]:80"), "svc/default/web", True, 1, "now"),
        ForwardRow(("0.0.0.0:81",), "api", False, 2, "now"),
    )
    status = LabStatus(
        "a", "up", "macvlan", "v1", "containerd", "kvm", "-", "-", "-", (), (), (), forwards=rows
    )
    show_status(status)
    printed = capsys.readouterr().out
    assert "forwards 127.0.0.1:80 and [::1]:80 to svc/default/web (in the background)\n" in printed
    assert "forwards 0.0.0.0:81 to api (in a terminal)\n" in printed
    assert status.as_json()["forwards"][1]["pid"] == 2
