"""A student's script on a new lab with the same fault: what it does there is what it is worth."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from lab.exercises.exercise import Exercise
from lab.exercises.handin import HandIn
from lab.foundation.errors import LabError
from lab.foundation.journal import Silence
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress
from lab.foundation.wait import Deadline
from lab.nodes.connection import NodeCommandError, Script
from lab.operations.context import Lab
from lab.operations.down import take_down
from lab.operations.exercises.check import check_exercise
from lab.operations.exercises.lifecycle import start_exercise
from lab.operations.faults import wait_until_lab_is_well
from lab.state.exercise import remove_exercise
from lab.state.marking import Replay
from lab.state.records import lab_folder
from lab.topology.plan import NodePlan, Plan

MINUTE = 60.0
CONNECTION_SECONDS = 30.0
"""What ssh takes beside the script."""
KILL_SECONDS = 5
OUTPUT_BYTES = 2000
"""Of what a script printed on a node, the last."""
TIMED_OUT = (124, 137)
"""Exit status of timeout(1), and of what it had to kill."""
PATH = "/root/handed-in.sh"
RUN = """\
export NODE={node}
[ ! -e /etc/kubernetes/admin.conf ] || export KUBECONFIG=/etc/kubernetes/admin.conf
status=0
timeout --kill-after={kill} {seconds} bash {path} </dev/null >{path}.log 2>&1 || status=$?
tail -c {bytes} {path}.log
exit $status
"""


class NotReplayedError(LabError):
    """There was no lab to replay in, or nothing that could judge it: that says nothing of the script."""


@dataclass(frozen=True)
class Place:
    """Where scripts are replayed, and how long one may take."""

    lab: str
    """Its name; it is made, and made anew, for this alone."""
    minutes: int
    supply: str | None


def replay(exercise: Exercise, handin: HandIn, place: Place, progress: Progress) -> Replay:
    """Bring the lab into the state of the student's exercise, run the script, judge it.

    The script runs as root on one node after the other, and nowhere else. A lab that does not go back to its
    clean cluster is made anew once. Raises NotReplayedError.
    """
    folder, started = lab_folder(place.lab), time.monotonic()
    try:
        _start(exercise, handin.student, folder, place.supply, progress)
        lab = Lab.open(folder, progress)
        with progress.step(f"the script of {handin.student}"):
            ended, output = _on_nodes(lab, handin.script, place.minutes * MINUTE)
        with suppress(LabError):  # the suite says more of a lab that is not
            wait_until_lab_is_well(lab, progress)
        verdict = check_exercise(folder, progress)
    except LabError as error:
        raise NotReplayedError(error.brief, details=error.details) from error
    if not verdict.judged:
        raise NotReplayedError("not judged: the cluster was too slow")
    return Replay(
        healthy=verdict.healthy,
        script=ended,
        output=output,
        symptoms=tuple(f"{each.topic}: {each.failed} of {each.judged} fail" for each in verdict.symptoms),
        seconds=round(time.monotonic() - started, 1),
    )


def in_turn(plan: Plan) -> tuple[NodePlan, ...]:
    """The nodes in the order in which a script runs on them, whatever the order of the topology."""
    return (*plan.control_planes, *plan.workers)


def _start(
    exercise: Exercise, student: str, folder: LabFolder, supply: str | None, progress: Progress
) -> None:
    try:
        remove_exercise(folder)
        start_exercise(exercise, student, folder.name, supply, progress)
    except LabError as error:
        progress.note(f"{folder.name} is made anew: {error.brief}")
        take_down(folder, progress)
        start_exercise(exercise, student, folder.name, supply, progress)


def _on_nodes(lab: Lab, script: str, seconds: float) -> tuple[str, Mapping[str, str]]:
    """How the script ended, in one line, and the last of what it printed on each node."""
    deadline = Deadline(seconds)
    output: dict[str, str] = {}
    for node in in_turn(lab.plan):
        left = int(deadline.left)
        if left < 1:
            return f"out of time before {node.name}", output
        connection = lab.nodes[node.name]
        words = RUN.format(
            node=shlex.quote(node.name), kill=KILL_SECONDS, seconds=left, path=PATH, bytes=OUTPUT_BYTES
        )
        try:
            with Silence():  # it may print what nobody expects in a log
                connection.put_text(PATH, script, 0o700)
                done = connection.run(
                    Script(words, "the script"), check=False, timeout=left + KILL_SECONDS + CONNECTION_SECONDS
                )
        except NodeCommandError:
            return f"out of time on {node.name}", output
        except LabError as error:
            return f"{node.name} does not answer any more: {error.brief}", output
        output[node.name] = done.stdout[-OUTPUT_BYTES:]
        if done.status in TIMED_OUT:
            return f"out of time on {node.name}", output
        if done.status != 0:
            return f"exit status {done.status} on {node.name}", output
    return "exit status 0 on all nodes", output
