"""Batches: one script, many commands, every output told apart; run here with the local bash."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from acceptance.asking import Machine, PodOnNode, ask
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.probes import Answer, Probe, Protocol, Vantage
from acceptance.problems import SuiteError, Unasked
from acceptance.shell import (
    SOCKET_NAME_LENGTH,
    Command,
    LocalShell,
    SshConnections,
    batch_script,
    folder_for_sockets,
    parse_batch,
    run_batch,
)

HERE = Endpoint(EndpointKind.NODE, "here")


def test_outputs_are_told_apart() -> None:
    commands = (
        Command("fine", "echo one; echo two"),
        Command("fails", "echo 'what went wrong' >&2; exit 3"),
        Command("quoted", """printf '%s' "it's \\"quoted\\" $USER_OF_NOTHING" """),
        Command("silent", "true"),
        Command("shared", 'echo "$greeting"'),
    )
    seen = run_batch(LocalShell(), commands, prelude="greeting=hello; USER_OF_NOTHING=x")
    assert (seen["fine"].status, seen["fine"].stdout) == (0, "one\ntwo")
    assert (seen["fails"].status, seen["fails"].reason) == (3, "what went wrong")
    assert seen["quoted"].stdout == 'it\'s "quoted" x'
    assert (seen["silent"].status, seen["silent"].stdout) == (0, "")
    assert seen["shared"].stdout == "hello"


def test_commands_run_at_the_same_time() -> None:
    """Each waits for the other, so one after the other would never end."""
    wait = "for _ in $(seq 100); do [ -e {} ] && exit 0; sleep 0.05; done; exit 1"
    commands = (
        Command("first", "touch first; " + wait.format("second")),
        Command("second", "touch second; " + wait.format("first")),
    )
    assert {output.status for output in run_batch(LocalShell(), commands).values()} == {0}


def test_nothing_is_left_behind() -> None:
    folder = run_batch(LocalShell(), (Command("where", "pwd"),))["where"].stdout
    assert folder.startswith(("/run/", "/tmp/"))
    assert not Path(folder).exists()


def test_a_variable_that_is_not_set_is_an_error() -> None:
    seen = run_batch(LocalShell(), (Command("unset", 'echo "$no_such_variable"'),))
    assert seen["unset"].status != 0


def test_an_answer_that_is_cut_short_is_an_error() -> None:
    commands = (Command("one", "true"), Command("two", "true"))
    script = batch_script(commands, "mark")
    whole = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert set(parse_batch(whole, commands, "mark", "k8s-node1")) == {"one", "two"}
    with pytest.raises(SuiteError, match="the answer of k8s-node1 is cut short"):
        parse_batch(whole[: len(whole) // 2], commands, "mark", "k8s-node1")


def test_a_machine_that_does_not_finish_is_an_error() -> None:
    with pytest.raises(SuiteError, match="this machine did not finish its commands within 1 s"):
        run_batch(LocalShell(), (Command("slow", "exec sleep 30"),), timeout=1)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A socket's path has at most 107 characters; pytest's own folders are longer in some runs."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", ["short", "long" * 20, "50% of it", "two words"])
def test_sockets_fit_wherever_temporary_files_go(
    short_folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with pam_tmpdir, or below the folder of a course."""
    place = short_folder / name
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with folder_for_sockets() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder.parent == place) == (name == "short")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / ("c" * SOCKET_NAME_LENGTH)))
    assert not folder.exists()


def test_a_node_that_cannot_be_reached_is_a_problem_of_its_probes(short_folder: Path) -> None:
    lab_config = short_folder / "lab_config"
    lab_config.write_text("Host gone\n  HostName 127.0.0.1\n  Port 9\n")
    connections = SshConnections.open(lab_config, short_folder)
    machine = Machine("gone", connections.to("gone"), {HERE: Vantage("node.gone", "", 1)})
    seen = ask([machine], {HERE: [Probe("p", Protocol.PING, "127.0.0.1")]}, facts_about={"gone": ()})
    assert not seen.answers[HERE, "p"].asked
    assert "commands on gone failed" in seen.answers[HERE, "p"].error
    assert "Connection refused" in str(seen.facts["gone"])


class _Netexec(BaseHTTPRequestHandler):
    """Answers /dial as agnhost does."""

    def do_GET(self) -> None:
        asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        body, code = json.dumps({"responses": [f"10.0.0.{len(asked['host'])}:4321"]}), 200
        if asked["host"] == "slow":
            self.rfile.read()
        if asked["host"] == "other-program":
            code = 404
        if asked["host"] == "silent":
            body = json.dumps({"errors": ["i/o timeout"]})
        if asked["host"] == "mute":
            body = ""
        if asked["host"] == "nowhere":
            body, code = "host and/or port param are invalid. no such host", 400
        if asked["request"] == "hostname":
            body = json.dumps({"responses": [f"{asked['protocol']}-{asked['host']}-{asked['port']}"]})
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def netexec() -> Iterator[Machine]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Netexec) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Machine("here", LocalShell(), {HERE: Vantage("node.here", "", server.server_port)})
        server.shutdown()


