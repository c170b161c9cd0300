"""The coursework's Tomcat pods: applied from its files, waited for, asked, removed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config, dynamic
from kubernetes.client.exceptions import ApiException

from acceptance.api_answers import API_ERRORS, HTTP_NOT_FOUND, again, api_reason, made, until
from acceptance.asking import RESOLVE
from acceptance.clearing import remove_namespace, remove_pods
from acceptance.cluster import REQUEST_TIMEOUT, Api, ClusterPod
from acceptance.inventory import Inventory, Node
from acceptance.pod_processes import FIND_PODS, pid_into
from acceptance.probes import Answer
from acceptance.problems import SuiteError
from acceptance.shell import Command, LocalShell, Output, SshConnections, run_batch

FILES = Path(__file__).resolve().parent.parent / "examples" / "underlay-cases-files"
NAMESPACE = "myserver"
FIELD_MANAGER = "lab-acceptance"
HTTP_PORT = 8080
CURL = "curl --silent --show-error --max-time 15"
NOBODY_THERE = (7, 28)
"""Exit statuses of curl(1): it could not connect, time was up."""


@dataclass(frozen=True)
class Tomcat:
    """One of the coursework's pods, and the port of its Service on every node."""

    kind: str
    pod: ClusterPod
    node_port: int

    @property
    def address(self) -> IPv4Address:
        assert self.pod.address is not None, "only pods with an address are handed out"
        return self.pod.address

    @property
    def page(self) -> str:
        """What its page says."""
        return f"tomcat on {self.pod.name}, {self.address}"


