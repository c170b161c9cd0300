"""The checks of a lab's life: much at once, much sent, a node booted anew."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from acceptance import reboot as rebooting
from acceptance import test_life as life
from acceptance import transfer
from acceptance.evidence import AfterReboot, Crowd, Evidence
from acceptance.expectations import ServiceWay
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.probes import Answer, Protocol
from acceptance.problems import Problem, SuiteError
from acceptance.questions import cluster_ip_questions
from acceptance.reboot import reboot
from acceptance.scope import Scope
from acceptance.shell import LocalShell, Output, run_batch
from acceptance.transfer import Transfer, read_transfer, receive_command, send_command
from acceptance.workload import BackendService

TEN = tuple(f"crowd-{number}" for number in range(10))
SENDER = Endpoint(EndpointKind.POD, "k8s-node1")


def _nothing(name: str, value: object) -> None:
    """Stands for pytest's record_property."""


def _crowd(healthy: Evidence, answers: dict[str, Answer]) -> Evidence:
    pod = next(iter(healthy.pods.values()))
    pods = {
        role: replace(pod, name=role, address=IPv4Address(f"172.31.6.{number}"))
        for number, role in enumerate(TEN, start=100)
    }
    said = {(SENDER, role): answers.get(role, Answer.heard(role)) for role in TEN}
    return replace(healthy, crowd=Crowd(pods, {}, said))


def test_ten_pods_that_answer_are_right(healthy: Evidence) -> None:
    life.test_ten_pods_at_once(_crowd(healthy, {}), _nothing)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            Answer.silence("i/o timeout"),
            "pod.k8s-node1 to crowd-3 (172.31.6.103): no answer: i/o timeout",
        ),
        (Answer.unasked("refused"), "pod.k8s-node1 to crowd-3 (172.31.6.103): not asked: refused"),
        (Answer.heard("crowd-4"), "pod.k8s-node1 to crowd-3 (172.31.6.103): crowd-4 answered"),
    ],
)
def test_one_of_ten_that_is_silent_or_another_is_told(healthy: Evidence, answer: Answer, told: str) -> None:
    with pytest.raises(pytest.fail.Exception) as failed:
        life.test_ten_pods_at_once(_crowd(healthy, {"crowd-3": answer}), _nothing)
    assert str(failed.value).startswith(told)


def test_the_same_address_twice_among_ten_is_told(healthy: Evidence) -> None:
    evidence = _crowd(healthy, {})
    assert isinstance(evidence.crowd, Crowd)
    pods = {
        role: replace(pod, address=IPv4Address("172.31.6.1")) for role, pod in evidence.crowd.pods.items()
    }
    with pytest.raises(pytest.fail.Exception, match="10 pods have only 1 addresses"):
        life.test_ten_pods_at_once(replace(evidence, crowd=replace(evidence.crowd, pods=pods)), _nothing)


def test_nine_pods_are_not_ten(healthy: Evidence) -> None:
    evidence = _crowd(healthy, {})
    assert isinstance(evidence.crowd, Crowd)
    nine = Crowd(dict(list(evidence.crowd.pods.items())[1:]), {}, evidence.crowd.answers)
    with pytest.raises(AssertionError, match="only 9 were started"):
        life.test_ten_pods_at_once(replace(evidence, crowd=nine), _nothing)


def _both_ends(monkeypatch: pytest.MonkeyPatch, port: int) -> tuple[Output, Output]:
    """One transfer between two shells of this machine."""
    monkeypatch.setattr(transfer, "MEGABYTES", 2)
    monkeypatch.setattr(transfer, "PORT", port)
    received: list[Output] = []
    receiver = threading.Thread(
        target=lambda: received.append(run_batch(LocalShell(), [receive_command("")])["receive"])
    )
    receiver.start()
    sent = run_batch(LocalShell(), [send_command("", IPv4Address("127.0.0.1"))])["send"]
    receiver.join()
    return sent, received[0]


def test_what_is_sent_arrives(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    sent, received = _both_ends(monkeypatch, unused_port)
    seen = read_transfer("pod.a", "pod.b", sent, received)
    assert isinstance(seen, Transfer), str(seen)
    assert seen.intact
    assert seen.seconds > 0


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_what_arrives_changed_or_not_at_all_is_told(healthy: Evidence) -> None:
    sent = Output(0, "aaaa  -\ntook 2000000\n", "")
    changed = read_transfer("pod.a", "pod.b", sent, Output(0, "bbbb  -\n", ""))
    late = read_transfer("pod.a", "pod.b", sent, Output(124, "bbbb  -\n", ""))
    refused = read_transfer("pod.a", "pod.b", Output(1, "", "socat: No route to host"), Output(0, "b -", ""))
    assert isinstance(changed, Transfer)
    assert changed.megabytes_per_second == 50
    assert str(late) == "100 MB from pod.a to pod.b: not done after 120 s"
    assert str(refused) == "100 MB from pod.a to pod.b: on pod.a: socat: No route to host"
    with pytest.raises(pytest.fail.Exception) as failed:
        life.test_large_transfer(replace(healthy, transfers=(changed, refused)), _nothing)
    assert str(failed.value).startswith(
        "100 MB from pod.a to pod.b have the MD5 digest bbbb, but aaaa was sent\n"
        "100 MB from pod.a to pod.b: on pod.a: socat: No route to host\n"
    )


class Booting:
    """A node that answers with one boot id, then not at all, then with another."""

    name = "k8s-node2"

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = iter(answers)

    def bash(self, script: str, timeout: float = 0) -> str:
        if "reboot" in script:
            return ""
        said = next(self._answers, "none")
        if said == "none":
            raise SuiteError("no route to host")
        return f"{said}\n"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebooting, "POLL_SECONDS", 0.01)


