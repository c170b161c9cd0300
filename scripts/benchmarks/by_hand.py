"""The cluster of a topology made as the coursework makes it by hand, one thing after the other, as steps.

Machines are started one by one. Programs and images are copied to each with scp and loaded there; the box
holds them already, so images are taken out first, uncounted. Then come kubeadm init with the coursework's
arguments, and kubeadm join node by node. Namespaces, networks and the files of the pod network are made as
`lab up` makes them. `python -m benchmarks.by_hand TOPOLOGY MODE NAME` prints the seconds of the steps.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from lab.foundation.files import write_atomically
from lab.foundation.progress import ConsoleProgress, StepContext
from lab.foundation.wait import Deadline
from lab.machines.vagrant import Vagrant
from lab.nodes.connection import Command, Script
from lab.nodes.prepare import NodeNeeds, node_script
from lab.operations.context import Lab
from lab.operations.software import supplied_box
from lab.operations.ssh_config import write_ssh_config
from lab.operations.steps import Step, run_steps
from lab.operations.up_steps import BEFORE_NETWORK, POD_NETWORK, KeepMode
from lab.state.records import LabRecord, lab_folder, locked, now, save_topology
from lab.supply.software import Software
from lab.topology.loader import find_topology, load_topology
from lab.topology.mode_choice import ModeChoice
from lab.topology.models import Supply
from lab.topology.plan import NodePlan
from lab.topology.planner import make_plan

KUBEADM_LIMIT = 1800.0
BOOT_LIMIT = 600.0
REPOSITORY = "registry.lab.internal"
PROGRAMS = ("kubeadm", "kubelet", "kubectl")
TAKE_OUT = Script(
    "ctr --namespace k8s.io images list --quiet | xargs -r ctr --namespace k8s.io images remove --sync\n",
    "take the images out",
)


class ByHand:
    """A step that is always run."""

    name: str

    def done(self, lab: Lab) -> bool:
        return False


class MachinesOneByOne(ByHand):
    name = "machines, one after the other"

    def run(self, lab: Lab, at: StepContext) -> None:
        for node in lab.plan.nodes:
            at.doing(node.name)
            Vagrant(lab.folder, lab.enclosure).up([node.name])


class PrepareOneByOne(ByHand):
    name = "names and kernel settings"

    def run(self, lab: Lab, at: StepContext) -> None:
        needs = NodeNeeds(lab.runtime, ())
        for node in lab.plan.nodes:
            lab.nodes[node.name].run(node_script(lab.plan, node, needs))


class CopyToEach(ByHand):
    """Programs and images with scp."""

    name = "scp of programs and images"

    def __init__(self, software: Software) -> None:
        self._software = software

    def run(self, lab: Lab, at: StepContext) -> None:
        files = [self._software.binaries[program] for program in PROGRAMS]
        files += [image.archive for image in self._software.images]
        for node in lab.plan.nodes:
            at.doing(node.name)
            lab.nodes[node.name].run(Command(("mkdir", "-p", "/root/by-hand")))
            words = ["scp", "-q", "-F", str(lab.folder.ssh_config), *map(str, files)]
            subprocess.run([*words, f"{node.name}:/root/by-hand/"], check=True)


class LoadOnEach(ByHand):
    name = "images loaded on each node"

    def __init__(self, software: Software) -> None:
        self._software = software

    def run(self, lab: Lab, at: StepContext) -> None:
        lines = "".join(
            f"ctr --namespace k8s.io images import /root/by-hand/{image.archive.name}\n"
            for image in self._software.images
        )
        for node in lab.plan.nodes:
            at.doing(node.name)
            lab.nodes[node.name].run(Script(lines, "load the images"), timeout=KUBEADM_LIMIT)


class Init(ByHand):
    name = "kubeadm init"

    def run(self, lab: Lab, at: StepContext) -> None:
        kubernetes, node = lab.plan.kubernetes, lab.plan.control_plane
        words = (
            *("kubeadm", "init"),
            f"--apiserver-advertise-address={kubernetes.api_address}",
            f"--kubernetes-version={kubernetes.version}",
            f"--pod-network-cidr={kubernetes.pod_cidr}",
            f"--service-cidr={kubernetes.service_cidr}",
            f"--service-dns-domain={kubernetes.dns_domain}",
            f"--image-repository={REPOSITORY}",
            f"--cri-socket={lab.runtime.cri_socket}",
            # It wants crictl, which this supply may lack.
            "--skip-phases=preflight",
        )
        _name_address(lab, node)
        lab.nodes[node.name].run(Command(words), timeout=KUBEADM_LIMIT)
        write_atomically(lab.folder.kubeconfig, lab.nodes[node.name].read_text("/etc/kubernetes/admin.conf"))


class JoinOneByOne(ByHand):
    name = "kubeadm join, node by node"

    def run(self, lab: Lab, at: StepContext) -> None:
        master = lab.nodes[lab.plan.control_plane.name]
        command = master.run(Command(("kubeadm", "token", "create", "--print-join-command"))).stdout.split()
        for node in lab.plan.workers:
            at.doing(node.name)
            _name_address(lab, node)
            words = (*command, f"--cri-socket={lab.runtime.cri_socket}", "--skip-phases=preflight")
            lab.nodes[node.name].run(Command(words), timeout=KUBEADM_LIMIT)


def _name_address(lab: Lab, node: NodePlan) -> None:
    lab.nodes[node.name].put_text(
        "/etc/default/kubelet", f"KUBELET_EXTRA_ARGS=--node-ip={node.internal_address}\n"
    )


def build(topology: str, mode: str, name: str) -> dict[str, float]:
    """Make the lab `name`, which must not be there yet; the seconds of the steps."""
    source = find_topology(topology)
    plan = make_plan(load_topology(source)).in_mode(ModeChoice.parse(mode))
    folder = lab_folder(name)
    progress = ConsoleProgress(sys.stderr)
    with locked(folder):
        save_topology(folder, source)
        record = LabRecord(name, mode=str(plan.choice), supply=Supply.AUTO.value, created=now())
        lab = Lab(folder, record, plan, progress)
        lab.update(record)
        run_steps(lab, BEFORE_NETWORK)
        kubernetes = plan.kubernetes
        supply = Supply(lab.record.supply)
        software = supplied_box(kubernetes.version, kubernetes.runtime, supply, progress).software
        lab.enclosure.enter_network()
        lab.machines.prepare()
        write_ssh_config(lab)
        times = list(_times(lab, (MachinesOneByOne(),)))
        lab.nodes.wait_until_answer(Deadline(BOOT_LIMIT))
        lab.nodes.on_each(plan.nodes, lambda node: lab.nodes[node.name].run(TAKE_OUT))
        steps: tuple[Step, ...] = (
            *(PrepareOneByOne(), CopyToEach(software), LoadOnEach(software), Init(), JoinOneByOne()),
            *(step for step in POD_NETWORK if not isinstance(step, KeepMode)),
        )
        times += _times(lab, steps)
    return dict(times)


def _times(lab: Lab, steps: Sequence[Step]) -> list[tuple[str, float]]:
    return [(time.name, time.seconds) for time in run_steps(lab, steps)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(build(*sys.argv[1:])) + "\n")
