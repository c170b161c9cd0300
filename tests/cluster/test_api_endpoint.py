"""Where the API is reached and where a control plane's node is: two things, wherever either is written."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address

import pytest
import yaml
from cryptography import x509

from lab.cluster.configuration import init_configuration, join_configuration
from lab.cluster.credentials import admin_kubeconfig, control_plane_files
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import Settings
from lab.nodes.runtimes import Containerd
from lab.topology.plan import Plan

ENDPOINT = IPv4Address("172.31.7.110")


@pytest.fixture
def balanced(plan: Plan) -> Plan:
    """The plan with an endpoint that is no node's: as before a load balancer."""
    endpoint = dataclasses.replace(plan.kubernetes.api, addresses=(ENDPOINT,), port=443, names=("api.lab",))
    return dataclasses.replace(plan, kubernetes=dataclasses.replace(plan.kubernetes, api=endpoint))


def test_the_api_server_listens_at_its_node_and_not_at_the_endpoint(
    balanced: Plan, secrets: ClusterSecrets, settings: Settings
) -> None:
    init = next(yaml.safe_load_all(init_configuration(balanced, Containerd(), secrets, settings)))
    assert init["localAPIEndpoint"] == {"advertiseAddress": "172.31.7.101", "bindPort": 6443}
    assert init["nodeRegistration"]["kubeletExtraArgs"]["node-ip"] == "172.31.7.101"


def test_clients_and_nodes_that_join_go_to_the_endpoint(
    balanced: Plan, secrets: ClusterSecrets, settings: Settings
) -> None:
    files = {
        file.path: file.content
        for file in control_plane_files(balanced, balanced.first_control_plane, secrets)
    }
    kubeconfigs = [text for path, text in files.items() if path.endswith(".conf")]
    for text in (admin_kubeconfig(balanced, secrets), *kubeconfigs):
        assert yaml.safe_load(text)["clusters"][0]["cluster"]["server"] == "https://172.31.7.110:443"
    worker = balanced.workers[0]
    join = yaml.safe_load(join_configuration(balanced, worker, Containerd(), secrets, settings))
    assert join["discovery"]["bootstrapToken"]["apiServerEndpoint"] == "172.31.7.110:443"


def test_the_certificate_is_good_at_the_endpoint_and_at_the_node(
    balanced: Plan, secrets: ClusterSecrets
) -> None:
    files = {
        file.path: file.content
        for file in control_plane_files(balanced, balanced.first_control_plane, secrets)
    }
    certificate = x509.load_pem_x509_certificate(files["/etc/kubernetes/pki/apiserver.crt"].encode())
    known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {ENDPOINT, IPv4Address("172.31.7.101")} <= set(known.get_values_for_type(x509.IPAddress))
    assert {"api.lab", "k8s-master1"} <= set(known.get_values_for_type(x509.DNSName))