def test_a_node_is_back_when_another_boot_answers() -> None:
    ended: list[str] = []
    assert reboot(Booting(["old", "old", "none", "new"]), lambda: ended.append("all"), 5) is None
    assert ended


def test_a_node_that_stays_away_or_never_went_is_told() -> None:
    away = reboot(Booting(["old"]), lambda: None, 0.05)
    assert str(away) == "k8s-node2 is not back 0 s after its reboot began: no route to host"
    stays = reboot(Booting(["old"] * 1000), lambda: None, 0.05)
    assert str(stays) == "k8s-node2 is not back 0 s after its reboot began: it still runs"
    dead = reboot(Booting([]), lambda: None, 0.05)
    assert str(dead) == "k8s-node2 cannot be rebooted: no route to host"


def test_after_a_reboot_everything_is_judged_again(healthy: Evidence) -> None:
    seen = AfterReboot("k8s-node2", 30.0, healthy)
    life.test_pods_return_after_a_reboot(seen, _nothing)
    life.test_matrix_after_a_reboot(seen, _nothing)
    life.test_data_path_after_a_reboot(seen)
    pair = healthy.pairs[0]
    silent = {key: Answer.silence("timeout") for key in healthy.answers if key[0] == pair.sender}
    broken = replace(healthy, answers={**healthy.answers, **silent})
    with pytest.raises(pytest.fail.Exception, match="cells are not as expected"):
        life.test_matrix_after_a_reboot(replace(seen, evidence=broken), _nothing)
    lost = replace(healthy, pod_problems={"probe-k8s-node2": Problem("pod probe-k8s-node2 is Pending")})
    with pytest.raises(pytest.fail.Exception, match="pod probe-k8s-node2 is Pending"):
        life.test_pods_return_after_a_reboot(replace(seen, evidence=lost), _nothing)
    with pytest.raises(pytest.fail.Exception, match="k8s-node2 is not back"):
        life.test_matrix_after_a_reboot(Problem("k8s-node2 is not back"), _nothing)


def _of_node(healthy: Evidence, node: str) -> Evidence:
    """What is seen when only what touches a node was asked; the others told of themselves before."""
    touching = replace(healthy, scope=Scope(node))
    keys = {(pair.sender, f"{pair.target}:{protocol}") for pair in touching.pairs for protocol in Protocol}
    return replace(
        touching,
        answers={key: answer for key, answer in healthy.answers.items() if key in keys},
        facts={node: healthy.facts[node]},
        facts_before=healthy.facts,
    )


def test_after_a_reboot_what_touches_the_node_is_enough_and_nothing_less(healthy: Evidence) -> None:
    evidence = _of_node(healthy, "k8s-node2")
    assert 0 < len(evidence.answers) < len(healthy.answers)
    seen = AfterReboot("k8s-node2", 30.0, evidence)
    shown: list[object] = []
    life.test_matrix_after_a_reboot(seen, lambda _, value: shown.append(value))
    life.test_data_path_after_a_reboot(seen)
    (matrix,) = shown
    assert "NOT TRIED" not in str(matrix)
    pair = evidence.pairs[-1]
    left_out = {key: answer for key, answer in evidence.answers.items() if key[0] != pair.sender}
    with pytest.raises(pytest.fail.Exception, match="could not be tried: nothing was asked"):
        life.test_matrix_after_a_reboot(replace(seen, evidence=replace(evidence, answers=left_out)), _nothing)
    with pytest.raises(AssertionError, match="k8s-node2 was not asked"):
        life.test_data_path_after_a_reboot(replace(seen, evidence=replace(evidence, facts={})))


def test_a_name_that_resolves_to_addresses_from_before_is_told(healthy: Evidence) -> None:
    assert isinstance(healthy.service, BackendService)
    (question, *_) = cluster_ip_questions(SENDER, ServiceWay.POD_TO_CLUSTERIP_HERE, healthy.service)
    right = Answer.heard(healthy.pods["backend"].name)
    evidence = replace(
        healthy,
        questions=(question,),
        answers={(SENDER, question.probe.key): right},
        names={SENDER: healthy.headless_addresses},
    )
    life.test_services_after_a_reboot(AfterReboot("k8s-node2", 30.0, evidence), _nothing)
    stale = replace(evidence, names={SENDER: frozenset({IPv4Address("172.31.6.99")})})
    with pytest.raises(pytest.fail.Exception, match=r"in pod\.k8s-node1: 172\.31\.6\.99"):
        life.test_services_after_a_reboot(AfterReboot("k8s-node2", 30.0, stale), _nothing)


def test_batches_of_both_ends_are_shell_that_parses() -> None:
    for command in (receive_command("nsenter -t $pod_0 -n"), send_command("", IPv4Address("10.0.0.1"))):
        subprocess.run(["bash", "-n"], input=command.script, text=True, check=True)
