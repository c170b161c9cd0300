"""The steps of `lab up`, but for those that make the cluster; their order is in up_order.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.cluster.labels import label_nodes, nodes_labelled
from lab.cluster.readiness import (
    is_ready,
    wait_unschedulable,
    wait_until_well,
)
from lab.foundation.errors import LabError
from lab.foundation.files import link_or_copy
from lab.foundation.paths import cache_root
from lab.foundation.progress import StepContext
from lab.foundation.wait import Deadline
from lab.host.kvm import probe
from lab.host.time_stamp_counter import counter_khz
from lab.modes.install import install_mode, mode_installed, programs_of
from lab.modes.mode import Images, ModeSetup
from lab.modes.registry import mode_named
from lab.nodes.images import bring_images, have_images
from lab.nodes.prepare import nodes_prepared, prepare_nodes
from lab.operations.context import Lab
from lab.operations.keeping.keep import (
    CLUSTER_SNAPSHOT,
    bring_back,
    is_kept,
    keep,
    kind_of,
    mode_snapshot,
    take_mode_snapshot,
    take_snapshot,
)
from lab.operations.own_keys import give_keys
from lab.operations.software import supplied_box
from lab.state.kept_labs import KeptLabs
from lab.supply.cache import Cache
from lab.supply.on_demand import images_on_demand
from lab.topology.models import Supply

KVM_LIMIT = 30.0
BOOT_LIMIT = 600.0
REFUSAL_LIMIT = 300.0
READY_LIMIT = 1800.0
"""Seconds; an idle machine without KVM needs about a tenth of them."""


class Software:
    """The box with all software in it, and the programs that the host side of the lab needs."""

    name = "software and box"

    def done(self, lab: Lab) -> bool:
        return lab.box is not None and (lab.folder.programs / "kubectl").exists()

    def run(self, lab: Lab, at: StepContext) -> None:
        kubernetes = lab.plan.kubernetes
        supply = Supply(lab.record.supply)
        supplied = supplied_box(kubernetes.version, kubernetes.runtime, supply, lab.progress)
        lab.folder.programs.mkdir(exist_ok=True)
        for program in ("kubectl", "agnhost"):
            link_or_copy(supplied.software.binaries[program], lab.folder.programs / program)
        lab.update(
            replace(
                lab.record,
                supply=supplied.supply.value,
                box_digest=supplied.box.digest,
                runtime=supplied.box.runtime.value,
                images=tuple(image.reference for image in supplied.software.images),
            )
        )
        # Which supply it is may be known only now.
        lab.require_images()


class ModeImages:
    """Images that the mode needs and the box lacks, in the cache."""

    name = "images of the mode"

    def done(self, lab: Lab) -> bool:
        there = lab.archives_on_demand
        return not Images(tuple(there)).lacking(sorted(lab.on_demand)) and all(
            archive.exists() for archive in there.values()
        )

    def run(self, lab: Lab, at: StepContext) -> None:
        version, supply = lab.plan.kubernetes.version, Supply(lab.record.supply)
        images = images_on_demand(lab.on_demand, version, supply, Cache(), lab.progress)
        digests = {image.reference: image.digest for image in images}
        known = {**lab.record.images_on_demand, **digests}
        lab.update(replace(lab.record, images_on_demand=known))


class Accelerator:
    """Whether guests run with KVM or under emulation, seen by booting one."""

    name = "probe for KVM"

    def done(self, lab: Lab) -> bool:
        return bool(lab.record.accelerator)

    def run(self, lab: Lab, at: StepContext) -> None:
        box = lab.box
        assert box is not None
        verdict = probe(box.kernel, Deadline(KVM_LIMIT), cache=cache_root() / "kvm.json")
        accelerator = "kvm" if verdict.usable else "qemu"
        lab.update(replace(lab.record, accelerator=accelerator, counter_khz=counter_khz() or 0))
        how = "with KVM" if verdict.usable else f"under emulation, several times slower: {verdict.why}"
        lab.progress.note(f"guests run {how}")


class PrivateLibvirt:
    """Namespaces of the lab's own, and a libvirtd in them."""

    name = "namespaces and libvirtd of the lab"

    def done(self, lab: Lab) -> bool:
        return lab.site.serving

    def run(self, lab: Lab, at: StepContext) -> None:
        lab.site.start()


@dataclass(frozen=True)
class BringBack:
    """A lab of the same kind that was kept earlier, in place of what follows."""

    with_mode: bool
    """Whether it may have its pod network already."""
    name: str = "machines from the cache"

    def done(self, lab: Lab) -> bool:
        return lab.folder.kubeconfig.exists() or KeptLabs().find(kind_of(lab)) is None

    def run(self, lab: Lab, at: StepContext) -> None:
        kept = KeptLabs().find(kind_of(lab))
        assert kept is not None
        lab.update(replace(lab.record, ready=False))
        bring_back(lab, kept, with_mode=self.with_mode)


