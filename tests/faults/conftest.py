from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from lab.cluster.api import ClusterApi
from lab.cluster.secrets import ClusterSecrets, load_or_make_secrets
from lab.faults.fault import Site
from lab.host.enclosure import Enclosure
from lab.machines.machines import Machines
from lab.modes.mode import Mode
from lab.modes.registry import mode_named
from lab.nodes.pool import Nodes
from lab.topology.models import Tuning
from lab.topology.plan import NodePlan, Plan
from tests.faults.site_stand_ins import BashNode, BashNodes, MakeSite, MemoryApi


@pytest.fixture
def node() -> Iterator[BashNode]:
    """A node with the NICs eth0 and eth1; needs root, as labs do."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    words = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    holder = subprocess.Popen(
        [*words, "sh", "-c", "echo ready; exec sleep infinity"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
    made = BashNode(int(children[0]))
    made.bash(
        "mount -t tmpfs tmpfs /run; mount -t sysfs sysfs /sys; ip link set lo up\n"
        "for nic in eth0 eth1; do ip link add $nic type veth peer name to-$nic; ip link set $nic up; done\n"
        "for end in to-eth0 to-eth1; do ip link set $end up; done\n"
        "ip address add 192.168.31.103/24 dev eth0; ip address add 172.31.7.103/21 dev eth1"
    )
    yield made
    holder.kill()
    holder.wait()
    holder.stdout.close()


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> ClusterSecrets:
    return load_or_make_secrets(tmp_path_factory.mktemp("faults") / "secrets.json")


@pytest.fixture
def site(plan: Plan, secrets: ClusterSecrets) -> MakeSite:
    """A lab in a mode, made of stand-ins: site(mode, node=..., api=..., enclosure=...)."""

    def make(
        mode: str,
        *,
        node: BashNode | None = None,
        api: MemoryApi | None = None,
        enclosure: Enclosure | None = None,
        machines: object = None,
        of: Plan | None = None,
    ) -> Site:
        found: Mode = mode_named(mode)
        return Site(
            of or plan,
            found,
            cast(Nodes, BashNodes(node)),
            cast(ClusterApi, api or MemoryApi()),
            cast(Machines, machines),
            cast(Enclosure, enclosure),
            secrets,
            Tuning.STOCK,
            lambda text: None,
        )

    return make


@pytest.fixture
def worker(plan: Plan) -> NodePlan:
    return plan.workers[-1]
