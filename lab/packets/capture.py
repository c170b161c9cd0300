"""Captures that run: tcpdump in any namespace of the lab, its frames as they come.

Nothing is written on the nodes. A capture ends when its standard input is closed, so also when the process
that started it is killed.
"""

from __future__ import annotations

import contextlib
import queue
import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.journal import JOURNAL
from lab.foundation.process import end_with_pipes, start_with_pipes
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.packets.capture_format import (
    SLL2_LENGTH,
    CapturedFrame,
    CaptureReader,
    CookedHeader,
    LinkType,
)
from lab.packets.spots import ANY_DEVICE, Spot

START_LIMIT = 90.0
"""Seconds until tcpdump listens: an ssh login and two programs, on an emulated node that is busy."""
END_LIMIT = 30.0
KEPT_BYTES = 65535
"""Of each frame, when nothing else is asked for: all of what an IP packet can be."""
BUFFER_KIB = 32768
"""Of the kernel: in immediate mode each frame takes as much of it as is kept at most, so here 512 frames."""
CATCH_UP_ROUNDS = 200
"""Of 0.05 s: how long tcpdump may take to read what has passed already."""
_COUNT = re.compile(r"^(\d+) packets? (captured|received by filter|dropped by \w+)$")
_END = re.compile(r"end \d+")

# tcpdump sleeps in poll(2) once it has read all frames that passed; ended earlier, it would leave some out.
# The loop ends when nobody holds the other end of standard input any more, and takes tcpdump with it. What it
# is told to run ends with a zero byte. Standard output is the capture's, so answers come on standard error.
_SCRIPT = """\
{enter}
exec 3<&0
"${{enter[@]}}" ip -oneline link | sed -n 's/^\\([0-9]*\\): \\([^:@]*\\).*/device \\1 \\2/p' >&2
"${{enter[@]}}" tcpdump -Z root -n -i {device} --immediate-mode -U -B {buffer} \
  --time-stamp-precision=nano -s {kept} -w - {filter} </dev/null &
capture=$!
{{ while IFS= read -r -d '' told <&3; do
  said=$(eval "${{told#*$'\\n'}}" 2>&1 </dev/null)
  status=$?
  printf '%s\\n' "begin ${{told%%$'\\n'*}}" "$said" "end $status" >&2
done
for _ in {{1..{catch_up}}}; do [[ $(</proc/$capture/wchan) == *poll* ]] && break; sleep 0.05; done
kill -INT $capture; }} >/dev/null &
loop=$!
exec 3<&-
wait $capture
status=$?
kill $loop 2>/dev/null
exit $status
"""


@dataclass(frozen=True)
class Seen:
    """A frame, and where it was."""

    spot: Spot
    device: str
    """Its name, also where all devices are captured."""
    link_type: int
    frame: CapturedFrame
    number: int
    """Of arrival among the frames of its spot."""

    @property
    def interface(self) -> str:
        """Such as `k8s-node1/eth1`."""
        return f"{self.spot.name}/{self.device}"

    @property
    def length(self) -> int:
        """Bytes that the frame had, without the header that the capture puts before it."""
        return self.frame.length - (SLL2_LENGTH if self.link_type == LinkType.SLL2 else 0)


@dataclass(frozen=True)
class Ended:
    """What tcpdump counted at one spot."""

    spot: Spot
    captured: int
    dropped: int
    """Frames that the kernel or the device had no room for."""


@dataclass(frozen=True)
class Answer:
    """What a script in a spot's namespace printed, and its exit status."""

    status: int
    text: str


@dataclass
class _Running:
    spot: Spot
    process: subprocess.Popen[bytes]
    listening: threading.Event = field(default_factory=threading.Event)
    said: list[str] = field(default_factory=list)
    """What tcpdump says of itself."""
    devices: dict[int, str] = field(default_factory=dict)
    threads: list[threading.Thread] = field(default_factory=list)
    asked: int = 0
    answers: dict[int, Answer] = field(default_factory=dict)


