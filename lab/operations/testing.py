"""The acceptance suite, run on a lab from inside its network."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.files import give_to_caller, make_callers_folder, write_report
from lab.foundation.language import marked
from lab.foundation.paths import LabFolder, shipped
from lab.foundation.process import run_with_terminal
from lab.foundation.progress import ConsoleProgress, SilentProgress, seconds_text
from lab.modes.registry import mode_named
from lab.operations.context import Lab
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.operations.keeping.discarding import keep_what_was_made
from lab.operations.rebuild import rebuild_lab
from lab.operations.suite_page import Check, DrawnPath, ModeRun, Outcome, judged, read_checks, render_page
from lab.state.records import now
from lab.topology.mode_choice import ModeChoice

NOT_JUDGED = 6
"""Exit status of the suite on a cluster that was too slow to be judged: acceptance/not_judged.py."""
SUITE = shipped("acceptance")
UNKNOWN = ModeChoice("unknown")
"""In place of a mode: the suite finds out what is there, and judges nothing."""
UNKNOWN_SUMMARY = marked("whatever pod network is there, without expectations")


@dataclass(frozen=True)
class SuiteRun:
    """What the suite said of one mode."""

    mode: ModeChoice
    passed: bool
    rebuild_seconds: float
    """0 when the lab was in the mode already."""
    suite_seconds: float = 0.0
    results: tuple[Check, ...] = ()
    problem: str = ""
    """Why there was nothing to judge."""
    judged: bool = True
    """False on a cluster that was too slow for it."""
    paths: tuple[DrawnPath, ...] = ()
    """As they were traced after it."""

    @property
    def checks(self) -> int:
        """How many were run."""
        return len(judged(self.results))

    @property
    def failures(self) -> int:
        return sum(check.outcome is Outcome.FAILED for check in self.results)


def run_acceptance(
    folder: LabFolder,
    modes: Sequence[str],
    arguments: Sequence[str],
    progress: ConsoleProgress,
    *,
    discard: bool = True,
) -> tuple[SuiteRun, ...]:
    """Run the suite in each of the modes; with none, in the mode that the lab has.

    The lab is rebuilt in a mode unless that is the only one and it came up in it; for UNKNOWN, which can only
    be asked for alone, it is left as it is. The JUnit XML of each mode lands in the folder `reports` of the
    current directory, and the page with all modes so far.
    Without `discard`, what users have made is told and kept before the first rebuild. Raises WrongUseError
    for a mode that there is not, and during an exercise; LabError when what was made cannot be kept.
    """
    refuse_during_exercise(folder, "name the causes")
    wanted = [ModeChoice.parse(mode) for mode in modes]
    _check(wanted)
    lab = Lab.open(folder, SilentProgress())
    present = lab.plan.choice
    as_it_is = not wanted or wanted == [UNKNOWN] or (wanted == [present] and lab.record.ready)
    if not (as_it_is or discard):
        keep_what_was_made(folder, "lab test --mode", progress)
    page = Path("reports") / f"acceptance-{folder.name}.html"
    runs: list[SuiteRun] = []
    for choice in wanted or [present]:
        if as_it_is:
            runs.append(_run_suite(folder, choice, 0.0, arguments, progress))
        else:
            runs.append(_rebuild_and_run(folder, choice, arguments, progress))
        write_report(page, _page(lab, runs))
    progress.note(f"report with the evidence, for a browser: {page}")
    return tuple(runs)


def _check(wanted: Sequence[ModeChoice]) -> None:
    """Raises WrongUseError for a mode that there is not, and for UNKNOWN among others."""
    if UNKNOWN in wanted and len(wanted) > 1:
        raise WrongUseError(
            f"the mode {UNKNOWN} is no mode that a lab could be rebuilt in",
            resolution=f"lab test --mode {UNKNOWN}",
        )
    for choice in wanted:
        if choice != UNKNOWN:
            mode_named(choice.name)


def exit_status(runs: Sequence[SuiteRun]) -> int:
    """0 when all passed, 1 when something failed, NOT_JUDGED when the rest could not be judged."""
    if all(run.passed for run in runs):
        return 0
    return 1 if any(run.judged and not run.passed for run in runs) else NOT_JUDGED


def suite_words(report: Path) -> list[str]:
    """The command that runs the suite and writes JUnit XML into that file."""
    # -P: no module of the current folder takes the place of another one.
    return [sys.executable, "-P", "-m", "pytest", str(SUITE), f"--junitxml={report}"]


def _rebuild_and_run(
    folder: LabFolder, mode: ModeChoice, arguments: Sequence[str], progress: ConsoleProgress
) -> SuiteRun:
    started = time.monotonic()
    try:
        rebuild_lab(folder, str(mode), progress)
    except LabError as error:
        progress.note(f"{mode} does not come up: {error.brief}")
        return SuiteRun(mode, False, time.monotonic() - started, problem=error.brief)
    return _run_suite(folder, mode, time.monotonic() - started, arguments, progress)


def _page(lab: Lab, runs: Sequence[SuiteRun]) -> str:
    facts = [
        f"Kubernetes {lab.plan.kubernetes.version}",
        lab.record.runtime,
        f"{len(lab.plan.nodes)} nodes",
        f"guests under {lab.record.accelerator}",
        now(),
    ]
    return render_page(
        f"Pod networks of the lab {lab.folder.name}",
        facts,
        [
            ModeRun(
                str(run.mode),
                UNKNOWN_SUMMARY if run.mode == UNKNOWN else mode_named(run.mode.name).summary,
                run.results,
                run.rebuild_seconds,
                run.suite_seconds,
                run.problem,
                run.paths,
            )
            for run in runs
        ],
    )


def _run_suite(
    folder: LabFolder,
    mode: ModeChoice,
    rebuild_seconds: float,
    arguments: Sequence[str],
    progress: ConsoleProgress,
) -> SuiteRun:
    report = Path("reports") / f"acceptance-{folder.name}-{str(mode).replace(':', '-')}.xml"
    make_callers_folder(report.parent)
    report.unlink(missing_ok=True)
    found = Path("reports") / f"found-{folder.name}.json"
    of_unknown = (f"--mode={UNKNOWN}", f"--found={found}") if mode == UNKNOWN else ()
    words = [*suite_words(report), *of_unknown, *arguments]
    started = time.monotonic()
    progress.note(f"acceptance suite of {mode} on {folder.name}")
    with progress.paused():
        status = run_with_terminal(words, env={"LAB_NAME": folder.name})
    for file in (report, *((found,) if of_unknown else ())):
        if file.exists():
            give_to_caller(file)
    seconds = time.monotonic() - started
    progress.note(f"acceptance suite of {mode}: {seconds_text(seconds)}, report {report}")
    checks = read_checks(report)
    if status == NOT_JUDGED:
        problem = "not judged: the control plane is starved"
    else:
        problem = "" if report.exists() else "the suite did not begin"
    return SuiteRun(
        mode,
        status == 0,
        rebuild_seconds,
        seconds,
        checks,
        problem,
        judged=status != NOT_JUDGED,
        paths=_traced_paths(folder, progress) if checks and mode != UNKNOWN else (),
    )


def _traced_paths(folder: LabFolder, progress: ConsoleProgress) -> tuple[DrawnPath, ...]:
    # Imported here, as it takes half a second, which no other command must wait for.
    from lab.operations.packets.traced_path import traced_paths  # noqa: PLC0415

    return traced_paths(folder, progress)
