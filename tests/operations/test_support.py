"""The archive of `lab support`: whole on a broken lab, and without a secret in it."""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.api import ApiError
from lab.cluster.credentials import admin_kubeconfig, control_plane_files
from lab.cluster.pki import new_signing_key
from lab.cluster.secrets import ClusterSecrets, load_or_make_secrets
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.foundation.redaction import REDACTED, Redactor
from lab.nodes.connection import Command, Result, Script
from lab.operations.support import write_support
from lab.operations.support.gathering import Gathered, Part, Source, gather
from lab.operations.support.known_secrets import known_secrets
from lab.operations.support.of_cluster import cluster_source, secret_values
from lab.operations.support.of_host import LAST_BYTES, host_source
from lab.operations.support.of_nodes import QUESTIONS, node_source
from lab.operations.support.packing import HOLDS_SECRET, INDEX, pack
from lab.topology.plan import Plan

USER_SECRET = "correct horse battery"  # noqa: S105
ENVIRONMENT_PASSWORD = "tr0ub4dor&3"  # noqa: S105


class StandInApi:
    """Answers by path; is silent on all others."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers

    def text(self, path: str, *, query: list[tuple[str, str]] | None = None, seconds: float) -> str:
        if path not in self.answers:
            raise ApiError(f"read {path}: no answer", "timed out")
        answer = self.answers[path]
        return answer if isinstance(answer, str) else json.dumps(answer)


@dataclass
class StandInNode:
    """Says this to every question."""

    says: str = ""
    asked: list[str] = field(default_factory=list)

    def run(self, what: Command | Script, *, timeout: float) -> Result:
        assert isinstance(what, Script)
        self.asked.append(what.text)
        return Result("k8s-node1", 0, self.says, "")


@dataclass(frozen=True)
class SecretLab:
    """A lab's folder with every kind of secret in it, and all of them also where they should not be."""

    folder: LabFolder
    secrets: frozenset[str]
    """As they would be found: tokens, lines of keys, base64."""
    everything: str
    """A text that holds all of them, in all forms."""


def lines_of(pem: str) -> set[str]:
    return {line for line in pem.splitlines() if not line.startswith("-----") and len(line) >= 16}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> ClusterSecrets:
    return load_or_make_secrets(tmp_path_factory.mktemp("made") / "secrets.json")


@pytest.fixture
def lab(tmp_path: Path, plan: Plan, cluster: ClusterSecrets) -> SecretLab:
    folder = LabFolder(tmp_path / "a")
    made = load_or_make_secrets(folder.secrets)
    config = admin_kubeconfig(plan, made)
    folder.kubeconfig.write_text(config)
    older = folder.snapshots / "exercise-1"
    older.mkdir(parents=True)
    (older / "kubeconfig").write_text(admin_kubeconfig(plan, cluster))
    load_or_make_secrets(older / "secrets.json")
    opened = folder.root / "kubeconfig.opened"
    opened.mkdir()
    opened_key = new_signing_key()
    (opened / "tmpa1").write_text(opened_key)
    vagrant_key = new_signing_key().replace("EC PRIVATE", "RSA PRIVATE")
    folder.key.parent.mkdir()
    folder.key.write_text(vagrant_key)

    snapshot = load_or_make_secrets(older / "secrets.json")
    keys = [opened_key, vagrant_key]
    for each in (made, snapshot):
        keys += [each.authority.key, each.front_proxy_authority.key, each.etcd_authority.key]
        keys.append(each.service_account_key)
    data = re.findall(r"client-(?:key|certificate)-data: (\S+)", config + (older / "kubeconfig").read_text())
    tokens = [made.token, snapshot.token]
    # What is only on nodes: found by its form.
    on_nodes = [
        file.content
        for node in plan.control_planes
        for file in control_plane_files(plan, node, made)
        if file.path.endswith((".key", ".conf"))
    ]
    secrets = {*tokens, *(token.split(".")[1] for token in tokens), *data}
    secrets |= {line for key in keys for line in lines_of(key)}
    secrets |= {line for text in on_nodes for line in lines_of(text) if text.startswith("-----")}
    secrets |= {base64.b64encode(key.encode()).decode() for key in keys}
    everything = "\n".join(
        [
            *(f"kubeadm join 10.0.0.1:6443 --token {token} x" for token in tokens),
            *(f"the secret {token.split('.')[1]} alone" for token in tokens),
            *keys,
            *(json.dumps({"key": key}) for key in keys),
            *(line for key in keys for line in lines_of(key)),
            *(base64.b64encode(key.encode()).decode() for key in keys),
            *data,
            *on_nodes,
            "the end",
        ]
    )
    assert all(secret in everything for secret in secrets)
    return SecretLab(folder, frozenset(secrets), everything)


