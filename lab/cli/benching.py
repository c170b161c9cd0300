"""What modes cost, as a command."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lab.bench.page import render_page
from lab.bench.result import Bench, bench_of
from lab.bench.words import measure_of, rows_of, warnings_of
from lab.cli.common import console, json_option, modes_wanted, name_option, print_json, the_lab
from lab.cli.tables import show_rows
from lab.foundation.errors import WrongUseError
from lab.foundation.files import write_output, write_report
from lab.operations.packets.benching import bench_modes


@click.command()
@click.option("--mode", "modes", metavar="M[,N]", help="Measure these modes; default: the lab's own.")
@click.option("--all-modes", is_flag=True, help="Measure each mode that the lab can run.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Measure nothing: make table and page of the JSON that an earlier run wrote.",
)
@name_option
@json_option
def bench(name: str | None, modes: str | None, all_modes: bool, source: Path | None, as_json: bool) -> None:
    """Measure what a mode costs: round trips between pods, beside those between nodes.

    Without KVM it counts the instructions of the guests, which come out the same again; that needs a C
    compiler. The lab stands still meanwhile, and is as before at the end. JSON and a page go to the folder
    reports.

    \b
    Example: lab bench
    Example: lab bench --all-modes
    Example: lab bench --from reports/bench-underlay-3node.json
    """
    if modes and all_modes:
        raise click.UsageError("--mode and --all-modes cannot be used together")
    if source is None:
        measured = _measure(name, modes, all_modes=all_modes)
    else:
        measured = _read(source)
        write_output(source.with_suffix(".html"), render_page(measured))
    if as_json:
        print_json(measured.as_json())
    else:
        _show(measured)


def _measure(name: str | None, modes: str | None, *, all_modes: bool) -> Bench:
    lab = the_lab(name)
    progress = console()
    wanted = modes_wanted(lab, modes, all_modes=all_modes)
    target = Path("reports") / f"bench-{lab.name}.json"

    def told(bench: Bench) -> None:
        write_report(target, json.dumps(bench.as_json(), indent=1))
        write_report(target.with_suffix(".html"), render_page(bench))

    measured = bench_modes(lab, wanted, progress, told)
    progress.note(f"every sample: {target}; for a browser: {target.with_suffix('.html')}")
    return measured


def _read(source: Path) -> Bench:
    try:
        return bench_of(json.loads(source.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongUseError(
            f"{source} is not what lab bench wrote", details=f"{type(error).__name__}: {error}"
        ) from error


def _show(bench: Bench) -> None:
    click.echo(
        f"Lab {bench.lab}: {measure_of(bench)}, of {bench.message_bytes} bytes, beside those of the base; "
        f"Linux {bench.kernel}, QEMU {bench.emulator}, {bench.accelerator}"
    )
    for mode in bench.modes:
        click.echo(f"\nMode {mode.mode}:")
        if mode.problem:
            click.echo(f"  not measured: {mode.problem}")
            continue
        show_rows(
            ("path", "beside", "protocol", "times the base", "instructions more", "header bytes", "MTU"),
            [(r.pair, r.base, r.protocol, r.cost, r.more, r.headers, r.mtu) for r in rows_of(mode)],
        )
        for warning in warnings_of(mode):
            click.echo(f"  {warning}")


COMMANDS = (bench,)
