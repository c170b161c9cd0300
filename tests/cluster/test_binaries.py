"""What nodes of a cluster from binaries are given."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.cluster.api import ClusterApi
from lab.cluster.binaries.addons import (
    CONTROL_PLANE_LABELS,
    TO_KUBELET,
    control_planes_labelled,
    dns,
    label_control_planes,
    rights,
)
from lab.cluster.binaries.certificates import API_SERVER_USER, certificates
from lab.cluster.binaries.control_plane import (
    api_server,
    api_server_unit,
    controllers,
    etcd,
    etcd_unit,
)
from lab.cluster.binaries.node import kube_proxy, kubelet, kubelet_configuration, proxy_configuration
from lab.cluster.binaries.programs import programs, programs_of
from lab.cluster.binaries.settings import for_units
from lab.cluster.binaries.work import Installation, Work
from lab.cluster.kubeadm import Membership
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import Kind, Part, settings_of
from lab.nodes.connection import LONGEST_SCRIPT
from lab.nodes.runtimes import Containerd, ContainerRuntime, CriDockerd
from lab.supply.catalogue import versions
from lab.topology.loader import load_topology
from lab.topology.models import Installer, LoadBalancer, Taint
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES
from tests.faults.conftest import node
from tests.faults.site_stand_ins import BashNode

__all__ = ["node"]

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns")
IMAGES = tuple(f"registry.lab.internal/{name}:1" for name in NAMES)
SERVED = {LoadBalancer.KEEPALIVED_HAPROXY: "https://172.31.7.100:8443"}
OF_CONTROL_PLANES = (etcd, api_server, controllers)
OF_ALL = (certificates, programs, kubelet, kube_proxy)


def installation(
    plan: Plan, secrets: ClusterSecrets, *, emulated: bool = True, runtime: ContainerRuntime | None = None
) -> Installation:
    plan, runtime = plan.by(Installer.BINARY), runtime or Containerd()
    settings = settings_of(
        plan.kubernetes, runtime, emulated=emulated, control_planes=len(plan.control_planes)
    )
    return Installation(plan, Membership(runtime, secrets, for_units(settings)), IMAGES)


@pytest.fixture
def alone(plan: Plan, secrets: ClusterSecrets) -> Installation:
    return installation(plan, secrets)


@pytest.fixture(params=list(LoadBalancer))
def several(request: pytest.FixtureRequest, secrets: ClusterSecrets) -> Installation:
    """Three control planes and two workers, behind each load balancer."""
    topology = load_topology(TOPOLOGIES / "ha-5node.yaml")
    changed: dict[str, object] = {"load_balancer": request.param}
    if request.param is LoadBalancer.LOCAL_NGINX:
        changed["api_address"] = None
    kubernetes = topology.kubernetes.model_copy(update=changed)
    return installation(make_plan(topology.model_copy(update={"kubernetes": kubernetes})), secrets)


def works(of: Installation) -> Iterator[Work]:
    for each in of.plan.nodes:
        yield from (work(of, each) for work in OF_ALL)
    for each in of.plan.control_planes:
        yield from (work(of, each) for work in OF_CONTROL_PLANES)


def files_of(work: Work) -> Mapping[str, str]:
    return {file.path: file.content for file in work.files}


def subject_of(pem: str) -> tuple[str, tuple[str, ...]]:
    """Common name and organizations."""
    name = x509.load_pem_x509_certificate(pem.encode()).subject
    (common,) = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    groups = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(common.value), tuple(str(group.value) for group in groups)


def subject_in(kubeconfig: str) -> tuple[str, tuple[str, ...]]:
    user = yaml.safe_load(kubeconfig)["users"][0]["user"]
    return subject_of(base64.b64decode(user["client-certificate-data"]).decode())


def test_whom_kubeconfigs_and_certificates_name(alone: Installation) -> None:
    master, worker = alone.plan.first_control_plane, alone.plan.workers[0]
    files = files_of(certificates(alone, master))
    assert subject_in(files["/etc/kubernetes/kube-proxy.conf"]) == ("system:kube-proxy", ())
    assert subject_in(files["/etc/kubernetes/kubelet.conf"]) == (
        f"system:node:{master.name}",
        ("system:nodes",),
    )
    client = files["/etc/kubernetes/pki/apiserver-kubelet-client.crt"]
    assert subject_of(client) == (API_SERVER_USER, ()), "it has the rights of its role, and no others"
    of_worker = files_of(certificates(alone, worker))
    assert subject_in(of_worker["/etc/kubernetes/kubelet.conf"])[0] == f"system:node:{worker.name}"
    assert not any("ca.key" in path or "etcd" in path or "admin" in path for path in of_worker)


def test_kubeconfigs_lead_to_the_load_balancer(several: Installation) -> None:
    plan = several.plan
    assert plan.load_balancer is not None
    wanted = SERVED.get(plan.load_balancer, "https://127.0.0.1:6443")
    for each in plan.nodes:
        for path, content in files_of(certificates(several, each)).items():
            if path.endswith(".conf"):
                assert yaml.safe_load(content)["clusters"][0]["cluster"]["server"] == wanted, path


def test_etcd_knows_all_members_from_the_start(several: Installation) -> None:
    for each in several.plan.control_planes:
        arguments = etcd_unit(several, each).arguments
        assert arguments["name"] == each.name
        assert arguments["initial-cluster"] == (
            "k8s-master1=https://172.31.7.101:2380,"
            "k8s-master2=https://172.31.7.102:2380,"
            "k8s-master3=https://172.31.7.103:2380"
        )
        assert "unsafe-no-fsync" not in arguments, "a member must not forget what it said"
        assert arguments["listen-client-urls"].endswith(f",https://{each.internal_address}:2379")


def test_where_an_api_server_listens(several: Installation, alone: Installation) -> None:
    """Where nginx has port 6443 on loopback, at the node's address only."""
    first = several.plan.first_control_plane
    own = several.plan.load_balancer is LoadBalancer.LOCAL_NGINX
    assert api_server_unit(several, first).arguments.get("bind-address") == (
        str(first.internal_address) if own else None
    )
    assert "bind-address" not in api_server_unit(alone, alone.plan.first_control_plane).arguments


