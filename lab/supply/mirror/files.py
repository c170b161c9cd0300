"""Downloading one file: from one source after the other, going on where the last one stopped."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import requests
import urllib3

from lab.foundation.files import sha256_of
from lab.foundation.process import StoppedError
from lab.supply.cache import explain_full_disk
from lab.supply.mirror.meter import WINDOW_SECONDS, Meter, Rate, size_text
from lab.supply.mirror.mirrors import Mirrors, NextSourceError, Source, reason
from lab.supply.mirror.patience import Patience

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0
SLOW = 32 * 2**10
"""Bytes per second below which another source is tried, while there is one."""
CHUNK = 64 * 2**10


@dataclass(frozen=True)
class Downloader:
    """Downloads files into a folder that outlives a killed run."""

    mirrors: Mirrors
    folder: Path
    meter: Meter
    stop: threading.Event

    def download(self, url: str, sha256: str) -> tuple[Path, Source]:
        """The file behind the upstream `url`, whose digest is `sha256`, and the source that finished it.

        Raises UnavailableError that says of every source why it did not give it, StoppedError when other work
        failed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{sha256}.part"
        refusals = []
        for source in self.mirrors.in_turn(url):
            try:
                self._from(source, part)
                self._check(source, part, sha256)
                return part, source
            except NextSourceError as why:
                refusals.append(f"{source.host}: {why}")
        raise self.mirrors.unavailable(url, refusals)

    def _from(self, source: Source, part: Path) -> None:
        """Fetch what is still missing; a source that breaks off is asked again as long as that helps."""
        patience = Patience(_size(part))
        while True:
            try:
                with explain_full_disk(self.folder):
                    self._once(source, part)
                return
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                why = reason(error)
            if patience.is_over(_size(part)) or self.mirrors.is_dropped(source.host):
                said = f"{source.name.rpartition('/')[2]} after {size_text(patience.got)}: {why}"
                self.mirrors.broke_off(source.host, said)
                raise NextSourceError(f"broke off, {said}")
            patience.pause(self.stop)

    def _once(self, source: Source, part: Path) -> None:
        offset = _size(part)
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}
        limits = (CONNECT_SECONDS, SILENCE_SECONDS)
        with requests.get(source.name, headers=headers, stream=True, timeout=limits) as answer:
            if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return
            if answer.status_code >= 500 or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                raise requests.HTTPError(f"HTTP status {answer.status_code}")
            if answer.status_code >= 400:
                raise NextSourceError(f"HTTP status {answer.status_code}")
            goes_on = answer.status_code == HTTPStatus.PARTIAL_CONTENT
            length = int(answer.headers.get("Content-Length", 0))
            self.meter.expect(length)
            try:
                with part.open("ab" if goes_on else "wb") as file:
                    self._copy(answer, file, source)
            finally:
                self.meter.expect(_size(part) - (offset if goes_on else 0) - length)

    def _copy(self, answer: requests.Response, file: BinaryIO, source: Source) -> None:
        rate, begun, got = Rate(), time.monotonic(), 0
        name = source.name.rpartition("/")[2]
        while chunk := answer.raw.read1(CHUNK):
            if self.stop.is_set():
                raise StoppedError(f"the download of {source.name} was stopped")
            file.write(chunk)
            got += len(chunk)
            self.meter.got(len(chunk), name)
            now = rate.at(got)
            if not source.last and time.monotonic() - begun > WINDOW_SECONDS and now < SLOW:
                self.mirrors.passed_over(source.host, f"it gives {size_text(now)}/s of {name}")
                raise NextSourceError(f"slow, {size_text(now)}/s")

    def _check(self, source: Source, part: Path, sha256: str) -> None:
        if not part.exists() or (found := sha256_of(part)) == sha256:
            return
        part.unlink()
        name = source.name.rpartition("/")[2]
        why = f"its {name} has the SHA-256 {found}, expected {sha256}"
        self.mirrors.drop(source.host, why)
        raise NextSourceError(why)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