class Coursework:
    """The namespace myserver on one cluster. What a student made there before is used, and stays."""

    def __init__(self, inventory: Inventory, ssh: SshConnections) -> None:
        self._inventory = inventory
        self._ssh = ssh
        self._api = Api.connect(inventory.kubeconfig)
        self._objects = dynamic.DynamicClient(
            config.new_client_from_config(config_file=str(inventory.kubeconfig))  # type: ignore[no-untyped-call]
        )
        self._made_namespace = False

    def apply(self, seconds: float) -> None:
        """What `kubectl create namespace myserver` and `kubectl apply -f` of the folder do.

        Each request may take `seconds`, asked again while the API server is overloaded.
        """
        self._made_namespace = not again(self._has_namespace, seconds)
        if self._made_namespace:
            made(self._make_namespace, lambda: None, seconds)
        for manifest in manifests():
            again(partial(self._apply_one, manifest), seconds)

    def _has_namespace(self) -> bool:
        try:
            self._api.core.read_namespace(NAMESPACE, _request_timeout=REQUEST_TIMEOUT)
        except ApiException as error:
            if error.status != HTTP_NOT_FOUND:
                raise
            return False
        return True

    def _make_namespace(self) -> None:
        self._api.core.create_namespace({"metadata": {"name": NAMESPACE}}, _request_timeout=REQUEST_TIMEOUT)

    def _apply_one(self, manifest: dict[str, Any]) -> None:
        kind = self._objects.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        self._objects.server_side_apply(  # type: ignore[no-untyped-call]
            kind,
            body=manifest,
            name=manifest["metadata"]["name"],
            namespace=manifest["metadata"].get("namespace"),
            field_manager=FIELD_MANAGER,
            force_conflicts=True,
            _request_timeout=REQUEST_TIMEOUT,
        )

    def wait(self, seconds: float) -> Mapping[str, Tomcat]:
        """The pods by kind (overlay, underlay) when both are Ready. Raises SuiteError with what they lack."""
        ports = dict(_node_ports())
        pods: dict[str, ClusterPod] = {}

        def waiting() -> list[str]:
            return [app for app in ports if app not in pods or not pods[app].ready]

        def all_ready() -> bool:
            pods.clear()
            seen = self._api.pods(NAMESPACE)
            pods.update((pod.labels.get("app", ""), pod) for pod in seen if not pod.leaving)
            return not waiting()

        if not until(all_ready, seconds, lambda: sum(pod.stages for pod in pods.values())):
            said = "; ".join(self._why_not(app, pods.get(app)) for app in waiting())
            raise SuiteError(f"not Ready after {seconds:.0f} s: {said}")
        return {_kind(app): Tomcat(_kind(app), pods[app], port) for app, port in ports.items()}

    def remove(self, seconds: float) -> None:
        """Remove the namespace if it was made here. Raises SuiteError when it stays."""
        if not self._made_namespace:
            return
        remove_pods(self._api, NAMESPACE, seconds)
        remove_namespace(self._api, NAMESPACE, seconds)

    def from_lan_host(self, url: str) -> Output:
        """What curl in the LAN host's network gets."""
        return self._on_lan_host({"curl": f"{CURL} {url}"})["curl"]

    def answers_to_lan_host(self, urls: Mapping[str, str]) -> Mapping[str, Answer]:
        """What curl in the LAN host's network gets, all at once, by the keys of `urls`."""
        outputs = self._on_lan_host({key: f"{CURL} {url}" for key, url in urls.items()})
        return {key: curl_answer(output) for key, output in outputs.items()}

    def page_from_lan_host(self, url: str, page: str, seconds: float) -> Output:
        """What curl in the LAN host's network gets once it is `page`; the last answer when it never is.

        A Service answers when kube-proxy has its rules, some time after its pod is ready.
        """
        end = time.monotonic() + seconds
        while True:
            answer = self.from_lan_host(url)
            if answer.stdout.strip() == page or time.monotonic() >= end:
                return answer
            time.sleep(1)

    def neighbour(self, address: IPv4Address) -> str:
        """The MAC address that the LAN host knows for that address; empty when it knows none."""
        said = self._on_lan_host({"neighbour": f"ip neigh show to {address}"})["neighbour"].stdout.split()
        return said[said.index("lladdr") + 1] if "lladdr" in said else ""

    def _on_lan_host(self, commands: Mapping[str, str]) -> Mapping[str, Output]:
        """Run commands of this machine in the LAN host's network, all at once."""
        assert self._inventory.lan_host is not None, "only asked where there is a LAN host"
        enter = " ".join(self._inventory.lan_host.enter)
        wanted = [Command(key, f"{enter} {words}") for key, words in commands.items()]
        return run_batch(LocalShell(), wanted)

    def in_pod(self, tomcat: Tomcat, commands: Mapping[str, str]) -> Mapping[str, Output]:
        """Run commands of the node in the pod's network, all at once."""
        assert tomcat.pod.node is not None, "it runs"
        wanted = [Command(key, f"nsenter -t $pod_0 -n {words}") for key, words in commands.items()]
        name = f"kubernetes.default.svc.{self._inventory.kubernetes.dns_domain}"
        wanted.append(Command("dns", RESOLVE + name))
        prelude = FIND_PODS + pid_into("pod_0", tomcat.pod.uid)
        return run_batch(self._ssh.to(tomcat.pod.node), wanted, prelude=prelude)

    def node_of(self, tomcat: Tomcat) -> Node:
        return self._inventory.node(tomcat.pod.node or "")

    def _why_not(self, app: str, pod: ClusterPod | None) -> str:
        if pod is None:
            return f"{app} has no pod"
        try:
            events = self._api.warnings(NAMESPACE, pod.name)
        except API_ERRORS as error:
            events = (f"its events cannot be read: {api_reason(error)}",)
        return "; ".join((f"{pod.name} on {pod.node or 'no node'} is {pod.state}", *events))


def curl_answer(output: Output) -> Answer:
    """What came of a question that curl put, or failed to put."""
    if output.status == 0:
        return Answer.heard(output.stdout.strip())
    return Answer.silence(output.reason) if output.status in NOBODY_THERE else Answer.unasked(output.reason)


def manifests() -> Iterator[dict[str, Any]]:
    """All objects of the coursework's files, in their order."""
    for file in sorted(FILES.glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text())


def _node_ports() -> Iterator[tuple[str, int]]:
    for manifest in manifests():
        if manifest["kind"] == "Service":
            yield manifest["metadata"]["name"], manifest["spec"]["ports"][0]["nodePort"]


def _kind(app: str) -> str:
    return app.rpartition("-")[2]
