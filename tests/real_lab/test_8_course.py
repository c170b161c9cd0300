"""A course on a real lab: exercises are begun, corrected in four ways, handed in, marked, and replayed.

Each test is a student, or the teacher. Hand-ins stay in the folder LAB_COURSE (default build/course), so
tests can be run one by one, each in a lab that comes from the cache; `test_the_teacher_makes_it` is first.
Started by `scripts/real-lab-test --course`, never by `scripts/test`.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.exercises.exercise import drawn
from lab.exercises.handin import read_handin
from lab.exercises.teacher_key import TeacherKey, read_key_file
from lab.operations.support.known_secrets import known_secrets
from lab.state.exercise import read_exercise
from lab.state.records import existing_labs, lab_folder
from tests.exercises.telling import causes_in, students_with
from tests.real_lab.killing import Moment, kill_at
from tests.real_lab.lab_under_test import NAME, HostTrace

pytestmark = [pytest.mark.real_lab, pytest.mark.course]

FOLDER = Path(os.environ.get("LAB_COURSE", "build/course")).resolve()
TEMPORARY = FOLDER / "tmp"
"""Other tests of this machine have files of the same names in the usual place."""
RECIPE = """\
name: round
title: Something between the nodes is wrong
text: |
  The cluster worked until last night. Find what is wrong, and mend it.
topology: underlay-3node
mode: flannel-vxlan
faults: [forward-drop@k8s-node1, forward-drop@k8s-node2, kube-proxy-halted@k8s-node2]
points: 50
"""
OPEN_FORWARD = "iptables --policy FORWARD ACCEPT"
NO_DNS = "kubectl --namespace kube-system scale deployment coredns --replicas 0"
CALLER = 1000
"""Who called sudo."""
LARGEST_BYTES = 8 << 20
"""Of a file that is searched: machines' disks and memory are no text."""
SUITE = "the whole acceptance suite, which takes minutes"
REFUSED = (
    ("fault", "list"),
    ("fault", "clear"),
    ("test",),
    ("support",),
    ("snapshot", "save", "mine"),
    ("bench",),
    ("up", "--topology", "underlay-3node"),
)
SHOWN = (
    ("status",),
    ("status", "--json"),
    ("list",),
    ("logs",),
    ("logs", "lab"),
    ("snapshot", "list"),
    ("exercise", "list"),
)


