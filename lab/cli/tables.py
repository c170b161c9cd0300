"""Results as tables for people; colour only on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from lab.cli.common import say
from lab.cluster.tuning import Setting
from lab.doors.tied_door import Condition
from lab.foundation.language import marked, said
from lab.foundation.progress import seconds_text
from lab.host.doctor import Finding
from lab.operations.boxes import BoxRow
from lab.operations.certificates import CertificateRow
from lab.operations.doors.pull_through import ThroughRow
from lab.operations.doors.real_lan import LanRow
from lab.operations.drills.running import DrillRow
from lab.operations.faults import FaultRow
from lab.operations.images import ImageList
from lab.operations.keeping.cache import KeptRow
from lab.operations.keeping.snapshots import SnapshotRow
from lab.operations.software import CachedRow
from lab.operations.status import LabRow, LabStatus, OutsideRow
from lab.operations.testing import SuiteRun
from lab.operations.up import Until, UpSummary
from lab.supply.probe import ProbeResult
from lab.topology.models import Tuning

UNLIMITED = 10_000
"""Columns; no table is that wide."""


_FIRST = {
    None: ("lab test", marked("prove what this pod network really does")),
    Until.CLUSTER: (
        "lab kubectl apply -f FILE",
        marked("install a pod network yourself; `lab up` again does it for you"),
    ),
    Until.PROGRAMS: (
        "lab kubectl label node NODE KEY=",
        marked("label the nodes, then apply the networks; `lab up` again does it for you"),
    ),
}
"""What to do first, by where `lab up` ended."""


def show_summary(summary: UpSummary) -> None:
    """What `up` and `rebuild` say at their end."""
    show_status(summary.status)
    if not summary.times:
        say(f"Nothing to do: {summary.status.name} is up.")
        return
    total = sum(step.seconds for step in summary.times)
    times = _table("step", "time", "share")
    for step in summary.times:
        share = f"{step.seconds / total:.0%}" if total else ""
        times.add_row(said(step.name), seconds_text(step.seconds), share)
    times.add_row("all", seconds_text(total), "")
    _print(times)
    name = summary.status.name
    first = ("lab steps", marked("look at each step")) if summary.step else _FIRST[summary.until]
    say("What to do next:")
    for command, what in (
        first,
        ("lab kubectl get pods -A -o wide", marked("look around in the cluster")),
        (f"lab ssh {summary.status.nodes[0].name}", marked("log in on a node")),
        ("lab shell", marked("a shell inside the lab's network")),
        (f"lab down --name {name}", marked("remove it; nothing is left")),
    ):
        click.echo(f"  {command:<34} {said(what)}")


def show_status(status: LabStatus) -> None:
    say(
        f"Lab {status.name}: {status.state}, mode {status.mode}, Kubernetes {status.kubernetes}, "
        f"{status.runtime or 'runtime not chosen yet'}, guests under {status.accelerator}"
    )
    _show_nodes(status)
    proxy = f" (kube-proxy: {status.kube_proxy})" if status.kube_proxy else ""
    say(f"pods {status.pods}, services {status.service_cidr}{proxy}, API https://{status.api}")
    if status.policy not in ("", "none"):
        say(f"network policies are enforced by {status.policy}")
    for forward in status.forwards:
        how = "in the background" if forward.background else "in a terminal"
        click.echo(f"forwards {' and '.join(forward.listens)} to {forward.target} ({how})")
    if status.outside.state != Condition.CLOSED:
        click.echo(outside_line(status.outside))
    if status.pull_through.state != Condition.CLOSED:
        click.echo(through_line(status.pull_through))
    if status.lan.state != Condition.CLOSED:
        click.echo(lan_line(status.lan))
    for problem in status.problems:
        click.secho(said("wrong: ") + said(problem), fg="red")
    for note in status.notes:
        click.echo(said("note: ") + said(note))


def outside_line(row: OutsideRow) -> str:
    """Of the door out."""
    if row.state == Condition.CLOSED:
        return "outside: closed"
    host = f"this host reached at {row.host_address}" if row.allow_host else "this host off limits"
    lan = "private addresses reached" if row.allow_lan else "private addresses off limits"
    line = f"outside: open from {', '.join(row.networks)}; {host}, {lan}"
    if row.proxies:
        line += f"; images and packages of nodes by the proxy {' and '.join(row.proxies)}"
    words = [f"--network {network}" for network in row.networks]
    words += [*(["--allow-host"] if row.allow_host else []), *(["--allow-lan"] if row.allow_lan else [])]
    return _door_line("outside", line, row.broken, f"lab outside open {' '.join(words)}")


def through_line(row: ThroughRow) -> str:
    """Of pull-through."""
    if row.state == Condition.CLOSED:
        return "pull-through: closed"
    line = f"pull-through: open; nodes pull images from {row.url}"
    return _door_line("pull-through", line, row.broken, "lab image through open")


def lan_line(row: LanRow) -> str:
    """Of the door to a LAN."""
    if row.state == Condition.CLOSED:
        return "lan: closed"
    line = f"lan: open; {row.device} of this host is a port of {row.network}"
    return _door_line("lan", line, row.broken, f"lab lan open {row.device}")


def _door_line(door: str, line: str, broken: str, mends: str) -> str:
    return f"{line}\nwrong: {door}: {broken}; `{mends}` mends it" if broken else line


def _show_nodes(status: LabStatus) -> None:
    """One table where the terminal is wide enough, else two; reasons, which are long, below."""
    states = (marked("role"), marked("machine"), "Kubernetes", marked("version"))
    whole = _table("node", *states, *status.networks)
    apart = _table("node", *states), _table("node", *status.networks)
    for node in status.nodes:
        seen = node.role, node.machine, node.condition.partition(":")[0], node.version
        whole.add_row(node.name, *seen, *node.addresses)
        apart[0].add_row(node.name, *seen)
        apart[1].add_row(node.name, *node.addresses)
    for table in (whole,) if _fits(whole) else apart:
        _print(table)
    for node in status.nodes:
        if reason := node.condition.partition(": ")[2]:
            say(f"{node.name} is not Ready: {reason}")


def show_settings(tuning: Tuning, settings: Sequence[Setting]) -> None:
    click.echo(f"tuning {tuning}: in what the cluster differs from one that kubeadm makes by itself")
    table = _table("part", "setting", "here", "kubeadm's own", "why")
    for column in table.columns[2:]:
        column.no_wrap, column.overflow = False, "fold"
    for each in settings:
        table.add_row(each.part, f"{each.name} ({each.kind})", each.text, each.own or "not set", each.why)
    _print(table)


def show_labs(rows: Sequence[LabRow]) -> None:
    if not rows:
        click.echo("There is no lab. Build one: lab up --topology underlay-3node")
        return
    table = _table("lab", "state", "topology", "mode", "made")
    for row in rows:
        table.add_row(row.name, row.state, row.topology, row.mode, row.created)
    _print(table)


def show_cached(rows: Sequence[CachedRow]) -> None:
    if not rows:
        click.echo("The cache is empty. Fill it: lab supply fetch")
        return
    table = _table("kind", "made from", "name", "size", "sha256")
    for row in rows:
        table.add_row(row.kind, row.record, row.name, f"{row.size / 2**20:.1f} MiB", row.digest[:12])
    _print(table)


def show_probe(result: ProbeResult) -> None:
    """A line for each thing; hosts that did not answer at all are told once, below."""
    table = _table("kind", "what", "where it is", "where not, and why", "time")
    for column in table.columns[1:4]:
        column.no_wrap, column.overflow = False, "fold"
    for found in result.found:
        has_it = ", ".join(answer.host for answer in found.answers if answer.has_it)
        refusals = [
            f"{answer.host}: {answer.why_not}"
            for answer in found.answers
            if not answer.has_it and answer.host not in result.unreachable
        ]
        why = "; ".join([*refusals, *([found.wanted.unasked] if found.wanted.unasked else [])])
        table.add_row(
            found.wanted.kind, found.wanted.name, has_it or "nowhere", why, f"{found.seconds:.1f} s"
        )
    _print(table)
    for host, why in result.unreachable.items():
        click.echo(f"unreachable: {host}: {why}")
    there = len(result.found) - len(result.nowhere)
    click.echo(f"{there} of {len(result.found)} are somewhere; asked in {seconds_text(result.seconds)}")
    for found in result.nowhere:
        without = f"; without it: {found.wanted.without}" if found.wanted.without else ""
        click.secho(f"nowhere: {found.wanted.kind} {found.wanted.name}{without}", fg="red")


def show_snapshots(rows: Sequence[SnapshotRow]) -> None:
    table = _table("snapshot", "mode", "made", "note")
    for row in rows:
        table.add_row(row.name, row.mode or "-", row.made or "-", row.note)
    _print(table)


def show_kept(rows: Sequence[KeptRow]) -> None:
    if not rows:
        click.echo("The cache has no lab. lab up keeps each lab that it builds there.")
        return
    table = _table("topology", "mode", "made", "size", "key")
    for row in rows:
        table.add_row(row.topology, row.mode, row.made, f"{row.size / 2**20:.0f} MiB", row.key[:12])
    _print(table)


def show_boxes(rows: Sequence[BoxRow]) -> None:
    if not rows:
        click.echo("There is no box. lab up or lab box build builds one.")
        return
    table = _table("box", "built", "size", "digest", "labs")
    for row in rows:
        size = f"{row.size / 2**20:.0f} MiB"
        table.add_row(row.name, row.built, size, row.digest[:12], ", ".join(row.labs) or "-")
    _print(table)


def show_faults(rows: Sequence[FaultRow]) -> None:
    table = _table("fault", "state", "effect, or why it does not apply")
    for row in rows:
        where = row.node or row.scope
        state = f"injected, {where}" if row.injected else "not in this mode" if row.unfit else "-"
        table.add_row(row.name, state, row.summary if not row.unfit else row.unfit)
    _print(table)


def show_drills(rows: Sequence[DrillRow]) -> None:
    table = _table("drill", "what happens, or why it cannot be run")
    for row in rows:
        table.add_row(row.name, row.unfit or row.summary)
    _print(table)


def show_certificates(rows: Sequence[CertificateRow]) -> None:
    table = _table("node", "program", "port", "until", "serial, or what is wrong")
    for row in rows:
        until = row.ends.partition("T")[0]
        table.add_row(row.node, row.program, str(row.port), until, row.problem or row.serial)
    _print(table)


def show_images(images: ImageList) -> None:
    """A line for each image; the nodes that have it, where not all of them do."""
    table = _table("image", "from", "size", "nodes")
    for row in images.rows:
        where = "all" if set(row.nodes) >= set(images.asked) else ", ".join(row.nodes)
        table.add_row(row.name, row.origin, row.size, where)
    _print(table)


def show_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        click.secho(f"{'ok' if finding.ok else 'wrong':>5}", fg="green" if finding.ok else "red", nl=False)
        click.echo(f"  {said(finding.name)}: {said(finding.found)}")
        if not finding.ok and finding.resolution:
            click.secho(f"       {said('How to fix it: ')}{said(finding.resolution)}", fg="yellow")


def show_suite_runs(runs: Sequence[SuiteRun]) -> None:
    """One line per mode: what the acceptance suite said, and how long it took."""
    table = _table("mode", "result", "checks", "failed", "rebuild", "suite")
    for run in runs:
        table.add_row(
            str(run.mode),
            "passed" if run.passed else run.problem or "failed",
            str(run.checks),
            str(run.failures),
            seconds_text(run.rebuild_seconds),
            seconds_text(run.suite_seconds),
        )
    _print(table)


def show_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of text."""
    table = _table(*columns)
    for row in rows:
        table.add_row(*row)
    _print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(said(column), no_wrap=True)
    return table


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def _print(table: Table) -> None:
    _console().print(table)


def _fits(table: Table) -> bool:
    """Whether nothing in it must be cut off."""
    console = _console()
    wide = console.options.update(width=UNLIMITED)
    return Measurement.get(console, wide, table).maximum <= console.width
