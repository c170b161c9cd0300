"""Commands inside a machine through its guest agent: without a network, an address or a key.

The protocol is QEMU's: https://www.qemu.org/docs/master/interop/qemu-ga-ref.html, guest-exec and
guest-exec-status.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline, NotYetError, wait_for

Ask = Callable[[str], str]
"""Sends the agent a command in JSON and returns its answer."""

INTERVAL = 0.02


def run_script(ask: Ask, machine: str, script: str, deadline: Deadline) -> None:
    """Let bash in the machine run the script to its end.

    Raises LabError when it fails, TimedOutError when it does not end in time.
    """
    words = {
        "path": "/bin/bash",
        "arg": ["-s"],
        "input-data": base64.b64encode(script.encode()).decode(),
        "capture-output": True,
    }
    process = _said(ask, "guest-exec", words)["pid"]
    done = wait_for(
        lambda: _ended(ask, process),
        what=f"end of a script in the machine {machine}",
        deadline=deadline,
        interval=INTERVAL,
    )
    if done.get("exitcode") != 0:
        printed = base64.b64decode(done.get("err-data", "")).decode(errors="replace").strip()
        raise LabError(f"a script in the machine {machine} failed", details=printed or "it printed nothing")


def _ended(ask: Ask, process: int) -> Mapping[str, Any]:
    status = _said(ask, "guest-exec-status", {"pid": process})
    if not status["exited"]:
        raise NotYetError("it runs")
    return status


def _said(ask: Ask, command: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = json.loads(ask(json.dumps({"execute": command, "arguments": arguments})))
    said: Mapping[str, Any] = answer["return"]
    return said
