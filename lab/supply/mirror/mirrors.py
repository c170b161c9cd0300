"""The mirrors while they are used: which of them may be asked for something, and which turned out bad."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import requests

from lab.foundation.errors import LabError
from lab.foundation.progress import Progress
from lab.supply.mirror.settings import MirrorList, settings_file

ANSWER_SECONDS = 3.0
"""A mirror that has not answered by then is left alone."""


@dataclass(frozen=True)
class Source:
    """One place to ask for one thing: a URL, or an image without its tag."""

    name: str
    plain_http: bool = False
    last: bool = False
    """Whether nothing is left to ask after it: then a slow answer is better than none."""

    @property
    def host(self) -> str:
        """Host and, where it is written, port; without a name and a password before it."""
        if "://" not in self.name:
            return self.name.partition("/")[0]
        return urlsplit(self.name).netloc.rpartition("@")[2]


class UnavailableError(LabError):
    """No mirror could give what was asked for."""


class NextSourceError(Exception):
    """A source does not give what was asked for; the text says why."""


class Mirrors:
    """All mirrors, shared by the threads that fetch. What is wrong with one is said once."""

    def __init__(self, mirrors: MirrorList, progress: Progress) -> None:
        self._list = mirrors
        self._progress = progress
        self._lock = threading.Lock()
        self._dropped: dict[str, str] = {}
        self._slow: dict[str, str] = {}

    def is_dropped(self, host: str) -> bool:
        return host in self._dropped

    def sources(self, name: str) -> tuple[Source, ...]:
        """Where to ask for the upstream URL or image `name`, in order; slow ones last, dropped ones not."""
        found = self._all_sources(name)
        with self._lock:
            usable = [source for source in found if source.host not in self._dropped]
            return tuple(sorted(usable, key=lambda source: source.host in self._slow))

    def _all_sources(self, name: str) -> list[Source]:
        found = []
        for mirror in self._list.mirrors:
            if name.startswith(f"{mirror.of}/"):
                rest = name.removeprefix(f"{mirror.of}/")
                at = f"{mirror.at.rstrip('/')}/{rest.rpartition('/')[2] if mirror.flat else rest}"
                is_registry = "://" not in mirror.of
                plain = is_registry and at.startswith("http://")
                found.append(Source(at.removeprefix("http://") if plain else at, plain))
        if not self._list.only:
            found.append(Source(name))
        return found

    def in_turn(self, name: str) -> Iterator[Source]:
        """The sources one after the other; one that was passed over comes again when nothing else is left."""
        asked: Counter[str] = Counter()
        while True:
            left = [
                source
                for source in self.sources(name)
                if asked[source.name] < (2 if source.host in self._slow else 1)
            ]
            if not left:
                return
            source = min(left, key=lambda each: asked[each.name])
            asked[source.name] += 1
            yield replace(source, last=len(left) == 1)

    def unavailable(self, name: str, refusals: Sequence[str], tag: str = "") -> UnavailableError:
        """The error for something that no source gave, with what each of them said."""
        could = {source.host for source in self._all_sources(name)}
        dropped = [f"{host}: dropped" for host in self._dropped if host in could]
        return UnavailableError(
            f"no mirror has {name}{tag}",
            details="\n".join([*dropped, *refusals]) or "no mirror is named for it",
            resolution=f"name a mirror that has it in {settings_file()} (docs/supplies.md), "
            "then run the same command again: it continues where it stopped",
        )

    def drop(self, host: str, why: str) -> None:
        """Ask this host for nothing more."""
        with self._lock:
            if host in self._dropped:
                return
            self._dropped[host] = why
        self._progress.note(f"mirror {host} dropped: {why}")

    def broke_off(self, host: str, why: str) -> None:
        """Say that something is asked for elsewhere; the host is asked for other things as before."""
        self._progress.note(f"mirror {host} broke off: {why}")

    def passed_over(self, host: str, why: str) -> None:
        """Ask this host last from now on."""
        with self._lock:
            if host in self._slow:
                return
            self._slow[host] = why
        self._progress.note(f"mirror {host} passed over: {why}")

    def probe(self, names: Iterable[str]) -> None:
        """Drop within seconds every host that does not answer at all; `names` is what will be asked for."""
        for host, why in silent_hosts(source for name in names for source in self.sources(name)).items():
            self.drop(host, why)

    def can_serve(self, names: Iterable[str]) -> bool:
        """Whether something is left to ask for each of the names."""
        return all(self.sources(name) for name in names)


def silent_hosts(sources: Iterable[Source]) -> Mapping[str, str]:
    """Those hosts of the sources that do not answer at all within ANSWER_SECONDS, and why; asked at once."""
    hosts = {source.host: source for source in sources}
    if not hosts:
        return {}
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        reasons = zip(hosts, pool.map(_why_silent, hosts.values()), strict=True)
        return {host: why for host, why in reasons if why}


def _why_silent(source: Source) -> str | None:
    scheme = "http" if source.plain_http or source.name.startswith("http://") else "https"
    path = "/" if "://" in source.name else "/v2/"
    try:
        requests.head(f"{scheme}://{source.host}{path}", timeout=ANSWER_SECONDS, allow_redirects=False)
    except requests.Timeout:
        return f"no answer within {ANSWER_SECONDS:.0f} s"
    except requests.exceptions.SSLError as error:
        # It answers. Whether a registry is who it says, skopeo knows better: it has the host's authorities.
        return reason(error) if "://" in source.name else None
    except requests.exceptions.ProxyError as error:
        return f"the proxy that the environment names: {reason(error)}"
    except requests.RequestException as error:
        return reason(error)
    return None


def reason(error: BaseException) -> str:
    """The innermost words of a network error: `Connection refused`, `Name or service not known`."""
    inner: BaseException = error
    while True:
        causes = (getattr(inner, "reason", None), *inner.args)
        deeper = next((cause for cause in causes if isinstance(cause, BaseException)), None)
        if deeper is None:
            break
        inner = deeper
    text = str(inner).rpartition("] ")[2].rpartition(": ")[2]
    return (text if "(" in text else text.rstrip(")")) or type(inner).__name__
