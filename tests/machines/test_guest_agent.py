"""What is said to a guest agent: to one of the test's own, which speaks as qemu-ga does."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline, TimedOutError
from lab.machines.guest_agent import run_script


@dataclass
class Agent:
    """It starts what it is told at once, and says that it has ended after some questions."""

    questions: int = 2
    processes: dict[int, subprocess.CompletedProcess[bytes]] = field(default_factory=dict)

    def ask(self, text: str) -> str:
        said = json.loads(text)
        return json.dumps({"return": getattr(self, said["execute"].replace("-", "_"))(said["arguments"])})

    def guest_exec(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words["capture-output"]
        given = base64.b64decode(words["input-data"])
        done = subprocess.run([words["path"], *words["arg"]], input=given, capture_output=True, check=False)
        self.processes[7] = done
        return {"pid": 7}

    def guest_exec_status(self, words: dict[str, Any]) -> dict[str, Any]:
        done = self.processes[words["pid"]]
        self.questions -= 1
        if self.questions > 0:
            return {"exited": False}
        said = {"err-data": base64.b64encode(done.stderr).decode()} if done.stderr else {}
        return {"exited": True, "exitcode": done.returncode, **said}


def test_a_script_has_ended_when_it_returns() -> None:
    agent = Agent()
    run_script(agent.ask, "k8s-node1", "true", Deadline(10))
    assert agent.questions == 0


def test_what_a_failed_script_printed_is_told() -> None:
    with pytest.raises(LabError, match="a script in the machine k8s-node1 failed") as caught:
        run_script(Agent().ask, "k8s-node1", "echo no room >&2; exit 3", Deadline(10))
    assert "no room" in str(caught.value)


def test_one_that_does_not_end_is_waited_for_only_so_long() -> None:
    with pytest.raises(TimedOutError, match="end of a script in the machine k8s-node1"):
        run_script(Agent(questions=10**6).ask, "k8s-node1", "true", Deadline(0.1))