@dataclass(frozen=True)
class Course:
    """Its files, and `lab` as one who takes part calls it, in that folder."""

    key: TeacherKey

    def run(self, *words: str, status: int | None = 0) -> str:
        """What it printed, on both streams; without `status`, it may fail."""
        caller = {"SUDO_UID": str(CALLER), "SUDO_GID": str(CALLER)}
        done = subprocess.run(
            ["lab", *words],
            cwd=FOLDER,
            env={**os.environ, **caller, "TMPDIR": str(TEMPORARY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(f"$ lab {' '.join(words)}\n{done.stdout}")  # noqa: T201 - pytest shows it
        assert status in (None, done.returncode), f"lab {' '.join(words)}: exit status {done.returncode}"
        return done.stdout

    def start(self, entry: str, *, skip: int = 0) -> Student:
        number = students_with(self.key.exercise, entry)[skip]
        student = Student(number, self)
        said = self.run("exercise", "start", "round.exercise", "--student", number, "--verbose")
        assert student.told(said) == []
        return student


@dataclass(frozen=True)
class Student:
    number: str
    course: Course

    def told(self, text: str) -> list[str]:
        """What of the text tells what is wrong in his lab."""
        return causes_in(text, drawn(self.course.key.exercise, self.number))

    def assert_not_told(self, *words: str, status: int | None = 0) -> None:
        assert self.told(self.course.run(*words, status=status)) == [], words

    def check(self) -> dict[str, object]:
        """Of a lab that is not well."""
        said = self.course.run("exercise", "check", "--json", status=1)
        assert self.told(said) == []
        verdict: dict[str, object] = json.loads(said[said.index("{\n") :])
        return verdict

    def hand_in(self, script: str = "", found: str = "cluster", status: int = 0) -> Path:
        report = FOLDER / "report.md"
        report.write_text(f"# What {self.number} found\n\nSome connections time out, others do not.\n")
        words = ["handin", str(report), "--found", found, "it does not pass on what it should"]
        if script:
            (FOLDER / "fix.sh").write_text(script)
            words += ["--script", "fix.sh"]
        target = FOLDER / "hand-ins" / f"round-{self.number}.handin"
        said = self.course.run(*words, "--to", str(target), status=status)
        assert self.told(said) == []
        assert self.told(target.read_text()) == []
        assert target.stat().st_uid == CALLER
        assert target.stat().st_size < 1 << 20
        return target

    def assert_files_do_not_tell(self) -> None:
        files = {str(path): text for path, text in _texts(lab_folder(NAME).root)}
        assert len(files) > 20
        assert {path: told for path, text in files.items() if (told := self.told(text))} == {}
        assert not (FOLDER / "reports").exists()
        assert list(Path("/tmp").glob("lab-exercise-*")) == []


def _texts(root: Path) -> Iterator[tuple[Path, str]]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_BYTES:
            yield path, path.read_text(errors="replace")


def on(node: str, order: str) -> str:
    """A script that does it on that node alone."""
    return f'if [ "$NODE" = {node} ]; then\n    {order}\nfi\n'


def coredns_pod(course: Course) -> str:
    words = ("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "-o", "name")
    return course.run("kubectl", *words).split()[-1].removeprefix("pod/")


def test_the_teacher_makes_it() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "hand-ins").mkdir(parents=True)
    TEMPORARY.mkdir()
    (FOLDER / "round.yaml").write_text(RECIPE)
    subprocess.run(["lab", "exercise", "make", "round.yaml"], cwd=FOLDER, check=True)


@pytest.fixture
def course(before: HostTrace) -> Iterator[Course]:
    """`before` takes the lab down at the end, whatever happens."""
    course = Course(read_key_file(FOLDER / "round.key"))
    yield course
    if read_exercise(lab_folder(NAME)) is not None:
        course.run("exercise", "stop")


@pytest.fixture
def replays(course: Course) -> Iterator[str]:
    """The lab for replays, which a test that fails may leave behind."""
    name = "mark-round"
    yield name
    course.run("down", "--name", name, status=None)


def test_corrected_by_hand(course: Course) -> None:
    student = course.start("forward-drop@k8s-node2")
    for words in REFUSED:
        student.assert_not_told(*words, status=2)
    for words in SHOWN:
        student.assert_not_told(*words)
    student.assert_not_told("doctor", status=None)  # it may find something on the host
    traced = course.run("trace", "k8s-node1", f"kube-system/{coredns_pod(course)}")
    assert student.told(traced) == []
    verdict = student.check()
    assert (verdict["healthy"], verdict["points"]) == (False, 0)
    assert verdict["symptoms"] != []
    student.assert_files_do_not_tell()
    course.run("exec", "k8s-node2", "--", *OPEN_FORWARD.split())
    path = student.hand_in(on("k8s-node2", OPEN_FORWARD), "k8s-node2")
    handin = read_handin(path, course.key)
    assert (handin.claim.healthy, handin.claim.returns) == (True, ())
    # What the teacher reads of the first check names the cause; what others see does not.
    assert student.told(handin.before) != []
    assert {node.name for node in handin.nodes if node.up_seconds > 0} == {
        "k8s-master1",
        "k8s-node1",
        "k8s-node2",
    }
    secrets = known_secrets(lab_folder(NAME))
    whole = "\n".join((handin.report, handin.script, handin.before, handin.after))
    assert [each for each in secrets if each in whole] == []
    student.assert_files_do_not_tell()
    said = course.run("exercise", "stop")
    assert student.told(said) != []
    assert "forward-drop" in course.run("fault", "list")


def test_untouched(course: Course) -> None:
    student = course.start("kube-proxy-halted@k8s-node2")
    handin = read_handin(student.hand_in(found="k8s-node2"), course.key)
    assert (handin.claim.healthy, handin.claim.returns) == (False, ())
    student.assert_files_do_not_tell()


def test_corrected_by_rebuild(course: Course) -> None:
    student = course.start("forward-drop@k8s-node1")
    course.run("rebuild")
    handin = read_handin(student.hand_in(found="k8s-node1"), course.key)
    assert handin.claim.healthy
    assert [each.how.partition(" mode-")[0] for each in handin.claim.returns] == ["went back to the snapshot"]
    student.assert_files_do_not_tell()


def test_corrected_by_breaking_something_else(course: Course) -> None:
    student = course.start("forward-drop@k8s-node1", skip=1)
    course.run("exec", "k8s-node1", "--", *OPEN_FORWARD.split())
    course.run(*NO_DNS.split())
    script = on("k8s-node1", OPEN_FORWARD) + on("k8s-master1", NO_DNS)
    handin = read_handin(student.hand_in(script, "k8s-node1"), course.key)
    assert (handin.claim.healthy, handin.claim.returns) == (False, ())
    assert "CoreDNS" in handin.after
    student.assert_files_do_not_tell()


MARK = ("mark", "hand-ins", "--key", "round.key", "--csv", "marks.csv")
REPLAY = (*MARK, "--replay", "--minutes", "5")
BY_HAND, UNTOUCHED, REBUILT, OTHERWISE = range(4)


def marks(course: Course) -> list[dict[str, str]]:
    """In the order of `BY_HAND` and so on."""
    with (FOLDER / "marks.csv").open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file) if row["status"] == "ok"}
    exercise = course.key.exercise
    on_node1 = students_with(exercise, "forward-drop@k8s-node1")
    of = (
        students_with(exercise, "forward-drop@k8s-node2")[0],
        students_with(exercise, "kube-proxy-halted@k8s-node2")[0],
        on_node1[0],
        on_node1[1],
    )
    return [rows[number] for number in of]


def test_marks(course: Course) -> None:
    changed = FOLDER / "hand-ins" / "changed.handin"
    genuine = min((FOLDER / "hand-ins").glob("round-*.handin"))
    text = json.loads(genuine.read_text())
    text["label"]["student"] = "2023999"
    changed.write_text(json.dumps(text))
    said = course.run(*MARK)
    assert "5 rows: 4 ok, 1 tampered" in said
    rows = marks(course)
    assert [row["points"] for row in rows] == ["50", "0", "0", "0"]
    assert [row["right_nodes"] for row in rows] == ["1 of 1"] * 4
    assert rows[BY_HAND]["how"] == "corrected by hand"
    assert rows[UNTOUCHED]["how"] == "not healthy"
    assert rows[REBUILT]["how"].startswith("healthy, not by hand: ")
    assert rows[OTHERWISE]["how"] == "not healthy"
    assert rows[BY_HAND]["failed_before"] not in ("0", "no report")


def test_replays_go_on_after_a_kill(course: Course, replays: str, tmp_path: Path) -> None:
    state = FOLDER / "marks.csv.state"

    def one_is_replayed() -> bool:
        return state.exists() and len(json.loads(state.read_text())["replays"]) == 1

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(FOLDER)
        kill_at(Moment(SUITE, one_is_replayed), ["lab", *REPLAY], tmp_path / "stderr")
    assert one_is_replayed()
    assert replays in [folder.name for folder in existing_labs()]
    first = json.loads(state.read_text())["replays"]
    said = course.run(*REPLAY)
    assert "1 replayed now" in said
    assert first.items() <= json.loads(state.read_text())["replays"].items()
    rows = marks(course)
    assert [row["points"] for row in rows] == ["50", "0", "0", "0"]
    assert rows[BY_HAND]["replay"].startswith("healthy after ")
    assert rows[OTHERWISE]["replay"].startswith("not healthy after ")
    assert rows[UNTOUCHED]["replay"] == "no script to replay"
    assert replays not in [folder.name for folder in existing_labs()]
