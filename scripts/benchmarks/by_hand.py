"""The cluster of a topology made as the coursework makes it by hand, one thing after the other, as steps.

STORY tells what is done. The supply is LAB_SUPPLY, as for `lab`.
`python -m scripts.benchmarks.by_hand TOPOLOGY MODE NAME` prints the seconds of the steps.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.foundation.files import write_atomically
from lab.foundation.progress import ConsoleProgress, StepContext
from lab.foundation.wait import Deadline
from lab.machines.vagrant import Vagrant
from lab.modes.mode import Mode
from lab.modes.registry import mode_named
from lab.nodes.connection import Command, Script
from lab.nodes.prepare import NodeNeeds, node_script
from lab.operations.context import Lab
from lab.operations.parts import LocalParts
from lab.operations.software import supplied_box, supply_named
from lab.operations.ssh_config import write_ssh_config
from lab.operations.steps import Step, run_steps
from lab.operations.up_order import GROUND, POD_NETWORK
from lab.operations.up_steps import KeepMode
from lab.state.records import LabRecord, lab_folder, locked, now, save_topology
from lab.supply.software import REGISTRY, Image, Software
from lab.topology.loader import find_topology, load_topology
from lab.topology.mode_choice import ModeChoice
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan
from lab.topology.planner import make_plan

KUBEADM_LIMIT = 1800.0
BOOT_LIMIT = 600.0
FOLDER = "/root/by-hand"
PROGRAMS = ("kubeadm", "kubelet", "kubectl")
ON_ALL = ("kube-proxy", "coredns", "pause")
ON_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
LIKE_A_DISTRIBUTION = Script(
    f"rm {' '.join(f'/usr/bin/{program}' for program in PROGRAMS)}\n"
    "ctr --namespace k8s.io images list --quiet | xargs -r ctr --namespace k8s.io images remove --sync\n"
    "sysctl --quiet --write kernel.randomize_va_space=2\n"
    "systemctl restart containerd\n",
    "take out what a distribution's machine has not",
)
"""2 is Linux's default (proc_sys_kernel(5)); the box boots with `norandmaps`, as randomised addresses make an
emulator translate each program anew."""
STORY = """\
The coursework's steps in its order, each node only after the one before it:

