"""Ways into a lab that are refused before anything is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.machines.machines import MachineState
from lab.operations import access
from lab.operations.access import become_kubectl, become_ssh
from lab.operations.context import Lab
from lab.state.records import LabRecord
from lab.topology.plan import Plan
from tests.stand_in_site import PaperParts


@pytest.fixture
def lab(plan: Plan, tmp_path: Path) -> Lab:
    folder = LabFolder(tmp_path / "a")
    record = LabRecord("a", mode="macvlan", supply="packages", created="", ready=True)
    return Lab(folder, record, plan, SilentProgress(), PaperParts(folder))


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    monkeypatch.setattr(access, "become", lambda words, told: commands.append(words))
    return commands


@pytest.mark.parametrize("line", ["ip route; ip link", "ls -l", "echo $HOME", "true && false"])
def test_shell_text_for_exec_is_told_where_it_belongs(lab: Lab, became: list[list[str]], line: str) -> None:
    with pytest.raises(WrongUseError, match="is no program on k8s-node1") as refused:
        become_ssh(lab, "k8s-node1", [line], quote=True)
    assert refused.value.resolution == f"lab ssh k8s-node1 '{line}'"
    assert became == []
    become_ssh(lab, "k8s-node1", [line], quote=False)
    assert became[0][-1] == line


def test_words_for_exec_reach_the_program_as_they_are(lab: Lab, became: list[list[str]]) -> None:
    become_ssh(lab, "k8s-node1", ["echo", "a; b"], quote=True)
    assert became[0][-2:] == ["echo", "'a; b'"]


def test_a_node_that_is_not_there_is_refused(lab: Lab) -> None:
    with pytest.raises(WrongUseError, match="has no node k8s-node9") as refused:
        become_ssh(lab, "k8s-node9", [], quote=False)
    assert "did you mean" in str(refused.value)


def test_a_paused_lab_says_so_and_does_not_hang(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    paused = {node.name: MachineState.PAUSED for node in lab.plan.nodes}
    monkeypatch.setattr(lab, "machine_states", lambda: paused)
    with pytest.raises(LabError, match="the lab a is paused") as refused:
        become_ssh(lab, "k8s-node1", ["date"], quote=True)
    assert refused.value.resolution == "lab resume --name a"
    with pytest.raises(LabError, match="the lab a is paused"):
        become_kubectl(lab, ["get", "nodes"])


def test_the_lan_host_runs_programs_of_this_host(
    lab: Lab, became: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnIt:
        def command(self, words: list[str]) -> list[str]:
            return ["on-the-lan-host", *words]

    with pytest.raises(WrongUseError, match="has no node lan-host"):
        become_ssh(lab, "lan-host", ["curl"], quote=True)
    monkeypatch.setattr(Lab, "lan_host", property(lambda lab: OnIt()))
    monkeypatch.setattr(access, "become", _ends(became))
    for words, quote in ((["curl", "http://a b"], True), (["ip a; ip r"], False)):
        with pytest.raises(SystemExit):
            become_ssh(lab, "lan-host", words, quote=quote)
    assert became == [
        ["on-the-lan-host", "curl", "http://a b"],
        ["on-the-lan-host", "sh", "-c", "ip a; ip r"],
    ]
    with pytest.raises(WrongUseError, match="is no program on lan-host"):
        become_ssh(lab, "lan-host", ["ip a; ip r"], quote=True)


def _ends(became: list[list[str]]) -> Callable[..., None]:
    """As a process does that becomes another one: nothing comes after it."""

    def become(words: list[str], told: list[str]) -> None:
        became.append(words)
        raise SystemExit

    return become
