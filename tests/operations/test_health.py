"""What `lab doctor` says of labs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.host.doctor import Finding
from lab.operations import health
from lab.operations.status import LabStatus

HOST = Finding("root", True, "this is root")
WRONG = "kube-proxy is not running on k8s-node1: it has no pod there"


def status(state: str, problems: tuple[str, ...]) -> LabStatus:
    return LabStatus("a", state, "hybridnet", "v1.24.10", "containerd", "qemu", "", "", "", (), (), problems)


def seen(monkeypatch: pytest.MonkeyPatch, answer: Any) -> tuple[Finding, ...]:
    def lab_status(folder: LabFolder) -> LabStatus:
        if isinstance(answer, LabError):
            raise answer
        assert isinstance(answer, LabStatus)
        return answer

    monkeypatch.setattr(health, "host_findings", lambda: [HOST])
    monkeypatch.setattr(health, "existing_labs", lambda: [LabFolder(Path("/nowhere/a"))])
    monkeypatch.setattr(health, "lab_status", lab_status)
    return tuple(health.findings())


def test_a_lab_that_is_up_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    host, lab = seen(monkeypatch, status("up", (WRONG,)))
    assert (host, lab.ok, lab.found) == (HOST, False, WRONG)
    assert "lab status --name a" in lab.resolution
    assert seen(monkeypatch, status("up", ()))[1].ok


@pytest.mark.parametrize("answer", [status("paused", ()), LabError("half made")], ids=["paused", "half made"])
def test_a_lab_that_is_not_up_is_not_doctors_business(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    assert seen(monkeypatch, answer) == (HOST,)
