"""Commands that make, change and end labs, and say what runs."""

from __future__ import annotations

import click

from lab.cli.common import (
    console,
    discard_option,
    json_option,
    name_option,
    print_json,
    show_rows,
    supply_option,
    the_lab,
)
from lab.cli.tables import show_labs, show_settings, show_status, show_summary
from lab.operations.doors.wanted_doors import WantedDoors
from lab.operations.down import take_down
from lab.operations.logs import log_files, print_log
from lab.operations.rebuild import pause_lab, rebuild_lab, resume_lab
from lab.operations.status import lab_settings, lab_status, labs_overview
from lab.operations.up import Until, UpRequest, bring_up
from lab.topology.models import Installer, KubeProxy, PolicyEnforcer


@click.command()
@click.option("--topology", required=True, metavar="T", help="A name (see topologies/) or a file.")
@click.option(
    "--mode", metavar="M", help="The network mode, with its options (default: the topology's mode)."
)
@supply_option
@click.option(
    "--kubernetes",
    metavar="V",
    help="A version such as v1.24.10, or v1.37 for its newest patch release (default: the topology's).",
)
@click.option(
    "--installer",
    type=click.Choice([each.value for each in Installer]),
    help="How nodes become a cluster (default: the topology's, kubeadm).",
)
@click.option(
    "--kube-proxy",
    type=click.Choice([each.value for each in KubeProxy]),
    help="How Services get to their pods (default: the topology's, iptables).",
)
@click.option(
    "--policy",
    type=click.Choice([each.value for each in PolicyEnforcer]),
    help="What enforces NetworkPolicies where the mode does not (default: the topology's, none).",
)
@click.option(
    "--name", envvar="LAB_NAME", metavar="LAB", help="Name of the lab (default: the topology's name)."
)
@click.option("--cold", is_flag=True, help="Build the lab again, even if the cache has one of this kind.")
@click.option("--image", "images", multiple=True, metavar="REF", help="Bring this image to all nodes, too.")
@click.option(
    "--until",
    metavar="STEP",
    help="End there: `cluster`, without a pod network; `programs`, with hybridnet's, before its networks and "
    "labels; or after any step that `lab steps` shows. Without it, `lab up` goes on.",
)
@click.option("--outside", is_flag=True, help="Open the door out (see `lab outside`).")
@click.option("--host-nic", metavar="NIC", help="Let this device be a port of the underlay (see `lab lan`).")
@click.option("--pull-through", is_flag=True, help="Let nodes pull images (see `lab image through`).")
@json_option
def up(
    *,
    topology: str,
    mode: str | None,
    supply: str | None,
    kubernetes: str | None,
    installer: str | None,
    kube_proxy: str | None,
    policy: str | None,
    name: str | None,
    cold: bool,
    images: tuple[str, ...],
    until: str | None,
    outside: bool,
    pull_through: bool,
    host_nic: str | None,
    as_json: bool,
) -> None:
    """Build a working cluster from nothing; continues where an earlier run stopped.

    \b
    Example: lab up --topology underlay-3node --mode flannel-vxlan
    Example: lab up --topology underlay-3node --mode macvlan:host_shim=false
    Example: lab up --topology underlay-3node --image nginx:1.25
    Example: lab up --topology course-exact --until cluster
    Example: lab up --topology course-exact --until programs
    Example: lab up --topology underlay-3node --installer binary --until etcd
    Example: lab up --topology underlay-3node --mode flannel-vxlan --kubernetes v1.37
    Example: lab up --topology underlay-3node --mode flannel-vxlan --kube-proxy ipvs
    Example: lab up --topology underlay-3node --mode flannel-vxlan --policy kube-network-policies
    """
    doors = WantedDoors(outside, pull_through, host_nic)
    request = UpRequest(
        topology,
        mode,
        supply,
        name,
        cold,
        images,
        doors,
        Until(until) if until in set(Until) else None,
        kubernetes=kubernetes,
        kube_proxy=kube_proxy,
        policy=policy,
        installer=installer,
        step=None if until in set(Until) else until,
    )
    summary = bring_up(request, console())
    if as_json:
        print_json(summary.as_json())
    else:
        show_summary(summary)


@click.command()
@name_option
def down(name: str | None) -> None:
    """Remove the lab: no VM, network, volume, process, mount or namespace of it remains.

    \b
    Example: lab down
    """
    take_down(the_lab(name), console())


@click.command()
@click.option("--mode", metavar="M", help="Switch to this network mode (default: the lab's current mode).")
@discard_option
@name_option
def rebuild(*, mode: str | None, name: str | None, discard: bool) -> None:
    """Return to a clean cluster from a snapshot; with --mode, in another network mode.

    What you made in the cluster is listed, and kept in the save point `undo`.

    \b
    Example: lab rebuild --mode flannel-vxlan
    """
    show_summary(rebuild_lab(the_lab(name), mode, console(), discard=discard))


@click.command()
@name_option
def pause(name: str | None) -> None:
    """Stop the lab's virtual CPUs; it keeps its memory. `lab resume` continues it.

    \b
    Example: lab pause --name underlay-3node
    """
    pause_lab(the_lab(name), console())


@click.command()
@name_option
def resume(name: str | None) -> None:
    """Continue a paused lab, with the current time on its nodes.

    \b
    Example: lab resume --name underlay-3node
    """
    resume_lab(the_lab(name), console())


@click.command()
@click.option("--settings", is_flag=True, help="Show in what the cluster differs from kubeadm's own instead.")
@json_option
@name_option
def status(*, name: str | None, as_json: bool, settings: bool) -> None:
    """Show what runs in the lab: nodes, addresses, versions, mode, problems.

    \b
    Example: lab status --json
    """
    if settings:
        differences = lab_settings(the_lab(name))
        show_rows(differences.all, lambda rows: show_settings(differences.tuning, rows), as_json=as_json)
        return
    found = lab_status(the_lab(name))
    if as_json:
        print_json(found.as_json())
    else:
        show_status(found)


@click.command("list")
@json_option
def list_labs(as_json: bool) -> None:
    """List all labs on this host.

    \b
    Example: lab list
    """
    show_rows(labs_overview(), show_labs, as_json=as_json)


@click.command()
@click.argument("log", required=False)
@name_option
def logs(name: str | None, log: str | None) -> None:
    """List the lab's logs, or print one.

    \b
    Example: lab logs vagrant
    """
    folder = the_lab(name)
    if log is None:
        for path in log_files(folder):
            click.echo(f"{path.stem:30} {path}")
    else:
        print_log(folder, log)


COMMANDS = (up, down, rebuild, pause, resume, status, list_labs, logs)