class Captures:
    """Captures at several spots at once; as a context, all have ended when it is left."""

    def __init__(self, spots: Sequence[Spot], packet_filter: str = "", kept: int = KEPT_BYTES) -> None:
        """`packet_filter` as in pcap-filter(7); `kept` bytes of each frame are kept."""
        self._spots = spots
        self._filter = packet_filter
        self._kept = kept
        self._running: list[_Running] = []
        self._frames: queue.Queue[Seen | None] = queue.Queue()
        self._open = 0
        self._asking = threading.Lock()

    def __enter__(self) -> Self:
        try:
            for spot in self._spots:
                self._running.append(self._start(spot))
                self._open += 1
            for running in self._running:
                self._await_listening(running)
        except BaseException:
            self._end_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_all()

    def stop(self) -> None:
        """Let all captures end; what they have seen until now still comes."""
        for running in self._running:
            assert running.process.stdin is not None
            with contextlib.suppress(OSError):  # nobody reads what was asked last
                running.process.stdin.close()

    def frames(self) -> Iterator[Seen]:
        """Every frame, in the order of arrival here, until all captures have ended.

        May be called again to go on after the last one that was read.
        """
        while self._open:
            seen = self._frames.get()
            if seen is None:
                self._open -= 1
            else:
                yield seen

    def collect(self, is_last: Callable[[Seen], bool], seconds: float) -> tuple[list[Seen], bool]:
        """The frames up to the one that is the last, and whether it came within `seconds`."""
        seen: list[Seen] = []
        deadline = Deadline(seconds)
        while not deadline.passed:
            try:
                each = self._frames.get(timeout=deadline.left)
            except queue.Empty:
                break
            if each is None:
                self._open -= 1
                continue
            seen.append(each)
            if is_last(each):
                return seen, True
        return seen, False

    def ask(self, spot: Spot, script: str, seconds: float) -> Answer:
        """Run shell text on the machine of a spot that is captured.

        `"${enter[@]}" PROGRAM` runs a program in the spot's namespace. What is asked of one spot is run one
        after the other. Raises LabError when the machine is gone, and TimedOutError when there is no answer
        within `seconds`.
        """
        running = next(each for each in self._running if each.spot == spot)
        with self._asking:
            running.asked = number = running.asked + 1
            assert running.process.stdin is not None
            try:
                running.process.stdin.write(f"{number}\n{script}\0".encode())
                running.process.stdin.flush()
            except (BrokenPipeError, ValueError) as error:
                raise self._broken(running) from error

        def answered() -> Answer:
            if number in running.answers:
                return running.answers[number]
            if running.process.poll() is not None:
                raise self._broken(running)
            raise NotYetError("it has not ended")

        return wait_for(answered, what=f"a command on {spot.name}", deadline=Deadline(seconds), interval=0.02)

    def ended(self) -> tuple[Ended, ...]:
        """What was counted; once all frames were read."""
        return tuple(self._counts(running) for running in self._running)

    def _start(self, spot: Spot) -> _Running:
        script = _SCRIPT.format(
            enter=spot.enter,
            device=shlex.quote(spot.device),
            kept=self._kept,
            buffer=BUFFER_KIB,
            catch_up=CATCH_UP_ROUNDS,
            filter=shlex.quote(self._filter) if self._filter else "",
        )
        JOURNAL.info("capture: %s:%s %s", spot.name, spot.device, self._filter)
        running = _Running(spot, start_with_pipes(spot.machine.command(script)))
        for work in (self._read_words, self._read_frames):
            thread = threading.Thread(target=work, args=(running,), daemon=True)
            running.threads.append(thread)
            thread.start()
        return running

    def _await_listening(self, running: _Running) -> None:
        def listens() -> None:
            if running.listening.is_set():
                return
            if running.process.poll() is not None:
                running.threads[0].join()
                raise _refusal(running, self._filter)
            raise NotYetError("tcpdump does not listen yet")

        wait_for(
            listens,
            what=f"capture on {running.spot.name}",
            deadline=Deadline(START_LIMIT),
            interval=0.05,
            resolution="`lab status` shows whether the node runs",
        )

    def _read_words(self, running: _Running) -> None:
        assert running.process.stderr is not None
        lines = (raw.decode(errors="replace").rstrip("\n") for raw in running.process.stderr)
        for line in lines:
            if line.startswith("device "):
                _, index, name = line.split(" ", 2)
                running.devices[int(index)] = name
            elif line.startswith("begin "):
                running.answers[int(line.removeprefix("begin "))] = _read_answer(lines)
            else:
                running.said.append(line)
                if "listening on" in line:
                    running.listening.set()

    def _read_frames(self, running: _Running) -> None:
        assert running.process.stdout is not None
        try:
            reader = CaptureReader(running.process.stdout)  # type: ignore[arg-type]
            for number, frame in enumerate(reader):
                self._frames.put(_seen(running, reader.link_type, frame, number))
        except (EOFError, ValueError) as error:
            running.said.append(str(error))
        finally:
            self._frames.put(None)

    def _counts(self, running: _Running) -> Ended:
        running.process.wait(END_LIMIT)
        running.threads[0].join(END_LIMIT)
        counted = {
            found[2]: int(found[1]) for line in running.said if (found := _COUNT.match(line)) is not None
        }
        if "captured" not in counted:
            raise self._broken(running)
        dropped = sum(number for what, number in counted.items() if what.startswith("dropped"))
        return Ended(running.spot, counted["captured"], dropped)

    def _broken(self, running: _Running) -> LabError:
        return LabError(
            f"the capture on {running.spot.name} broke off",
            details="\n".join(running.said[-5:]) or "tcpdump said nothing",
            resolution="run the same command again; `lab status` shows whether the node runs",
        )

    def _end_all(self) -> None:
        self.stop()
        for running in self._running:
            end_with_pipes(running.process, running.threads, END_LIMIT)


def _read_answer(lines: Iterator[str]) -> Answer:
    text: list[str] = []
    for line in lines:
        if _END.fullmatch(line):
            return Answer(int(line.removeprefix("end ")), "\n".join(text))
        text.append(line)
    return Answer(-1, "\n".join(text))


def _seen(running: _Running, link_type: int, frame: CapturedFrame, number: int) -> Seen:
    device = running.spot.device
    if device == ANY_DEVICE and link_type == LinkType.SLL2:
        index = CookedHeader.of(frame).device_index
        device = running.devices.get(index, f"if{index}")
    return Seen(running.spot, device, link_type, frame, number)


def _refusal(running: _Running, packet_filter: str) -> LabError:
    said = "\n".join(running.said[-5:]) or f"it ended with status {running.process.returncode}"
    if "syntax error" in said or "can't parse filter" in said:
        return WrongUseError(
            f"the filter is wrong: {packet_filter}",
            details=said,
            resolution="write it as in `man pcap-filter`, such as 'icmp or port 53'",
        )
    if "No such device" in said:
        return WrongUseError(
            f"{running.spot.name} has no device {running.spot.device}",
            details=said,
            resolution=f"use one of: {', '.join(running.devices.values())}",
        )
    return LabError(
        f"the capture on {running.spot.name} did not begin",
        details=said,
        resolution="`lab status` shows whether the node runs",
    )
