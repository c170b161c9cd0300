"""A kubeconfig for the host: whose server is verified, and at which port it is."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from pathlib import Path

import pytest
import yaml

from lab.cluster.credentials import admin_kubeconfig, api_server_addresses, api_server_names
from lab.cluster.pki import Subject, issue
from lab.cluster.secrets import load_or_make_secrets
from lab.doors.record import Forward
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.host.process_identity import ProcessIdentity
from lab.operations.context import Lab
from lab.operations.doors import host_kubeconfig as module
from lab.operations.doors.host_kubeconfig import for_the_host, host_kubeconfig
from lab.operations.support.known_secrets import known_secrets
from lab.state.records import LabRecord
from lab.topology.plan import Plan
from tests.stand_in_site import PaperParts

PROCESS = ProcessIdentity(1, 1, "boot")


@pytest.fixture
def lab(plan: Plan, tmp_path: Path) -> Lab:
    folder = LabFolder(tmp_path / "a")
    folder.root.mkdir()
    record = LabRecord("a", mode="macvlan", supply="packages", created="", ready=True)
    return Lab(folder, record, plan, SilentProgress(), PaperParts(folder))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """For whom and at which port a forward was wanted; each is given, 0 as 40001."""
    asked: list[tuple[str, int]] = []

    def forwarded(_: Lab, target: str, port: int) -> Forward:
        asked.append((target, port))
        return Forward(("127.0.0.1:1",), port or 40001, target, True, "", PROCESS)

    monkeypatch.setattr(module, "forwarded", forwarded)
    return asked


def test_without_a_cluster_nothing_is_forwarded(lab: Lab, asked: list[tuple[str, int]]) -> None:
    with pytest.raises(LabError, match="has no cluster yet"):
        host_kubeconfig(lab)
    assert asked == []


def test_it_leads_to_the_loopback_at_the_port_of_the_last_time(
    lab: Lab, plan: Plan, asked: list[tuple[str, int]]
) -> None:
    lab.folder.kubeconfig.write_text(admin_kubeconfig(plan, load_or_make_secrets(lab.folder.secrets)))
    for _ in range(2):
        path = host_kubeconfig(lab)
    assert asked == [("api", 0), ("api", 40001)]
    assert path == lab.folder.host_kubeconfig
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("no kubeconfig")
    host_kubeconfig(lab)
    assert asked[-1] == ("api", 0)


def test_it_is_named_after_the_lab_and_keeps_the_rest(lab: Lab, plan: Plan) -> None:
    inside = admin_kubeconfig(plan, load_or_make_secrets(lab.folder.secrets))
    host = yaml.safe_load(for_the_host(inside, "a", "kubernetes", 40001))
    (cluster,) = host["clusters"]
    authority = yaml.safe_load(inside)["clusters"][0]["cluster"]["certificate-authority-data"]
    assert cluster == {
        "name": "a",
        "cluster": {
            "server": "https://127.0.0.1:40001",
            "certificate-authority-data": authority,
            "tls-server-name": "kubernetes",
        },
    }
    assert host["contexts"] == [{"name": "a", "context": {"cluster": "a", "user": "a-admin"}}]
    assert host["users"] == [{"name": "a-admin", "user": yaml.safe_load(inside)["users"][0]["user"]}]
    assert host["current-context"] == "a"


def test_the_certificate_of_the_api_server_bears_the_name(lab: Lab, plan: Plan, tmp_path: Path) -> None:
    secrets = load_or_make_secrets(lab.folder.secrets)
    names, addresses = api_server_names(plan), api_server_addresses(plan)
    pair = issue(
        secrets.authority, Subject("kube-apiserver", dns_names=names, addresses=addresses, server=True)
    )
    (tmp_path / "pair.pem").write_text(pair.certificate + pair.key)
    host = yaml.safe_load(for_the_host(admin_kubeconfig(plan, secrets), "a", plan.kubernetes.api.names[0], 1))
    cluster = host["clusters"][0]["cluster"]
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "pair.pem")
    client = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    ours, theirs = socket.socketpair()
    serving = threading.Thread(target=lambda: server.wrap_socket(theirs, server_side=True).close())
    serving.start()
    with client.wrap_socket(ours, server_hostname=cluster["tls-server-name"]) as connection:
        assert connection.version() is not None
    serving.join()


def test_what_it_holds_is_secret(lab: Lab) -> None:
    lab.folder.host_kubeconfig.write_text(
        "users: [{user: {token: of-an-older-cluster}}]".replace("}}", "\n}}")
    )
    assert "of-an-older-cluster" in known_secrets(lab.folder)
