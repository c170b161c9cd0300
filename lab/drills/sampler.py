"""Asking the same questions each second, and keeping what became of each.

What could not be asked is "not asked": it counts neither as an answer nor as silence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from lab.drills.clock import Clock
from lab.foundation.journal import JOURNAL

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

INTERVAL = 1.0
"""Seconds from one question to the next."""

Start = Callable[[Callable[[], None]], None]
"""Lets work go on beside the caller."""


class Outcome(StrEnum):
    ANSWERED = "answered"
    REFUSED = "refused"
    """It was reached, and said that it cannot."""
    SILENT = "no answer"
    NOT_ASKED = "not asked"
    OPEN = "open"
    """Asked, and the time for an answer is not over."""


class RefusedError(Exception):
    """Somebody answered, but not the question."""


class SilentError(Exception):
    """The question was sent, or a connection tried, and nobody answered."""


class NotAskedError(Exception):
    """The question could not leave this side."""


@dataclass(frozen=True)
class Sight(Generic[T_co]):
    """What became of one question."""

    at: float
    """When it was due, by the clock of the observation."""
    outcome: Outcome
    value: T_co | None = None
    """What was said; None for all but ANSWERED."""
    reason: str = ""
    took: float = 0.0
    """Seconds until its end."""

    @property
    def failed(self) -> bool:
        """Whether it was asked in vain."""
        return self.outcome in (Outcome.REFUSED, Outcome.SILENT)

    @property
    def unknown(self) -> bool:
        """Whether nothing follows from it."""
        return self.outcome in (Outcome.NOT_ASKED, Outcome.OPEN)


class Asked(Protocol):
    """A channel, whatever its answers are."""

    def ask(self, at: float) -> None: ...

    def miss(self, at: float, reason: str) -> None: ...


class Channel(Generic[T]):
    """One question, asked again and again. Safe to read while it is asked."""

    def __init__(
        self,
        question: Callable[[], T],
        clock: Clock,
        start: Start,
        *,
        overlapping: bool = False,
    ) -> None:
        """`question` raises one of this module's errors where there is no answer.

        Where questions may overlap, each has a fate of its own; else none is asked while one is open.
        """
        self._question = question
        self._clock = clock
        self._start = start
        self._overlapping = overlapping
        self._lock = threading.Lock()
        self._sights: list[Sight[T]] = []

    @property
    def sights(self) -> tuple[Sight[T], ...]:
        """In the order in which they were due."""
        with self._lock:
            return tuple(self._sights)

    @property
    def settled(self) -> Sight[T] | None:
        """The newest that is not open."""
        return next((sight for sight in reversed(self.sights) if sight.outcome is not Outcome.OPEN), None)

    def ask(self, at: float) -> None:
        with self._lock:
            waiting = [sight for sight in self._sights if sight.outcome is Outcome.OPEN]
            if waiting and not self._overlapping:
                reason = f"the question of {at - waiting[0].at:.0f} s ago is still open"
                self._sights.append(Sight(at, Outcome.NOT_ASKED, reason=reason))
                return
            place = len(self._sights)
            self._sights.append(Sight(at, Outcome.OPEN))
        try:
            self._start(lambda: self._settle(place, at))
        except RuntimeError as error:  # no thread can be started
            self._put(place, Sight(at, Outcome.NOT_ASKED, reason=str(error)))

    def miss(self, at: float, reason: str) -> None:
        """Keep that nothing was asked at that time."""
        with self._lock:
            self._sights.append(Sight(at, Outcome.NOT_ASKED, reason=reason))

    def _settle(self, place: int, at: float) -> None:
        asked = self._clock.now()
        outcome, value, reason = _outcome_of(self._question)
        self._put(place, Sight(at, outcome, value, reason, self._clock.now() - asked))

    def _put(self, place: int, sight: Sight[T]) -> None:
        with self._lock:
            self._sights[place] = sight


def _outcome_of(question: Callable[[], T]) -> tuple[Outcome, T | None, str]:
    try:
        return Outcome.ANSWERED, question(), ""
    except RefusedError as error:
        return Outcome.REFUSED, None, str(error)
    except SilentError as error:
        return Outcome.SILENT, None, str(error)
    except NotAskedError as error:
        return Outcome.NOT_ASKED, None, str(error)
    except Exception as error:  # a mistake on this side says nothing about the lab
        JOURNAL.error("a question failed: %r", error, exc_info=error)
        return Outcome.NOT_ASKED, None, f"{type(error).__name__}: {error}"


class Sampler:
    """Asks all channels at each whole interval since it began, until it is stopped."""

    def __init__(self, channels: Sequence[Asked], clock: Clock, on_tick: Callable[[float], None]) -> None:
        """`on_tick` is called once the questions of a tick are on their way, with the tick's time."""
        self._channels = channels
        self._clock = clock
        self._on_tick = on_tick

    def run(self, stopped: Callable[[], bool]) -> None:
        due = self._clock.now()
        while not stopped():
            for channel in self._channels:
                channel.ask(due)
            self._on_tick(due)
            due = self._next(due)
            self._clock.sleep(max(0.0, due - self._clock.now()))

    def _next(self, due: float) -> float:
        """The next tick that is not over; those that are, are kept as not asked."""
        due += INTERVAL
        while due + INTERVAL <= self._clock.now():
            for channel in self._channels:
                channel.miss(due, "this host was busy")
            due += INTERVAL
        return due


def in_a_thread(work: Callable[[], None]) -> None:
    """A `Start` that waits for nothing; the thread does not keep this process."""
    threading.Thread(target=work, daemon=True).start()
