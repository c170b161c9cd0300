from __future__ import annotations

import base64
import dataclasses
import subprocess
from ipaddress import IPv6Interface
from pathlib import Path

import yaml

from lab.cluster.credentials import (
    admin_kubeconfig,
    api_server_addresses,
    control_plane_files,
    kubelet_serving_files,
)
from lab.cluster.secrets import ClusterSecrets
from lab.topology.plan import Plan

FILES_OF_KUBEADM = {
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/controller-manager.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/scheduler.conf",
    "/etc/kubernetes/pki/apiserver-etcd-client.crt",
    "/etc/kubernetes/pki/apiserver-etcd-client.key",
    "/etc/kubernetes/pki/apiserver-kubelet-client.crt",
    "/etc/kubernetes/pki/apiserver-kubelet-client.key",
    "/etc/kubernetes/pki/apiserver.crt",
    "/etc/kubernetes/pki/apiserver.key",
    "/etc/kubernetes/pki/ca.crt",
    "/etc/kubernetes/pki/ca.key",
    "/etc/kubernetes/pki/etcd/ca.crt",
    "/etc/kubernetes/pki/etcd/ca.key",
    "/etc/kubernetes/pki/etcd/healthcheck-client.crt",
    "/etc/kubernetes/pki/etcd/healthcheck-client.key",
    "/etc/kubernetes/pki/etcd/peer.crt",
    "/etc/kubernetes/pki/etcd/peer.key",
    "/etc/kubernetes/pki/etcd/server.crt",
    "/etc/kubernetes/pki/etcd/server.key",
    "/etc/kubernetes/pki/front-proxy-ca.crt",
    "/etc/kubernetes/pki/front-proxy-ca.key",
    "/etc/kubernetes/pki/front-proxy-client.crt",
    "/etc/kubernetes/pki/front-proxy-client.key",
    "/etc/kubernetes/pki/sa.key",
    "/etc/kubernetes/pki/sa.pub",
}
"""What `kubeadm init` of 1.24 leaves behind with its own certs and kubeconfig phases."""


def test_the_files_that_kubeadm_would_make(plan: Plan, secrets: ClusterSecrets) -> None:
    files = control_plane_files(plan, plan.first_control_plane, secrets)
    assert {file.path for file in files} == FILES_OF_KUBEADM
    for file in files:
        private = "PRIVATE KEY" in file.content or "client-key-data" in file.content
        assert file.mode == (0o600 if private else 0o644), file.path


def test_every_certificate_comes_from_its_own_authority(
    plan: Plan, secrets: ClusterSecrets, tmp_path: Path
) -> None:
    files = {file.path: file.content for file in control_plane_files(plan, plan.first_control_plane, secrets)}
    pki = "/etc/kubernetes/pki"
    signed_by = {
        f"{pki}/ca.crt": ("apiserver", "apiserver-kubelet-client"),
        f"{pki}/front-proxy-ca.crt": ("front-proxy-client",),
        f"{pki}/etcd/ca.crt": (
            "etcd/server",
            "etcd/peer",
            "etcd/healthcheck-client",
            "apiserver-etcd-client",
        ),
    }
    for authority, names in signed_by.items():
        (tmp_path / "ca").write_text(files[authority])
        for name in names:
            (tmp_path / "leaf").write_text(files[f"{pki}/{name}.crt"])
            words = ["openssl", "verify", "-CAfile", str(tmp_path / "ca"), str(tmp_path / "leaf")]
            assert subprocess.run(words, capture_output=True, check=False).returncode == 0, name


def test_the_api_may_be_reached_by_every_address_of_its_node(plan: Plan) -> None:
    addresses = [str(address) for address in api_server_addresses(plan)]
    assert addresses == [
        "192.168.31.101",
        "172.31.7.101",
        "192.168.6.201",
        "192.168.56.101",
        "10.96.0.1",
        "127.0.0.1",
    ]


def test_the_api_servers_certificate_bears_the_addresses_of_both_families(plan: Plan) -> None:
    first = plan.first_control_plane
    six = IPv6Interface("fd00::101/64")
    nics = tuple(dataclasses.replace(nic, addresses=(*nic.addresses, six)) for nic in first.nics[:1])
    both = dataclasses.replace(plan, nodes=(dataclasses.replace(first, nics=nics), *plan.workers))
    assert [str(address) for address in api_server_addresses(both)] == [
        "192.168.31.101",
        "fd00::101",
        "172.31.7.101",
        "10.96.0.1",
        "127.0.0.1",
    ]


def test_admin_kubeconfig(plan: Plan, secrets: ClusterSecrets) -> None:
    document = yaml.safe_load(admin_kubeconfig(plan, secrets))
    cluster = document["clusters"][0]["cluster"]
    assert cluster["server"] == "https://172.31.7.101:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]).decode() == secrets.authority.certificate
    assert document["current-context"] == document["contexts"][0]["name"]


def test_kubelet_serves_under_all_addresses_of_its_node(plan: Plan, secrets: ClusterSecrets) -> None:
    certificate, key = kubelet_serving_files(plan, plan.workers[0], secrets)
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName"],
        input=certificate.content,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in ("k8s-node1", "192.168.31.102", "172.31.7.102", "192.168.6.202", "192.168.56.102"):
        assert name in text
    assert (certificate.path, key.path) == (
        "/var/lib/kubelet/pki/kubelet.crt",
        "/var/lib/kubelet/pki/kubelet.key",
    )