1. Start the machines. They are the lab's own, from the same box, so they boot as fast as they do in `lab up`;
   kubeadm, kubelet, kubectl and all images are taken out again first, and addresses are randomised as every
   distribution has it (the box does not, for the emulator's sake). That is not counted.
2. On each node, the names of all nodes and the kernel settings.
3. Copy the three programs and the images that a node needs to each node with `scp`.
4. Load the images there into the container runtime. The coursework has one list of images, so workers get
   those of the control plane too; that is a step of its own, which can be left out of the sum.
5. `kubeadm init` with the coursework's arguments and kubeadm's own settings.
6. `kubeadm join` on one worker after the other, with the line that `kubeadm token create` prints.
7. The pod network, and waiting until all nodes are Ready and DNS answers: the same code as in `lab up`.

Nothing is slowed down on purpose: software comes from this machine's disk, not from the internet; no step
waits for a person; what a human would look up or mistype costs nothing. Only the preflight checks are left
out (`--skip-phases=preflight`), since they want `crictl`. The other settings of the box, such as
`mitigations=off`, stay as they are in `lab up`. The cluster works at the end: step 7 waits for it.
"""


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
            Vagrant(lab.folder, lab.site).up([node.name])


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
        programs = {name: self._software.binaries[name] for name in PROGRAMS}
        install = "".join(
            f"install -m 755 {FOLDER}/{path.name} /usr/bin/{name}\n" for name, path in programs.items()
        )
        for node in lab.plan.nodes:
            at.doing(node.name)
            lab.nodes[node.name].run(Command(("mkdir", "-p", FOLDER)))
            images = images_of(node, self._software, mode_named(lab.plan.mode))
            _scp(lab, node, [*programs.values(), *(image.archive for image in images)])
            lab.nodes[node.name].run(Script(install, "install the programs"))


class LoadOnEach(ByHand):
    name = "images loaded on each node"

    def __init__(self, software: Software) -> None:
        self._software = software

    def run(self, lab: Lab, at: StepContext) -> None:
        for node in lab.plan.nodes:
            at.doing(node.name)
            _load(lab, node, images_of(node, self._software, mode_named(lab.plan.mode)))


class SameOnWorkers(ByHand):
    """The coursework has one list of images, whatever a node runs of them."""

    name = "the control plane's images on workers too"

    def __init__(self, software: Software) -> None:
        self._software = software

    def run(self, lab: Lab, at: StepContext) -> None:
        images = [image for image in self._software.images if image.name in ON_CONTROL_PLANE]
        for node in lab.plan.workers:
            at.doing(node.name)
            _scp(lab, node, [image.archive for image in images])
            _load(lab, node, images)


class Init(ByHand):
    name = "kubeadm init"

    def run(self, lab: Lab, at: StepContext) -> None:
        kubernetes, node = lab.plan.kubernetes, lab.plan.first_control_plane
        words = (
            *("kubeadm", "init"),
            f"--apiserver-advertise-address={node.internal_address}",
            f"--kubernetes-version={kubernetes.version}",
            f"--pod-network-cidr={kubernetes.pod_cidr}",
            f"--service-cidr={kubernetes.service_cidr}",
            f"--service-dns-domain={kubernetes.dns_domain}",
            f"--image-repository={REGISTRY}",
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
        master = lab.nodes[lab.plan.first_control_plane.name]
        command = master.run(Command(("kubeadm", "token", "create", "--print-join-command"))).stdout.split()
        for node in lab.plan.workers:
            at.doing(node.name)
            _name_address(lab, node)
            words = (*command, f"--cri-socket={lab.runtime.cri_socket}", "--skip-phases=preflight")
            lab.nodes[node.name].run(Command(words), timeout=KUBEADM_LIMIT)


def images_of(node: NodePlan, software: Software, mode: Mode) -> tuple[Image, ...]:
    """The images that pods on this node are made from."""
    names = {*ON_ALL, *mode.images, *(ON_CONTROL_PLANE if node.role is NodeRole.CONTROL_PLANE else ())}
    return tuple(image for image in software.images if image.name in names)


def _scp(lab: Lab, node: NodePlan, files: Sequence[Path]) -> None:
    words = ["scp", "-q", "-F", str(lab.folder.ssh_config), *map(str, files), f"{node.name}:{FOLDER}/"]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def _load(lab: Lab, node: NodePlan, images: Sequence[Image]) -> None:
    lines = "".join(
        f"ctr --namespace k8s.io images import {FOLDER}/{image.archive.name}\n" for image in images
    )
    lab.nodes[node.name].run(Script(lines, "load the images"), timeout=KUBEADM_LIMIT)


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
        supply = supply_named(os.environ.get("LAB_SUPPLY"))
        record = LabRecord(name, mode=str(plan.choice), supply=supply.value, created=now())
        lab = Lab(folder, record, plan, progress, LocalParts(folder))
        lab.update(record)
        run_steps(lab, GROUND)
        kubernetes = plan.kubernetes
        software = supplied_box(kubernetes.version, kubernetes.runtime, supply, progress).software
        lab.machines.prepare()
        write_ssh_config(lab)
        times = list(_times(lab, (MachinesOneByOne(),)))
        lab.nodes.wait_until_answer(Deadline(BOOT_LIMIT))
        lab.nodes.on_each(plan.nodes, lambda node: lab.nodes[node.name].run(LIKE_A_DISTRIBUTION))
        steps: tuple[Step, ...] = (
            *(PrepareOneByOne(), CopyToEach(software), LoadOnEach(software), SameOnWorkers(software)),
            *(Init(), JoinOneByOne()),
            *(step for step in POD_NETWORK if not isinstance(step, KeepMode)),
        )
        times += _times(lab, steps)
    return dict(times)


def _times(lab: Lab, steps: Sequence[Step]) -> list[tuple[str, float]]:
    return [(time.name, time.seconds) for time in run_steps(lab, steps)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(build(*sys.argv[1:])) + "\n")
