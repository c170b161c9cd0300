"""What the API server answers: errors in one line, and waiting for an answer that is wanted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TypeVar

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from acceptance.problems import SuiteError

T = TypeVar("T")

POLL_SECONDS = 1.0
HTTP_NOT_FOUND = 404
HTTP_CONFLICT = 409
API_ERRORS = (ApiException, HTTPError, OSError)
MOST_PROGRESS = 4
"""How many times its length a limit may last where something goes on all the time."""


def until(condition: Callable[[], bool], seconds: float, progress: Callable[[], int] | None = None) -> bool:
    """Whether the condition held before the time ran out; errors of the API count as not yet.

    With `progress`, which is asked after the condition, the time begins anew whenever it says more than ever
    before, up to `MOST_PROGRESS` times its length in all. Raises SuiteError when the last answer was an
    error.
    """
    started = time.monotonic()
    end, furthest = started + seconds, 0
    last: Exception | None = None
    while True:
        try:
            if condition():
                return True
            last = None
            if progress is not None and (now := progress()) > furthest:
                furthest = now
                end = min(time.monotonic() + seconds, started + MOST_PROGRESS * seconds)
        except API_ERRORS as error:
            last = error
        if time.monotonic() >= end:
            if last is not None:
                raise SuiteError(f"the API server does not answer as it should: {api_reason(last)}") from last
            return False
        time.sleep(POLL_SECONDS)


def again(ask: Callable[[], T], seconds: float) -> T:
    """What the API server answers, asked again while it is overloaded or silent.

    Raises its last error when that lasts longer than `seconds`, and any other error of it at once.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except API_ERRORS as error:
            if not _passes(error) or time.monotonic() >= end:
                raise
        time.sleep(POLL_SECONDS)


def made(create: Callable[[], T], read: Callable[[], T], seconds: float) -> T:
    """Make an object, asking again as `again` does.

    A request whose answer was lost may have been carried out: an object that exists then is read.
    """

    def create_or_read() -> T:
        try:
            return create()
        except ApiException as error:
            if error.status != HTTP_CONFLICT:
                raise
            return read()

    return again(create_or_read, seconds)


OVERLOADED = frozenset({429, 500, 502, 503, 504})
"""Answers of an API server, or of one of its webhooks, that is too slow: too many requests, a webhook or etcd
that did not answer in time, not ready, request timeout.
https://kubernetes.io/docs/reference/using-api/api-concepts/ and apimachinery's pkg/api/errors."""


def _passes(error: Exception) -> bool:
    """Whether the same question may be answered later: by a server that is silent or overloaded now."""
    return not isinstance(error, ApiException) or error.status in OVERLOADED


def api_reason(error: Exception) -> str:
    """An error of the Kubernetes client in one line."""
    if isinstance(error, ApiException):
        return f"HTTP {error.status} {error.reason}{_api_message(error)}"
    return " ".join(str(error).split()) or type(error).__name__


def _api_message(error: ApiException) -> str:
    """What the API server says besides the status; empty when it says nothing that can be read."""
    try:
        message = json.loads(error.body or "")["message"]
    except (TypeError, ValueError, KeyError):
        return ""
    return f": {message}"
