"""Seeing packets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click

from lab.cli.common import console, json_option, name_option, print_json, the_lab
from lab.foundation.errors import refused_by_system
from lab.foundation.files import give_to_caller, is_plain_file, write_output
from lab.operations.context import Lab
from lab.operations.packets.capturing import capture as capture_packets
from lab.packets.capture import Seen
from lab.packets.capture_format import CaptureWriter
from lab.packets.protocols import Protocol

STDOUT = Path("-")


@click.command()
@click.argument("where", nargs=-1, required=True)
@click.option(
    "--filter", "packet_filter", default="", metavar="F", help="As in pcap-filter(7): 'icmp or port 53'."
)
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), metavar="S", help="End after so many seconds."
)
@click.option("--write", type=click.Path(path_type=Path), metavar="FILE", help="Write pcapng; - for stdout.")
@name_option
def capture(
    name: str | None, where: tuple[str, ...], packet_filter: str, seconds: float | None, write: Path | None
) -> None:
    """Capture packets at WHERE: NODE, NODE:DEVICE, pod/NAMESPACE/NAME, lan, lan-host or a network.

    On a terminal each packet is a line. Else, and with --write, all go into one pcapng file that names the
    device of each packet. Nothing is written on the nodes.

    \b
    Example: lab capture k8s-node1:eth1 --filter icmp
             lab capture lan pod/default/web | wireshark -k -i -
    """
    progress = console()
    lab = Lab.open(the_lab(name), progress)
    with ExitStack() as stack:
        take = _taker(write, stack)
        ended = capture_packets(lab, where, take, packet_filter=packet_filter, seconds=seconds)
    for each in ended:
        lost = f", {each.dropped} not (no room for them)" if each.dropped else ""
        progress.note(f"{each.spot}: {each.captured} packets captured{lost}")


def _taker(write: Path | None, stack: ExitStack) -> Callable[[Seen], None]:
    if write is None and sys.stdout.isatty():
        # Imported here, as it takes half a second, which no other command must wait for.
        from lab.packets.lines import line_of  # noqa: PLC0415

        return lambda seen: click.echo(line_of(seen))
    writer = CaptureWriter(_stream(write, stack), "lab capture")

    def into_file(seen: Seen) -> None:
        writer.write(seen.interface, seen.link_type, seen.frame)

    return into_file


def _stream(write: Path | None, stack: ExitStack) -> BinaryIO:
    if write is None or write == STDOUT:
        return sys.stdout.buffer
    try:
        stream = stack.enter_context(write.open("wb"))
    except OSError as error:
        raise refused_by_system(f"cannot write {write}", error) from error
    if is_plain_file(write):
        give_to_caller(write)
    return stream


@click.command()
@click.argument("sender", metavar="FROM")
@click.argument("target")
@click.option(
    "--protocol", type=click.Choice([each.value for each in Protocol]), help="Default: icmp, or tcp."
)
@click.option("--size", type=int, metavar="BYTES", help="Of the IP packet (default: 84).")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw it, too.")
@click.option("--pcap", type=click.Path(path_type=Path), metavar="FILE", help="Write all that was captured.")
@name_option
@json_option
def trace(
    name: str | None,
    sender: str,
    target: str,
    *,
    protocol: str | None,
    size: int | None,
    svg: Path | None,
    pcap: Path | None,
    as_json: bool,
) -> None:
    """Send one packet FROM a pod, a node or lan-host to TARGET, and show the way it took.

    TARGET is a pod (NAMESPACE/NAME), a Service (svc/NAME[:PORT]), a node, an address, lan-host or uplink;
    with :PORT for --protocol tcp and udp. Every line is a frame that was captured on that device.

    \b
    Example: lab trace default/web-0 default/web-1
             lab trace k8s-node1 svc/kubernetes --pcap way.pcapng
    """
    lab = Lab.open(the_lab(name), console())
    # Imported here, as it takes half a second, which no other command must wait for.
    from lab.operations.packets.tracing import trace as trace_packet  # noqa: PLC0415

    found = trace_packet(lab, sender, target, Protocol(protocol) if protocol else None, size)
    if pcap is not None:
        with ExitStack() as stack:
            writer = CaptureWriter(_stream(pcap, stack), "lab trace")
            comments = found.traced.comments
            for number, seen in enumerate(found.traced.frames, start=1):
                writer.write(seen.interface, seen.link_type, seen.frame, comments.get(number, ""))
    if svg is not None:
        from lab.packets.trace_picture import trace_svg  # noqa: PLC0415

        write_output(svg, trace_svg(found.trace))
    if as_json:
        print_json(found.trace.as_json())
    else:
        from lab.packets.trace_text import trace_text  # noqa: PLC0415

        click.echo(trace_text(found.trace))


COMMANDS = (capture, trace)