def test_probes_come_back_with_what_the_target_said(netexec: Machine) -> None:
    probes = [
        Probe("ping", Protocol.PING, "127.0.0.1"),
        Probe("tcp", Protocol.TCP, "abc", 8080),
        Probe("udp", Protocol.UDP, "abcd", 8081, "hostname"),
        Probe("silent", Protocol.TCP, "silent", 8080),
        Probe("nowhere", Protocol.TCP, "nowhere", 8080),
        Probe("refused", Protocol.TCP, "", url="http://127.0.0.1:9/"),
    ]
    seen = ask([netexec], {HERE: probes}).answers
    assert seen[HERE, "ping"].answered
    assert seen[HERE, "tcp"] == Answer.heard("10.0.0.3:4321")
    assert seen[HERE, "tcp"].source == IPv4Address("10.0.0.3")
    assert seen[HERE, "udp"] == Answer.heard("udp-abcd-8081")
    assert seen[HERE, "silent"] == Answer.silence("i/o timeout")
    assert seen[HERE, "nowhere"].silent
    assert seen[HERE, "nowhere"].error == "host and/or port param are invalid. no such host"
    assert seen[HERE, "refused"].silent
    assert "127.0.0.1 port 9" in seen[HERE, "refused"].error


def test_a_sender_may_have_any_name(netexec: Machine) -> None:
    (vantage,) = netexec.vantages.values()
    odd = Machine("here", netexec.shell, {HERE: replace(vantage, key="pod.x/probe 50%")})
    probes = [Probe("ping", Protocol.PING, "127.0.0.1"), Probe("tcp", Protocol.TCP, "abc", 8080)]
    seen = ask([odd], {HERE: probes}).answers
    assert seen[HERE, "ping"].answered
    assert seen[HERE, "tcp"] == Answer.heard("10.0.0.3:4321")


def test_a_sender_that_says_nothing_of_the_target_has_not_asked(netexec: Machine) -> None:
    answer = ask([netexec], {HERE: [Probe("tcp", Protocol.TCP, "mute", 8080)]}).answers[HERE, "tcp"]
    assert not answer.asked
    assert answer.error == "the sender's own netexec says HTTP 200, and nothing of the target"


def test_a_sender_without_netexec_is_told_from_a_silent_target() -> None:
    machine = Machine("here", LocalShell(), {HERE: Vantage("node.here", "", 9)})
    answer = ask([machine], {HERE: [Probe("tcp", Protocol.TCP, "10.0.0.1", 8080)]}).answers[HERE, "tcp"]
    assert not answer.asked
    assert answer.error.startswith("the sender's own netexec does not answer")


def test_a_pod_without_a_process_asks_nothing() -> None:
    endpoint = Endpoint(EndpointKind.POD, "here")
    pod = PodOnNode(endpoint, "probe", "00000000-0000-0000-0000-000000000000")
    vantage = Vantage("pod.here", "nsenter -t $pod_0 -n", 8080)
    machine = Machine("here", LocalShell(), {endpoint: vantage}, (pod,))
    probes = [
        Probe("ping", Protocol.PING, "127.0.0.1"),
        Probe("tcp", Protocol.TCP, "127.0.0.1", 8080),
        Probe("url", Protocol.TCP, "", url="http://127.0.0.1:9/"),
    ]
    seen = ask([machine], {endpoint: probes}, resolve="name.")
    for answer in seen.answers.values():
        assert not answer.asked
        assert "there-is-no-process-of-the-pod" in answer.error
    assert len(seen.answers) == len(probes)
    assert isinstance(seen.names[endpoint], Unasked)


def test_a_lookup_that_outlasts_curl_is_silence(monkeypatch: pytest.MonkeyPatch, netexec: Machine) -> None:
    monkeypatch.setattr("acceptance.probes.CURL_SECONDS", 1)
    answer = ask([netexec], {HERE: [Probe("dns", Protocol.TCP, "slow", 80)]}).answers[HERE, "dns"]
    assert answer.silent
    assert "timed out" in answer.error


def test_what_else_listens_on_netexecs_port_is_no_answer(netexec: Machine) -> None:
    answer = ask([netexec], {HERE: [Probe("tcp", Protocol.TCP, "other-program", 80)]}).answers[HERE, "tcp"]
    assert not answer.asked
    assert "HTTP 404" in answer.error
