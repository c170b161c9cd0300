"""How one source is asked whether it has one thing."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import requests

from lab.supply.architecture import architecture
from lab.supply.mirror.files import CONNECT_SECONDS
from lab.supply.mirror.mirrors import NextSourceError, Source, reason
from lab.supply.mirror.resolving import ImageResolver

ANSWER_SECONDS = 10.0
"""The most that one request for one thing may take."""

_HEAD_REFUSED = (HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)


class Question(Protocol):
    """Whether one source has one thing."""

    @property
    def source(self) -> Source: ...

    def ask(self, stop: threading.Event) -> None:
        """Return when the source has it; raises NextSourceError that says why not."""


@dataclass(frozen=True)
class Wanted:
    """One thing that a supply needs, with the question for each of its sources, in the supply's order."""

    kind: str
    name: str
    questions: tuple[Question, ...]
    without: str = ""
    """What a lab does without it; empty when it must be had."""
    unasked: str = ""
    """Why there is no source to ask, where there is none."""


@dataclass(frozen=True)
class FileQuestion:
    """A URL: HEAD, or where a server refuses that, its first byte."""

    source: Source

    def ask(self, stop: threading.Event) -> None:
        url, limits = self.source.name, (CONNECT_SECONDS, ANSWER_SECONDS)
        try:
            answer = requests.head(url, timeout=limits, allow_redirects=True)
            if answer.status_code in _HEAD_REFUSED and not stop.is_set():
                # `stream`: a server that knows no ranges would send the whole file.
                headers = {"Range": "bytes=0-0", "Accept-Encoding": "identity"}
                with requests.get(url, headers=headers, timeout=limits, stream=True) as answer:
                    pass
        except requests.Timeout as late:
            raise NextSourceError(f"no answer within {ANSWER_SECONDS:.0f} s") from late
        except requests.RequestException as error:
            raise NextSourceError(reason(error)) from error
        if not answer.ok:
            raise NextSourceError(f"HTTP status {answer.status_code}")


@dataclass(frozen=True)
class ImageQuestion:
    """An image by the first of its tags that the source has, for this machine: its manifest."""

    source: Source
    tags: tuple[str, ...]

    def ask(self, stop: threading.Event) -> None:
        ImageResolver(architecture(), stop, ANSWER_SECONDS).resolve(self.source, self.tags)
