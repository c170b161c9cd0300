"""What the API server answers: errors in one line, and waiting for an answer that is wanted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from acceptance.problems import SuiteError

POLL_SECONDS = 1.0
API_ERRORS = (ApiException, HTTPError, OSError)


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition held before the time ran out; errors of the API count as not yet."""
    end = time.monotonic() + seconds
    last: Exception | None = None
    while True:
        try:
            if condition():
                return True
            last = None
        except API_ERRORS as error:
            last = error
        if time.monotonic() >= end:
            if last is not None:
                raise SuiteError(f"the API server does not answer as it should: {api_reason(last)}") from last
            return False
        time.sleep(POLL_SECONDS)


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
