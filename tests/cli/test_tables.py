"""Tables for people, on terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lab.cli import tables
from lab.cli.tables import show_status
from lab.operations.status import LabStatus, NodeStatus

NETWORKS = ("uplink", "underlay", "management", "storage")
REASON = (
    "NotReady: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"
    " message:Network plugin returns error: cni plugin not initialized"
)


def status(condition: str) -> LabStatus:
    nodes = tuple(
        NodeStatus(name, "worker", "running", condition, "v1.24.10", ("192.168.31.101",) * len(NETWORKS))
        for name in ("k8s-node1", "k8s-node2")
    )
    return LabStatus(
        name="a",
        state="up",
        mode="macvlan",
        kubernetes="v1.24.10",
        runtime="containerd",
        accelerator="qemu",
        pods="10.200.0.0/16",
        service_cidr="10.96.0.0/16",
        api="172.31.7.101:6443",
        networks=NETWORKS,
        nodes=nodes,
        problems=(),
    )


def shown(
    condition: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    printed = io.StringIO()
    monkeypatch.setattr(tables, "_console", lambda: Console(file=printed, width=width))
    show_status(status(condition))
    assert all(len(line) <= width for line in printed.getvalue().splitlines())
    return printed.getvalue() + capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("condition", ["Ready", REASON])
def test_nothing_is_cut_off(
    width: int, condition: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(condition, width, monkeypatch, capsys)
    assert "…" not in text
    for word in ("k8s-node1", "k8s-node2", "worker", "running", "v1.24.10", "192.168.31.101", *NETWORKS):
        assert word in text


def test_a_wide_terminal_has_one_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown("Ready", 200, monkeypatch, capsys)
    assert text.count("k8s-node1") == 1
    assert shown("Ready", 80, monkeypatch, capsys).count("k8s-node1") == 2


def test_a_reason_stands_below(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(REASON, 100, monkeypatch, capsys)
    assert f"k8s-node2 is not Ready: {REASON.removeprefix('NotReady: ')}" in text
