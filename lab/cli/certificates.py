"""The certificates of a lab's cluster, as they are served."""

from __future__ import annotations

import sys

import click

from lab.cli.common import console, json_option, name_option, say, show_rows, the_lab
from lab.cli.tables import show_certificates
from lab.operations.certificates import certificate_rows, renew_certificates


@click.group("certificates")
def certificates() -> None:
    """Certificates of the cluster: what each port serves and until when, and new ones for all."""


@certificates.command("list")
@json_option
@name_option
def list_(name: str | None, as_json: bool) -> None:
    """List what each port of the cluster's programs serves, asked by a handshake: no file is read.

    \b
    Example: lab certificates list
    """
    show_rows(certificate_rows(the_lab(name)), show_certificates, as_json=as_json)


@certificates.command()
@name_option
def renew(name: str | None) -> None:
    """Renew all certificates and start all programs again, one control plane after the other.

    Where kubeadm made the cluster, `kubeadm certs renew all` does it, for a year; what it leaves out, and all
    of a cluster from binaries, is signed on the host, for ten. Authorities stay. Exit status 1: a port still
    serves what it did.

    \b
    Example: lab certificates renew
    """
    renewal = renew_certificates(the_lab(name), console())
    for line in renewal.unchanged:
        say(f"not renewed: {line}", err=True)
    click.echo(
        f"{len(renewal.after) - len(renewal.unchanged)} of {len(renewal.after)} ports serve a new one."
    )
    sys.exit(1 if renewal.unchanged else 0)


COMMANDS = (certificates,)
