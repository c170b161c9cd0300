"""The one place that speaks to the Kubernetes API, from the host side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kubernetes import client, config
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as UrllibTimeoutError

from lab.cluster.objects import (
    Json,
    NodeState,
    PodState,
    Rollout,
    Workload,
    is_established,
    node_state,
    pod_state,
    rollout,
)
from lab.cluster.transport import pools_through
from lab.foundation.errors import LabError
from lab.foundation.journal import JOURNAL
from lab.foundation.wait import Deadline, NotYetError, TimedOutError, wait_for
from lab.host.site import Site

FIELD_MANAGER = "lab"
OPENED = "kubeconfig.opened"
REQUEST_SECONDS = 60
ESTABLISHED_SECONDS = 300
CHANGE_SECONDS = 300.0
"""How long a change is asked for again while the API server is overloaded; all changes may be repeated."""
OVERLOADED = frozenset({429, 500, 502, 503, 504})
"""Answers of an API server that is too slow, or whose webhooks or etcd are: apimachinery, pkg/api/errors."""
CLUSTER_FIRST = ("Namespace", "CustomResourceDefinition")

Manifest = Json
"""A Kubernetes object as the API has it: apiVersion, kind, metadata, ..."""


class ApiError(LabError):
    """The API server refused a request, or did not answer it."""

    def __init__(self, brief: str, details: str, status: int | None = None) -> None:
        super().__init__(
            brief,
            details=details,
            resolution="`lab status` shows the cluster; then run the same command again",
        )
        self.status = status
        """The HTTP status, None when there was no answer."""


class ClusterApi:
    """The API server of one lab, in the network of its site. Safe to share between threads."""

    def __init__(self, kubeconfig: Path, site: Site) -> None:
        """Raises LabError when the kubeconfig cannot be read; connects to nothing yet.

        The client wants certificates and key as files, which it removes at the end of this process. They lie
        beside the kubeconfig, so that those of a process that was killed go with the lab.
        """
        settings = client.Configuration()
        settings.client_side_validation = False
        settings.retries = False
        opened = kubeconfig.parent / OPENED
        try:
            opened.mkdir(exist_ok=True)
            config.load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig),
                client_configuration=settings,
                persist_config=False,
                temp_file_path=str(opened),
            )
        except (config.ConfigException, OSError) as error:
            raise LabError(f"cannot read {kubeconfig}", details=str(error), resolution="lab up") from error
        settings.proxy = None
        self._client = client.ApiClient(settings)
        self._client.rest_client.pool_manager.pool_classes_by_scheme = pools_through(site)
        self._plurals: dict[str, dict[str, tuple[str, bool]]] = {}

    def check_serving(self) -> None:
        """Return when the API server says it is ready. Raises NotYetError with its reason else."""
        try:
            with _explained("the API server"):
                self._request("GET", "/readyz")
        except ApiError as error:
            raise NotYetError(f"the API server is not ready: {error.details}") from error

    def nodes(self, seconds: float = REQUEST_SECONDS) -> list[NodeState]:
        """All nodes. Raises ApiError when there is no answer within `seconds`, too."""
        return [node_state(item) for item in self._list("nodes", "/api/v1/nodes", seconds=seconds)]

    def pods(self, namespace: str) -> list[PodState]:
        path = f"/api/v1/namespaces/{namespace}/pods"
        return [pod_state(item) for item in self._list(f"pods of {namespace}", path)]

    def check_kubelet(self, node: str, seconds: float = REQUEST_SECONDS) -> None:
        """Return when the node's kubelet answers the API server now. Raises ApiError else."""
        with _explained(f"ask the kubelet of {node}"):
            self._request("GET", f"/api/v1/nodes/{node}/proxy/healthz", seconds=seconds)

    def check_node(self, node: str, port: int, path: str, seconds: float = REQUEST_SECONDS) -> None:
        """Return when a program of the node answers the API server by HTTP now. Raises like `check_pod`."""
        with _explained(f"ask port {port} of {node}"):
            self._request("GET", f"/api/v1/nodes/http:{node}:{port}/proxy{path}", seconds=seconds)

    def check_pod(
        self, namespace: str, pod: str, port: int, path: str, seconds: float = REQUEST_SECONDS
    ) -> None:
        """Return when the pod answers the API server by HTTP now.

        Raises ApiError else: without a status when there was no answer in that time, else with the answer's.
        """
        with _explained(f"ask the pod {namespace}/{pod}"):
            path = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"
            self._request("GET", path, seconds=seconds)

    def last_warnings(self, namespace: str) -> dict[str, str]:
        """The newest event of type Warning about each object of the namespace, by the object's name."""
        path = f"/api/v1/namespaces/{namespace}/events"
        found = self._list(f"events of {namespace}", path, query=[("fieldSelector", "type=Warning")])
        found.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        return {
            event["involvedObject"]["name"]: f"{event.get('reason')}: {event.get('message')}"
            for event in found
        }

    def rollout(self, workload: Workload) -> Rollout | None:
        """How far the workload is; None when it does not exist."""
        try:
            return rollout(workload.kind, self.read(workload.path))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def label_node(self, name: str, labels: Mapping[str, str | None]) -> None:
        """Put the labels on the node, take away those that are None; others stay."""
        self.merge(f"/api/v1/nodes/{name}", {"metadata": {"labels": dict(labels)}})

    def read(self, path: str, *, query: list[tuple[str, str]] | None = None) -> Manifest:
        """The object at a path such as /api/v1/nodes/NAME. Raises ApiError, with status 404 for none."""
        found: Manifest = json.loads(self.text(path, query=query))
        return found

    def text(
        self, path: str, *, query: list[tuple[str, str]] | None = None, seconds: float = REQUEST_SECONDS
    ) -> str:
        """What the API server answers to GET. Raises ApiError, without a status for no answer."""
        with _explained(f"read {path}"):
            return self._request("GET", path, query=query, seconds=seconds)

    def merge(self, path: str, change: Manifest) -> None:
        """Change the object at that path by a merge patch (RFC 7386): null takes a field away."""
        self._change(
            f"change {path}",
            "PATCH",
            path,
            query=[("fieldManager", FIELD_MANAGER)],
            body=change,
            content_type="application/merge-patch+json",
        )

    def delete(self, path: str, *, query: list[tuple[str, str]] | None = None) -> None:
        """Delete the object at that path, which may be gone already."""
        try:
            self._change(f"delete {path}", "DELETE", path, query=query)
        except ApiError as error:
            if error.status != 404:
                raise

    def apply(self, manifests: Iterable[Manifest]) -> None:
        """Server-side apply in the given order, namespaces and definitions first; may be repeated.

        A definition is waited for until its objects may be made.
        """
        ordered = sorted(manifests, key=lambda manifest: manifest["kind"] not in CLUSTER_FIRST)
        for manifest in ordered:
            kind, name = manifest["kind"], manifest["metadata"]["name"]
            with _explained(f"apply {kind} {name}"):
                path = self._path(manifest)
            self._change(
                f"apply {kind} {name}",
                "PATCH",
                path,
                query=[("fieldManager", FIELD_MANAGER), ("force", "true")],
                body=manifest,
                content_type="application/apply-patch+yaml",
            )
            if kind == "CustomResourceDefinition":
                self._wait_established(manifest)

    def _wait_established(self, definition: Manifest) -> None:
        def established() -> None:
            with _explained(f"read {definition['metadata']['name']}"):
                found = json.loads(self._request("GET", self._path(definition)))
            if not is_established(found):
                raise NotYetError("the API server has not accepted it yet")

        wait_for(
            established,
            what=f"the definition {definition['metadata']['name']} is established",
            deadline=Deadline(ESTABLISHED_SECONDS),
            interval=0.2,
            retry_on=(ApiError,),
        )

    def _list(
        self,
        what: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> list[Json]:
        with _explained(f"list the {what}"):
            items: list[Json] = json.loads(self._request("GET", path, query=query, seconds=seconds))["items"]
        return items

    def _path(self, manifest: Manifest) -> str:
        version, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if kind not in self._plurals.get(version, {}):
            found = json.loads(self._request("GET", root))["resources"]
            self._plurals[version] = {
                each["kind"]: (each["name"], each["namespaced"]) for each in found if "/" not in each["name"]
            }
        if kind not in self._plurals[version]:
            raise ApiError(f"apply {kind}", f"the API server knows no {kind} in {version}", 404)
        plural, namespaced = self._plurals[version][kind]
        metadata = manifest["metadata"]
        where = f"/namespaces/{metadata.get('namespace', 'default')}" if namespaced else ""
        return f"{root}{where}/{plural}/{metadata['name']}"

    def _change(
        self,
        what: str,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> None:
        refused: list[ApiError] = []

        def carried_out() -> None:
            try:
                with _explained(what):
                    self._request(method, path, query=query, body=body, content_type=content_type)
            except ApiError as error:
                if not _is_overload(error):
                    raise
                refused[:] = [error]
                raise NotYetError(error.brief) from error

        try:
            wait_for(carried_out, what=what, deadline=Deadline(CHANGE_SECONDS))
        except TimedOutError:
            raise refused[0] from None

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> str:
        request = self._client.param_serialize(
            method,
            path,
            query_params=query or [],
            header_params={"Accept": "application/json, */*", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = self._client.call_api(*request, _request_timeout=seconds)
        text = bytes(answer.read()).decode()  # type: ignore[no-untyped-call]
        JOURNAL.debug("API: %s %s: %d", method, path, answer.status)
        if not 200 <= answer.status <= 299:
            raise ApiError(f"{method} {path}", _said(text), answer.status)
        return text


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        raise ApiError(f"{what}: refused", error.details or "", error.status) from error
    except (HTTPError, OSError, client.ApiException) as error:
        raise ApiError(f"{what}: no answer", str(error) or type(error).__name__) from error


def _is_overload(error: ApiError) -> bool:
    """Whether the API server said that it is overloaded, or took the request and did not answer in time."""
    return error.status in OVERLOADED or isinstance(error.__cause__, UrllibTimeoutError)


def _said(text: str) -> str:
    """The message inside the Status object that the API server answers with, or the text itself."""
    try:
        return str(json.loads(text)["message"])
    except (TypeError, ValueError, KeyError):
        return text
