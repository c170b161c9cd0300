"""Taking a namespace out of the cluster, with all that is in it."""

from __future__ import annotations

from kubernetes.client.exceptions import ApiException

from acceptance.api_answers import API_ERRORS, HTTP_CONFLICT, HTTP_NOT_FOUND, api_reason, until
from acceptance.cluster import REQUEST_TIMEOUT, Api
from acceptance.problems import SuiteError

REMOVE_SECONDS = 180.0
"""How long what the suite made may take to go; on docker a namespace took more than one minute."""


def remove_pods(api: Api, namespace: str, deadline_seconds: float) -> None:
    """Remove a namespace's pods and wait until the cluster knows none. Raises SuiteError when one stays."""

    def emptied() -> bool:
        api.remove_pods(namespace)
        return not api.pods(namespace)

    if not until(emptied, deadline_seconds):
        raise _stays(api, namespace, deadline_seconds)


def remove_namespace(api: Api, namespace: str, deadline_seconds: float) -> None:
    """Remove a namespace and wait until it is gone. Raises SuiteError when it stays."""

    def gone() -> bool:
        try:
            api.core.delete_namespace(namespace, _request_timeout=REQUEST_TIMEOUT)
        except ApiException as error:
            if error.status == HTTP_NOT_FOUND:
                return True
            if error.status != HTTP_CONFLICT:
                raise
        return False

    if not until(gone, deadline_seconds):
        raise _stays(api, namespace, deadline_seconds)


def _stays(api: Api, namespace: str, seconds: float) -> SuiteError:
    try:
        held = "; ".join(api.holds_back(namespace))
    except API_ERRORS as error:
        held = api_reason(error)
    return SuiteError(
        f"the namespace {namespace} is not gone after {seconds:.0f} s{held and ': '}{held};"
        f" `lab kubectl get all -n {namespace}` shows what is left"
    )