class Boot:
    """Networks and virtual machines, until each node answers by ssh."""

    key = "machines"
    name = "networks and virtual machines"

    def done(self, lab: Lab) -> bool:
        return lab.all_running and lab.folder.ssh_config.exists() and lab.folder.known_hosts.exists()

    def run(self, lab: Lab, at: StepContext) -> None:
        lab.machines.prepare()
        lab.machines.up(at)
        give_keys(lab)
        lab.nodes.wait_until_answer(Deadline(BOOT_LIMIT), at.doing)


class LanHostUp:
    """The third party on the underlay."""

    key = "lan-host"
    name = "LAN host"

    def done(self, lab: Lab) -> bool:
        return lab.lan_host is None or lab.lan_host.running

    def run(self, lab: Lab, at: StepContext) -> None:
        if lab.lan_host is not None:
            lab.lan_host.start(lab.folder.programs / "agnhost")


class PrepareNodes:
    key = "nodes"
    name = "nodes: names, kernel settings, runtime"

    def done(self, lab: Lab) -> bool:
        return nodes_prepared(lab.nodes, lab.node_needs)

    def run(self, lab: Lab, at: StepContext) -> None:
        prepare_nodes(lab.nodes, lab.node_needs, at)


class LabelNodes:
    """Labels of the topology. They come after the mode's objects, which may be seen waiting for them."""

    key = "labels"
    name = "labels"

    def done(self, lab: Lab) -> bool:
        return nodes_labelled(lab.api, lab.plan)

    def run(self, lab: Lab, at: StepContext) -> None:
        for workload in lab.mode_setup.wait_for_labels:
            refusal = wait_unschedulable(lab.api, workload, at, Deadline(REFUSAL_LIMIT))
            lab.progress.note(f"{refusal}\nso its nodes get the labels of the topology now")
        label_nodes(lab.api, lab.plan)


class KeepCluster:
    """A snapshot to which `lab rebuild` goes back."""

    key = "cluster"
    name = "snapshot of the cluster without pod network"

    def done(self, lab: Lab) -> bool:
        return CLUSTER_SNAPSHOT in lab.machines.snapshots()

    def run(self, lab: Lab, at: StepContext) -> None:
        take_snapshot(lab, CLUSTER_SNAPSHOT)


class ImagesOnNodes:
    """The same in the store of every node's container runtime."""

    key = "images"
    name = "images of the mode on the nodes"

    def done(self, lab: Lab) -> bool:
        references = tuple(lab.archives_on_demand)
        return not references or have_images(lab.nodes, lab.runtime, references)

    def run(self, lab: Lab, at: StepContext) -> None:
        bring_images(lab.nodes, lab.runtime, lab.archives_on_demand, at)


class InstallMode:
    key = "network"
    name = "pod network"

    def done(self, lab: Lab) -> bool:
        return mode_installed(lab.nodes, lab.mode_setup)

    def run(self, lab: Lab, at: StepContext) -> None:
        install_mode(lab.nodes, lab.api, lab.mode_setup, lab.membership.secrets.authority, at)


class InstallPrograms:
    """The same without the networks, which the user makes."""

    name = "programs of the pod network"

    def done(self, lab: Lab) -> bool:
        return mode_installed(lab.nodes, self._setup(lab))

    def run(self, lab: Lab, at: StepContext) -> None:
        install_mode(lab.nodes, lab.api, self._setup(lab), lab.membership.secrets.authority, at)

    def _setup(self, lab: Lab) -> ModeSetup:
        return programs_of(mode_named(lab.plan.mode), lab.mode_setup)


class AllReady:
    key = "ready"
    name = "nodes Ready, pods of the system ready"

    def done(self, lab: Lab) -> bool:
        return lab.record.ready and is_ready(lab.api, lab.plan, lab.mode_setup.workloads)

    def run(self, lab: Lab, at: StepContext) -> None:
        wait_until_well(lab.api, lab.plan, lab.mode_setup.workloads, at, Deadline(READY_LIMIT))
        lab.update(replace(lab.record, ready=True))


class KeepMode:
    """A snapshot to which `lab rebuild` goes back when the mode stays or comes again."""

    key = "mode"
    name = "snapshot of the cluster in its mode"

    def done(self, lab: Lab) -> bool:
        return mode_snapshot(lab.plan.choice) in lab.machines.snapshots()

    def run(self, lab: Lab, at: StepContext) -> None:
        take_mode_snapshot(lab)


class KeepLab:
    """Into the cache, for the next lab of this kind. Without room for it, a lab is as good."""

    name = "keep it in the cache"

    def done(self, lab: Lab) -> bool:
        return is_kept(lab)

    def run(self, lab: Lab, at: StepContext) -> None:
        if not KeepMode().done(lab):
            return  # there was no room for the snapshot, which has been told
        try:
            keep(lab, (CLUSTER_SNAPSHOT, mode_snapshot(lab.plan.choice)))
        except LabError as error:
            lab.progress.note(f"not kept for the next lab up: {error.brief}")