def test_taints_are_the_topologys_or_those_of_kubeadm(alone: Installation) -> None:
    def taints(of: Installation, place: int) -> Any:
        return yaml.safe_load(kubelet_configuration(of, of.plan.nodes[place])).get("registerWithTaints")

    keys = ["node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane"]
    assert taints(alone, 0) == [{"key": key, "effect": "NoSchedule"} for key in keys]
    assert taints(alone, 1) is None
    own = replace(alone.plan.nodes[0], taints=(Taint(key="a/b", value="c", effect="NoExecute"),))
    topology = replace(alone, plan=replace(alone.plan, nodes=(own, *alone.plan.nodes[1:])))
    assert taints(topology, 0) == [{"key": "a/b", "value": "c", "effect": "NoExecute"}]


@pytest.mark.parametrize("version", versions())
@pytest.mark.parametrize("runtime", [Containerd(), CriDockerd()])
def test_every_setting_for_a_slow_host_reaches_a_file(
    plan: Plan, secrets: ClusterSecrets, runtime: ContainerRuntime, version: str
) -> None:
    of = installation(plan.of_version(version), secrets, runtime=runtime)
    written = "".join(file.content for work in works(of) for file in work.files) + str(dns(of))
    settings = of.membership.settings
    weighed = {name.removesuffix(".service") for name in settings.of(Part.NODE, Kind.WEIGHT)}
    assert weighed == {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
    assert written.count("CPUWeight=400") == len(weighed)
    left = {each.name for each in settings.all if each.name not in written and each.kind != Kind.WEIGHT}
    assert left == {*settings.of(Part.NODE, Kind.TIMERS)}, "which is on the kernel line"
    assert runtime.cri_socket in written


def test_stock_units_have_no_more_than_kubeadms_pods(plan: Plan, secrets: ClusterSecrets) -> None:
    of = installation(plan, secrets, emulated=False)
    units = "".join(work.files[0].content for work in works(of) if work.units)
    assert "CPUWeight" not in units
    assert "Environment=" not in units
    assert "--leader-elect=true" in units


def test_kube_proxy_and_kubelet_are_told_the_plan(alone: Installation) -> None:
    worker = alone.plan.workers[0]
    proxy = yaml.safe_load(proxy_configuration(alone, worker))
    assert (proxy["clusterCIDR"], proxy["mode"]) == (str(alone.plan.kubernetes.pod_cidr), "iptables")
    assert proxy["hostnameOverride"] == worker.name
    of_kubelet = yaml.safe_load(kubelet_configuration(alone, worker))
    assert of_kubelet["clusterDNS"] == [str(alone.plan.kubernetes.dns_address)]
    assert of_kubelet["authorization"] == {"mode": "Webhook"}
    assert of_kubelet["authentication"]["anonymous"] == {"enabled": False}


def test_dns_is_at_the_address_that_pods_are_told_and_has_the_settings(alone: Installation) -> None:
    by_kind = {manifest["kind"]: manifest for manifest in dns(alone)}
    assert by_kind["Service"]["spec"]["clusterIP"] == "10.96.0.10"
    (container,) = by_kind["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.lab.internal/coredns:1"
    assert container["livenessProbe"]["periodSeconds"] == 30
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"
    assert container["readinessProbe"]["timeoutSeconds"] == 60


def test_rights_are_bound_to_the_name_in_the_api_servers_certificate() -> None:
    role, binding = rights()
    assert role["metadata"]["name"] == binding["roleRef"]["name"] == TO_KUBELET
    assert [subject["name"] for subject in binding["subjects"]] == [API_SERVER_USER]
    assert "nodes/proxy" in role["rules"][0]["resources"]


def test_control_planes_get_kubeadms_labels(several: Installation) -> None:
    given: dict[str, dict[str, str]] = {each.name: {} for each in several.plan.nodes}
    api = cast(
        ClusterApi,
        SimpleNamespace(
            label_node=lambda name, labels: given[name].update(labels),
            nodes=lambda: [SimpleNamespace(name=name, labels=labels) for name, labels in given.items()],
        ),
    )
    assert not control_planes_labelled(several, api)
    label_control_planes(several, api)
    assert control_planes_labelled(several, api)
    assert {name for name, labels in given.items() if labels} == {
        each.name for each in several.plan.control_planes
    }
    assert "node-role.kubernetes.io/control-plane" in CONTROL_PLANE_LABELS


def test_no_script_is_longer_than_a_node_takes(several: Installation) -> None:
    assert max(len(work.script("work").text) for work in works(several)) < LONGEST_SCRIPT / 2


def test_the_programs_of_a_node(alone: Installation) -> None:
    worker = alone.plan.workers[0]
    assert dict(programs_of(worker)) == {"kube-proxy": ("kube-proxy",)}
    names = [name for names in programs_of(alone.plan.first_control_plane).values() for name in names]
    assert {"etcd", "etcdctl", "kube-apiserver", "kube-proxy"} <= set(names)


CTR = """\
#!/bin/bash
case "$*" in
*mounts*) echo "mount -t overlay overlay /run/lab/image -o lowerdir=$LAYERS/2/fs:$LAYERS/1/fs" ;;
*) echo "$*" >> /run/asked ;;
esac
"""
DOCKER = "#!/bin/bash\necho $LAYERS/2/fs:$LAYERS/1/fs\n"


@pytest.mark.parametrize(("runtime", "tool"), [(Containerd(), CTR), (CriDockerd(), DOCKER)])
def test_a_program_is_the_uppermost_file_of_its_images_layers(
    alone: Installation, node: BashNode, runtime: ContainerRuntime, tool: str
) -> None:
    """In a namespace, with a runtime that is a few lines of bash."""
    of = replace(alone, membership=replace(alone.membership, runtime=runtime))
    name = "ctr" if runtime.name == "containerd" else "docker"
    node.bash(
        f"""\
mount -t tmpfs tmpfs /usr/local/bin; mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/layers/{{1,2}}/fs/usr/local/bin
echo lower > /var/lib/layers/1/fs/usr/local/bin/kube-proxy
cat > /usr/local/bin/{name} <<'END'
{tool.replace("$LAYERS", "/var/lib/layers")}
END
chmod +x /usr/local/bin/{name} /var/lib/layers/1/fs/usr/local/bin/kube-proxy
"""
    )
    work = programs(of, of.plan.workers[0])
    assert node.run(work.check_script("check"), check=False).status != 0
    node.run(work.script("programs"))
    assert node.bash("cat /usr/local/bin/kube-proxy") == "lower"
    node.bash("install -D /dev/stdin /var/lib/layers/2/fs/usr/local/bin/kube-proxy <<<upper")
    node.run(work.script("programs"))
    assert node.bash("cat /usr/local/bin/kube-proxy") == "upper"
    node.bash("rm /var/lib/layers/*/fs/usr/local/bin/kube-proxy")
    lacking = node.run(work.script("programs"), check=False)
    assert (lacking.status, "has no /usr/local/bin/kube-proxy" in lacking.stderr) == (1, True)


SYSTEMCTL = '#!/bin/bash\necho "$*" >> /run/systemctl\n'


def test_a_unit_is_started_and_its_check_is_waited_for(
    node: BashNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.bash(
        f"mount -t tmpfs tmpfs /usr/local/bin; cat > /usr/local/bin/systemctl <<'END'\n{SYSTEMCTL}END\n"
        "printf '#!/bin/bash\\necho its log\\n' > /usr/local/bin/journalctl\n"
        "chmod +x /usr/local/bin/*ctl"
    )
    work = Work(
        files=(), units=("one", "two"), check=("echo asked >> /run/times", "[ $(wc -l </run/times) -ge 3 ]")
    )
    node.run(work.script("two units"))
    assert node.bash("cat /run/systemctl").splitlines() == [
        "daemon-reload",
        "--quiet enable one two",
        "restart one two",
    ]
    assert node.bash("wc -l < /run/times") == "3"
    monkeypatch.setattr("lab.cluster.binaries.work.LIMIT_SECONDS", 0)
    failed = node.run(replace(work, check=("echo it is not", "false")).script("two units"), check=False)
    assert failed.status == 1
    assert failed.stderr.splitlines() == [
        "its log",
        "its log",
        "one two: not well after 0 s:",
        "it is not",
    ]


def test_the_check_of_certificates_knows_another_cluster(
    alone: Installation, node: BashNode, tmp_path: Path
) -> None:
    worker = alone.plan.workers[0]
    node.bash("mkdir -p /etc/kubernetes; mount -t tmpfs tmpfs /etc/kubernetes; mount -t tmpfs tmpfs /var/lib")
    work = certificates(alone, worker)
    check = work.check_script("check")
    assert node.run(check, check=False).status != 0
    node.run(work.script("certificates"))
    assert node.run(check, check=False).status == 0
    node.bash("echo another >> /etc/kubernetes/pki/ca.crt")
    assert node.run(check, check=False).status != 0