def unpacked(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        found = {}
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is not None
            found[member.name.partition("/")[2]] = file.read()
        return found


def items(*found: object) -> dict[str, object]:
    return {"items": list(found)}


def cluster_that_tells(text: str) -> StandInApi:
    container = {
        "name": "c",
        "args": ["--token=" + USER_SECRET.replace(" ", "_")],
        "env": [{"name": "PASSWORD", "value": ENVIRONMENT_PASSWORD}, {"name": "NODE", "valueFrom": {}}],
    }
    pod = {
        "metadata": {
            "name": "kube-proxy-x",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": ENVIRONMENT_PASSWORD},
            "managedFields": [{"manager": "kubelet"}],
        },
        "spec": {"containers": [container]},
        "status": {"containerStatuses": [{"name": "c", "restartCount": 2}]},
    }
    secret = {"type": "Opaque", "data": {"p": base64.b64encode(USER_SECRET.encode()).decode()}}
    account = {
        "type": "kubernetes.io/service-account-token",
        "data": {"namespace": base64.b64encode(b"kube-system").decode()},
    }
    event = {"message": f"{text} and {USER_SECRET}"}
    return StandInApi(
        {
            "/readyz": "ok",
            "/api/v1/nodes": items({"metadata": {"name": "k8s-node1"}}),
            "/api/v1/pods": items(pod),
            "/api/v1/events": items(event),
            "/api/v1/services": items(),
            "/apis/discovery.k8s.io/v1/endpointslices": items(),
            "/apis/apps/v1/daemonsets": items(),
            "/apis/apps/v1/deployments": items(),
            "/apis/networking.k8s.io/v1/networkpolicies": items(),
            "/api/v1/namespaces/kube-system/pods": items(pod),
            "/api/v1/namespaces/kube-system/pods/kube-proxy-x/log": text,
            "/api/v1/secrets": items(secret, account),
        }
    )


def test_no_secret_of_the_lab_is_in_its_archive(lab: SecretLab) -> None:
    folder = lab.folder
    for path in (folder.log, folder.logs / "vagrant.log", folder.host / "init.log", folder.vagrantfile):
        path.parent.mkdir(exist_ok=True)
        path.write_text(lab.everything)
    for path in (folder.topology, folder.state, folder.faults):
        path.write_text(json.dumps({"note": lab.everything}))
    api = cluster_that_tells(lab.everything)
    capture = base64.b64encode(lab.everything.encode()).decode()
    node = StandInNode(lab.everything)
    captured = Part("nodes/k8s-node1/capture/", lambda: {"capture/eth0.pcap": base64.b64decode(capture)})
    gathered = gather(
        [
            host_source(folder, lambda: ()),
            cluster_source(lambda: api, lambda: {"problems": [lab.everything]}),
            node_source("k8s-node1", node, ["eth0"], 0, lambda: None),
            Source([captured]),
        ],
        60,
    )
    gathered.missing["something"] = lab.everything
    redactor = Redactor(known_secrets(folder) | set(secret_values(api)))
    files = unpacked(pack("archive", "about", gathered, redactor).data)
    assert {"logs/lab.log", "logs/vagrant.log", "logs/host/init.log", "lab/state.json"} <= files.keys()
    assert {"cluster/events.json", "cluster/logs/kube-proxy-x.c.log", "cluster/status.json"} <= files.keys()
    assert "nodes/k8s-node1/kubeadm.txt" in files
    assert "capture/eth0.pcap" not in files
    assert f"missing: capture/eth0.pcap: {HOLDS_SECRET}" in files[INDEX].decode()
    # A test that looks at nothing would pass as well.
    assert all(b"the end" in files[path] for path in ("logs/vagrant.log", "nodes/k8s-node1/kubeadm.txt"))
    kept_apart = {USER_SECRET, ENVIRONMENT_PASSWORD}
    found = [
        (path, secret)
        for path, content in files.items()
        for secret in lab.secrets | kept_apart
        if secret.encode() in content
    ]
    assert not found
    assert b"PRIVATE KEY" not in b"".join(files.values())


def test_what_is_no_secret_stays(lab: SecretLab) -> None:
    api = cluster_that_tells("pod kube-system/kube-proxy-x was restarted")
    gathered = gather([cluster_source(lambda: api, dict)], 60)
    redactor = Redactor(known_secrets(lab.folder) | set(secret_values(api)))
    files = unpacked(pack("archive", "about", gathered, redactor).data)
    assert files["cluster/logs/kube-proxy-x.c.log"] == b"pod kube-system/kube-proxy-x was restarted"
    (pod,) = json.loads(files["cluster/pods.json"])
    assert pod["metadata"] == {"name": "kube-proxy-x", "annotations": {}}
    assert pod["spec"]["containers"][0]["env"] == [
        {"name": "PASSWORD", "value": REDACTED},
        {"name": "NODE", "valueFrom": {}},
    ]


def test_a_silent_api_server_is_asked_once() -> None:
    api = StandInApi({})
    gathered = gather([cluster_source(lambda: api, dict)], 60)
    assert not gathered.files
    assert set(gathered.missing.values()) == {"read /readyz: no answer: timed out"}


def test_a_node_that_falls_silent_is_not_asked_on() -> None:
    class Falling(StandInNode):
        def run(self, what: Command | Script, *, timeout: float) -> Result:
            if len(self.asked) == 3:
                raise LabError("node k8s-node1: ip rule: not finished after 20 s")
            return super().run(what, timeout=timeout)

    node = Falling("seen")
    answers = iter([None, "its sshd does not answer"])
    gathered = gather([node_source("k8s-node1", node, ["eth0"], 5, lambda: next(answers))], 60)
    assert len(gathered.files) == 3
    reasons = list(gathered.missing.values())
    assert reasons[0] == "node k8s-node1: ip rule: not finished after 20 s"
    assert set(reasons[1:]) == {"its sshd does not answer"}
    assert len(gathered.files) + len(reasons) == len(QUESTIONS) + 1


def test_a_capture_is_a_file_for_each_device() -> None:
    node = StandInNode(f"eth0 {base64.b64encode(b'first').decode()}\neth1 {base64.b64encode(b'').decode()}\n")
    source = node_source("k8s-node1", node, ["eth0", "eth1"], 5, lambda: None)
    files = source.parts[-1].get()
    assert files == {
        "nodes/k8s-node1/capture/eth0.pcap": b"first",
        "nodes/k8s-node1/capture/eth1.pcap": b"",
    }
    assert "timeout --signal INT 5 tcpdump" in node.asked[-1]


def test_what_hangs_does_not_hold_up_the_end() -> None:
    for_ever = threading.Event()

    def hang() -> str:
        for_ever.wait()
        return "too late"

    hanging = Source([Part.text("a", lambda: "had"), Part.text("b", hang), Part.text("c", hang)])
    started = time.monotonic()
    gathered = gather([hanging, Source([Part.text("d", lambda: "had too")])], 0.5)
    assert time.monotonic() - started < 30
    for_ever.set()
    assert gathered == Gathered(
        {"a": "had", "d": "had too"}, {"b": "not finished after 0 s", "c": "not finished after 0 s"}
    )


def fails_with(error: Exception) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


def test_every_error_is_a_line(tmp_path: Path) -> None:
    parts = [
        Part.text("a", fails_with(LabError("node k8s-node1: nft: exit status 127", details="a\nnot found"))),
        Part.text("b", fails_with(ValueError("no JSON"))),
        Part.text("c", (tmp_path / "none").read_text),
        Part.text("d", lambda: "had"),
    ]
    gathered = gather([Source(parts)], 60)
    index = unpacked(pack("archive", "lab 0.1.0", gathered, Redactor()).data)[INDEX].decode().splitlines()
    assert index[:3] == ["lab 0.1.0", "", "d: 3 bytes"]
    assert index[3] == "missing: a: node k8s-node1: nft: exit status 127: not found"
    assert index[4] == "missing: b: no JSON"
    assert index[5].startswith("missing: c: [Errno 2] No such file or directory")


def test_a_long_log_is_cut_at_its_beginning(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "a")
    folder.logs.mkdir(parents=True)
    folder.log.write_text("first line\n" + "x" * LAST_BYTES + "\nlast line\n")
    files = gather([host_source(folder, lambda: ())], 60).files
    assert files["logs/lab.log"] == "last line\n"


def test_of_a_lab_that_was_never_finished_there_are_the_files_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "2345")
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    folder = LabFolder(tmp_path / "a")
    folder.logs.mkdir(parents=True)
    folder.log.write_text("began: lab up\n")
    archive = write_support(folder, tmp_path / "report.tar.gz", 0, SilentProgress())
    assert archive.path == tmp_path / "report.tar.gz"
    assert archive.path.stat().st_mode & 0o777 == 0o600
    assert (archive.path.stat().st_uid, archive.path.stat().st_gid) == (1234, 2345)
    files = unpacked(archive.path.read_bytes())
    assert files["logs/lab.log"] == b"began: lab up\n"
    assert b"root: this is root" in files["host/doctor.txt"]
    assert archive.missing["nodes/"] == "the set-up of the lab a never finished"
    assert {"what": "nodes/", "why": archive.missing["nodes/"]} in archive.as_json()["missing"]
    assert set(archive.files) == files.keys() - {INDEX}


def test_a_folder_that_is_not_there_is_said_before_anything_is_gathered(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="there is no folder"):
        write_support(LabFolder(tmp_path / "a"), tmp_path / "none" / "x.tar.gz", 0, SilentProgress())
