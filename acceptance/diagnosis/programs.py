"""Programs that a node's pod network needs: there and running."""

from __future__ import annotations

from acceptance.diagnosis.subject import Subject


def daemon(subject: Subject) -> list[str]:
    """Does the mode's own program run, where it has one?"""
    wanted, name = subject.expectations.data_path.daemon, subject.node.name
    if wanted is None:
        return []
    found = [process for known in wanted.processes for process in subject.facts.processes_named(known)]
    if not found:
        return [
            f"the daemon of {wanted.owner} is not running on {name}:"
            f" there is no process {' or '.join(wanted.processes)}"
        ]
    if stopped := [process for process in found if process.state in "Tt"]:
        return [
            f"the daemon of {wanted.owner} on {name} is stopped"
            f" (process {stopped[0].pid} is in state {stopped[0].state})"
        ]
    return []
