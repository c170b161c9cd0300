"""Software and boxes in advance, and the host's fitness."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from lab.cli.common import console, json_option, print_json, show_rows, supply_option
from lab.cli.tables import show_boxes, show_cached, show_findings, show_probe
from lab.foundation.files import write_output
from lab.operations.boxes import box_rows, prune_boxes
from lab.operations.health import findings as all_findings
from lab.operations.probing import ProbeRequest, probe_supply
from lab.operations.report import Report, report_of
from lab.operations.software import (
    DEFAULT_VERSION,
    add_binary,
    build_the_box,
    cached_software,
    export_software,
    fetch_software,
    import_software,
    verify_cache,
)
from lab.supply.bundle import Manifest

version_option = click.option(
    "--kubernetes", "version", default=DEFAULT_VERSION, show_default=True, help="The version of Kubernetes."
)
runtime_option = click.option(
    "--runtime", default="auto", show_default=True, help="auto, containerd or cri-dockerd."
)


@click.group()
def supply() -> None:
    """The software that a lab needs: fetch it in advance, list it, verify it."""


@supply.command()
@version_option
@supply_option
def fetch(version: str, supply: str | None) -> None:
    """Build or download all software of one Kubernetes version into the cache.

    \b
    Example: lab supply fetch --kubernetes v1.24.10
    """
    software = fetch_software(version, supply, console())
    click.echo(
        f"{len(software.binaries)} programs, {len(software.images)} images, "
        f"{len(software.images_on_demand)} more on demand, digest {software.digest[:12]}"
    )


@supply.command("probe")
@click.option("--topology", metavar="T", help="Ask for what this topology needs.")
@click.option("--kubernetes", "version", help=f"The version of Kubernetes (default: {DEFAULT_VERSION}).")
@click.option(
    "--mode", "modes", multiple=True, metavar="M", help="Only what these modes need (default: all)."
)
@supply_option
@json_option
def probe(
    *, topology: str | None, version: str | None, modes: tuple[str, ...], supply: str | None, as_json: bool
) -> None:
    """Ask every mirror and upstream site whether it has each file and image; nothing is fetched.

    The supply auto is mirror and packages together. The exit code is 1 when something is nowhere.

    \b
    Example: lab supply probe --topology underlay-3node
    Example: lab supply probe --supply mirror --mode calico-vxlan --json
    """
    result = probe_supply(ProbeRequest(topology, version, modes, supply), console())
    if as_json:
        print_json(result.as_json())
    else:
        show_probe(result)
    sys.exit(1 if result.nowhere else 0)


@supply.command("list")
@json_option
def list_cached(as_json: bool) -> None:
    """List the contents of the cache.

    \b
    Example: lab supply list
    """
    show_rows(cached_software(), show_cached, as_json=as_json)


@supply.command()
@click.argument("program", metavar="NAME")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def add(program: str, file: Path) -> None:
    """Add a program that you provide to the cache: cri-dockerd, crictl, bird (calico's fork).

    \b
    Example: lab supply add cri-dockerd ./cri-dockerd
    """
    added = add_binary(program, file, console())
    click.echo(f"{program}: {added.version}, sha256 {added.digest}")


@supply.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@version_option
@runtime_option
@supply_option
def export(file: Path, version: str, runtime: str, supply: str | None) -> None:
    """Write software and box to one file, a bundle, for a machine without a network.

    \b
    Example: lab supply export lab-v1.24.10.bundle
    """
    _say_bundle(export_software(version, runtime, supply, file, console()), file)


@supply.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(file: Path) -> None:
    """Add a bundle to the cache; `lab up` then uses it and needs no network.

    \b
    Example: lab supply import lab-v1.24.10.bundle
    """
    _say_bundle(import_software(file, console()), file)


def _say_bundle(manifest: Manifest, file: Path) -> None:
    software = manifest.software
    click.echo(
        f"{file}: {file.stat().st_size / 2**20:.0f} MiB, Kubernetes {software.kubernetes_version}, "
        f"{len(software.binaries) + len(software.cni_plugins)} programs, {len(software.images)} images, "
        f"{len(software.images_on_demand)} more on demand, "
        f"box {manifest.box.name}, written by lab {manifest.made_by}"
    )


@supply.command()
def verify() -> None:
    """Check the digests of all contents of the cache and remove what is damaged; a fetch makes it again.

    \b
    Example: lab supply verify
    """
    result = verify_cache(console())
    click.echo(f"{result.good} good, {len(result.damaged)} damaged and removed")
    for name in result.damaged:
        click.echo(f"  {name}")
    sys.exit(1 if result.damaged else 0)


@click.group()
def box() -> None:
    """The disk image that virtual machines are made from."""


@box.command("build")
@version_option
@runtime_option
@supply_option
def build_box_command(version: str, runtime: str, supply: str | None) -> None:
    """Build the box in advance; does nothing if its inputs have not changed.

    \b
    Example: lab box build --kubernetes v1.24.10
    """
    built = build_the_box(version, runtime, supply, console())
    click.echo(f"{built.name} {built.version}: {built.image}")


@box.command("list")
@json_option
def list_boxes(as_json: bool) -> None:
    """List the boxes in the cache, and the labs made from them.

    \b
    Example: lab box list
    """
    show_rows(box_rows(), show_boxes, as_json=as_json)


@box.command("prune")
def prune_old_boxes() -> None:
    """Remove the boxes that no lab is made from, except the newest of each kind.

    \b
    Example: lab box prune
    """
    removed = prune_boxes(console())
    freed = sum(row.size for row in removed)
    click.echo(f"{len(removed)} removed, {freed / 2**30:.1f} GiB")


@click.command()
@click.option(
    "--report",
    type=click.Path(dir_okay=False, allow_dash=True),
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Write what can be sent to somebody who helps, without secrets; without FILE, print it.",
)
@json_option
def doctor(report: str | None, as_json: bool) -> None:
    """Check the host and the labs that are up, and say how to fix what is wrong.

    \b
    Example: lab doctor
    Example: lab doctor --report lab-report.txt
    """
    findings = all_findings()
    if report is not None:
        _write_report(report_of(findings), report, as_json=as_json)
        return
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        show_findings(findings)
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


def _write_report(report: Report, file: str, *, as_json: bool) -> None:
    text = json.dumps(report.as_json(), indent=2) + "\n" if as_json else report.as_text()
    if file == "-":
        click.echo(text, nl=False)
    else:
        write_output(Path(file), text)
        click.echo(f"wrote {file}", err=True)


COMMANDS = (supply, box, doctor)
