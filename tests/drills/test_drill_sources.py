"""What is asked of a cluster, over real TLS."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from lab.cluster.pki import Subject
from lab.cluster.secrets import ClusterSecrets
from lab.drills.arp_asker import answerer, question
from lab.drills.asking import Asker, Server, trust_of
from lab.drills.sampler import NotAskedError, RefusedError, SilentError
from lab.drills.sources import ETCD_PORT, ApiSource, EtcdSource, HolderSource, ReadySource
from lab.drills.writer import Fate, Writer
from lab.foundation.errors import LabError
from lab.topology.plan import Plan
from lab.topology.planner import API_PORT
from tests.drills.small_cluster import SmallCluster, SmallSite
from tests.drills.test_sampler import HandClock
from tests.stand_in_site import Here

ADMIN = Subject("kubernetes-admin", ("system:masters",), client=True)


@pytest.fixture
def balanced(cluster: SmallCluster, secrets: ClusterSecrets) -> Server:
    api = cluster.plan.kubernetes.api
    trust = trust_of(secrets.authority, ADMIN)
    return Server(SmallSite(cluster), str(api.address), api.port, trust)


def member(cluster: SmallCluster, number: int) -> EtcdSource:
    trust = trust_of(cluster.secrets.etcd_authority, ADMIN)
    address = str(cluster.plan.control_planes[number].internal_address)
    return EtcdSource(Server(SmallSite(cluster), address, ETCD_PORT, trust), 5.0)


def test_the_leases_through_the_load_balancer(cluster: SmallCluster, balanced: Server) -> None:
    source = ApiSource(balanced, 5.0)
    found = source()
    assert {name: lease.node for name, lease in found.items()} == {
        "kube-controller-manager": "k8s-master1",
        "kube-scheduler": "k8s-master1",
    }
    assert found["kube-scheduler"].renewed > 1_700_000_000
    cluster.members_down = {"k8s-master1", "k8s-master2"}
    with pytest.raises(RefusedError, match="500: etcdserver: request timed out"):
        source()
    cluster.servers_down = set(cluster.names)
    with pytest.raises(SilentError):
        source()


def test_one_server_past_the_load_balancer(cluster: SmallCluster, secrets: ClusterSecrets) -> None:
    address = str(cluster.plan.control_planes[1].internal_address)
    server = Server(SmallSite(cluster), address, API_PORT, trust_of(secrets.authority, ADMIN))
    source = ReadySource(server, 5.0)
    assert source() is source() is True
    cluster.machines_down = {"k8s-master2"}
    fresh = ReadySource(server, 5.0)
    with pytest.raises(SilentError, match="No route to host"):
        fresh()


def test_a_member_of_etcd(cluster: SmallCluster) -> None:
    second = member(cluster, 1)
    said = second()
    assert (said.identity, said.leader, said.term) == ("12", "11", 2)
    assert second.names() == {"11": "k8s-master1", "12": "k8s-master2", "13": "k8s-master3"}
    cluster.stored = {"/registry/configmaps/a/write-1", "/registry/configmaps/b/write-2"}
    assert second.keys("/registry/configmaps/a/write-") == {"1"}
    cluster.members_down = {"k8s-master1", "k8s-master3"}
    assert second().leader == ""


def test_a_server_with_a_certificate_of_somebody_else_is_not_trusted(
    cluster: SmallCluster, secrets: ClusterSecrets
) -> None:
    api = cluster.plan.kubernetes.api
    stranger = trust_of(secrets.front_proxy_authority, ADMIN)
    asker = Asker(Server(SmallSite(cluster), str(api.address), api.port, stranger))
    with pytest.raises(SilentError, match="certificate verify failed"):
        asker.ask("GET", "/readyz", seconds=5.0)


def test_a_lab_that_is_gone_was_not_asked(cluster: SmallCluster) -> None:
    class Gone(Here):
        def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
            raise LabError("cannot enter the network of the lab")

    asker = Asker(Server(Gone(), "10.0.0.1", 6443, ssl.create_default_context()))
    with pytest.raises(NotAskedError, match="cannot enter the network"):
        asker.ask("GET", "/readyz", seconds=5.0)


def test_a_connection_that_broke_is_opened_anew(cluster: SmallCluster) -> None:
    second = member(cluster, 1)
    second()
    cluster.members_down = {"k8s-master2"}
    with pytest.raises(SilentError):
        second()
    cluster.members_down = set()
    assert second().leader == "11"


@pytest.fixture
def writer(balanced: Server) -> Writer:
    made = Writer(balanced, HandClock(), every=0.5, seconds=5.0)
    made.prepare()
    return made


def written(writer: Writer, number: int) -> None:
    """Let it write so many times."""
    stopped = threading.Event()
    before = len(writer.writes)

    class Counting(HandClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(writer.writes) - before >= number:
                stopped.set()

    writer._clock = Counting()
    writer.write_until(stopped)


def test_every_write_that_was_acknowledged_is_known(cluster: SmallCluster, writer: Writer) -> None:
    written(writer, 3)
    assert [write.name for write in writer.writes] == ["000000", "000001", "000002"]
    assert {f"{writer.keys}{write.name}" for write in writer.writes} == cluster.stored
    assert writer.acknowledged == 3
    assert [write.began for write in writer.writes] == [100.0, 100.5, 101.0]


def test_a_write_in_vain_is_not_acknowledged(cluster: SmallCluster, writer: Writer) -> None:
    written(writer, 1)
    cluster.members_down = {"k8s-master1", "k8s-master2"}
    written(writer, 1)
    cluster.servers_down = set(cluster.names)
    written(writer, 1)
    cluster.members_down, cluster.servers_down = set(), set()
    written(writer, 1)
    assert [write.fate for write in writer.writes] == [
        Fate.ACKNOWLEDGED,
        Fate.REFUSED,
        Fate.UNKNOWN,
        Fate.ACKNOWLEDGED,
    ]
    assert writer.acknowledged == len(cluster.stored) == 2


def test_what_was_written_is_removed(cluster: SmallCluster, writer: Writer) -> None:
    writer.clean()
    assert cluster.asked == [f"DELETE /api/v1/namespaces/{writer.namespace}"]


OTHER = bytes.fromhex("525400000002")
WANTED, ELSE = socket.inet_aton("172.31.7.100"), socket.inet_aton("172.31.0.2")


def test_who_has_an_address() -> None:
    asked = question(WANTED)
    own = asked[6:12]
    assert asked[:14] == b"\xff" * 6 + own + b"\x08\x06"
    assert answerer(asked, WANTED) is None, "a question is no answer"
    answer = own + OTHER + asked[12:20] + b"\0\2" + OTHER + WANTED + own + bytes(4)
    assert answerer(answer, WANTED) == "52:54:00:00:00:02"
    assert answerer(answer, ELSE) is None
    assert answerer(answer[:20], WANTED) is None


class Told(Here):
    """A site in which the program that asks by ARP is this one."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self.program = program

    def network_command(self, words: object) -> list[str]:
        return ["sh", "-c", self.program]


def test_the_holders_are_named_by_their_nodes(three: Plan) -> None:
    macs = [node.nic_on(three.node_network).mac for node in three.nodes]
    source = HolderSource(
        three, Told(f"while read -r _; do echo {macs[0]} {macs[2]} 02:00:00:00:00:09; done")
    )
    assert source() == source() == {"k8s-master1", "k8s-master3", "02:00:00:00:00:09"}
    source.close()


def test_a_program_that_ended_has_asked_nobody(three: Plan) -> None:
    source = HolderSource(three, Told("read -r _; exit 1"))
    for _ in range(2):
        with pytest.raises(NotAskedError):
            source()
    source.close()
