"""The certificates of a lab's cluster: which are served, which have run out, and new ones for all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.cluster.binaries.work import hosts_control_plane
from lab.cluster.renewal import renewal_script
from lab.cluster.served import NotSeen, Served, Sights, seen_everywhere, seen_from_host, what_ran_out
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress
from lab.foundation.wait import Deadline, NotYetError, TimedOutError, wait_for
from lab.operations.context import Lab
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.state.records import locked
from lab.topology.plan import NodePlan

RENEWAL_SECONDS = 1800.0
"""For one node: four programs are started again, each waited for."""
SERVING_SECONDS = 120.0
"""Until a program that says that it is well shows a certificate."""
CURE = "`lab certificates renew` makes new ones"


@dataclass(frozen=True)
class CertificateRow:
    """What one port serves."""

    node: str
    program: str
    port: int
    serial: str
    """In hexadecimal digits; empty where nothing was seen."""
    ends: str
    """UTC, ISO 8601; empty where nothing was seen."""
    problem: str
    """That it ran out, or why nothing was seen; empty when all is right."""

    def as_json(self) -> dict[str, str | int]:
        return {
            "node": self.node,
            "program": self.program,
            "port": self.port,
            "serial": self.serial,
            "ends": self.ends,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Renewal:
    """What all ports served before new certificates were made, and afterwards."""

    before: Sights
    after: Sights

    @property
    def unchanged(self) -> tuple[str, ...]:
        """The ports that serve what they did, or show nothing any more."""
        return tuple(
            f"{port}: {served.reason if isinstance(served, NotSeen) else 'as before'}"
            for port, served in self.after.items()
            if isinstance(served, NotSeen) or served == self.before.get(port)
        )


def certificate_rows(folder: LabFolder) -> tuple[CertificateRow, ...]:
    """What each port serves now. Raises LabError when the lab is not up or a control plane does not answer,
    WrongUseError during an exercise."""
    refuse_during_exercise(folder, "say what is wrong")
    lab = Lab.open(folder, SilentProgress())
    lab.require_up()
    return _rows(_seen_everywhere(lab), datetime.now(UTC))


def renew_certificates(folder: LabFolder, progress: Progress) -> Renewal:
    """New certificates on all nodes, one control plane after the other, and all programs started again.

    May be repeated. Raises LabError when a node's programs do not work with them, WrongUseError during an
    exercise.
    """
    refuse_during_exercise(folder, "repair what the student is to find")
    with locked(folder):
        lab = Lab.open(folder, progress)
        lab.require_up()
        return renew(lab)


def renew(lab: Lab) -> Renewal:
    """The same for a lab that is open and was looked at."""
    before = _seen_everywhere(lab)
    workers = tuple(node for node in lab.plan.nodes if not hosts_control_plane(node))
    of = lab.installation

    def on(node: NodePlan) -> None:
        lab.nodes[node.name].run(renewal_script(of, node), timeout=RENEWAL_SECONDS)

    for node in lab.plan.control_planes:
        with lab.progress.step(f"certificates of {node.name}"):
            on(node)
    if workers:
        with lab.progress.step("certificates of the workers"):
            lab.nodes.on_each(workers, on)
    return Renewal(before, _seen_once_all_serve(lab))


def expired_certificates(lab: Lab, nodes: Sequence[NodePlan]) -> tuple[str, ...]:
    """A line for each certificate that these nodes serve on their own addresses and that has run out."""
    sights = seen_from_host(lab.site, nodes, lab.secrets.etcd_authority)
    return tuple(f"{said}; {CURE}" for said in what_ran_out(sights, datetime.now(UTC)))


def _seen_everywhere(lab: Lab) -> Sights:
    return seen_everywhere(lab.nodes, lab.secrets.etcd_authority)


def _seen_once_all_serve(lab: Lab) -> Sights:
    """kubelet says that it is well before it listens for the API server."""
    sights: Sights = {}

    def all_serve() -> None:
        nonlocal sights
        sights = _seen_everywhere(lab)
        silent = [f"{port}: {sight.reason}" for port, sight in sights.items() if isinstance(sight, NotSeen)]
        if silent:
            raise NotYetError("; ".join(silent))

    with suppress(TimedOutError):
        wait_for(all_serve, what="all ports serve", deadline=Deadline(SERVING_SECONDS))
    return sights


def _rows(sights: Sights, now: datetime) -> tuple[CertificateRow, ...]:
    rows = []
    for port, served in sights.items():
        if isinstance(served, Served):
            shown = (served.serial, served.ends.isoformat(), "; ".join(what_ran_out({port: served}, now)))
        else:
            shown = ("", "", served.reason)
        rows.append(CertificateRow(port.node, port.program, port.number, *shown))
    return tuple(rows)
