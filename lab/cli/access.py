"""The daily ways into a lab."""

from __future__ import annotations

import os

import click

from lab.cli.common import json_option, name_option, print_json, the_lab
from lab.cli.completion import complete_node
from lab.foundation.progress import SilentProgress
from lab.operations.access import become_kubectl, become_shell, become_ssh, kubeconfig_text, ssh_config
from lab.operations.context import Lab
from lab.operations.inventory import ansible_inventory, inventory_of

PASS_THROUGH = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def _open(name: str | None) -> Lab:
    return Lab.open(the_lab(name), SilentProgress())


@click.command(context_settings=PASS_THROUGH)
@click.argument("node", shell_complete=complete_node)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@name_option
def ssh(name: str | None, node: str, words: tuple[str, ...]) -> None:
    """Log in on NODE, or run a shell command there. `lan-host` is the machine of the LAN that is no node.

    \b
    Example: lab ssh k8s-node1
    """
    become_ssh(_open(name), node, words, quote=False)


@click.command(name="exec", context_settings=PASS_THROUGH)
@click.argument("node", shell_complete=complete_node)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@name_option
def exec_command(name: str | None, node: str, words: tuple[str, ...]) -> None:
    """Run a command on NODE, or on lan-host with the programs of this host; its arguments reach it unchanged.

    \b
    Example: lab exec k8s-node1 -- ip route
    Example: lab exec lan-host -- curl http://172.31.6.1:8080/
    """
    become_ssh(_open(name), node, words, quote=True)


@click.command(context_settings={**PASS_THROUGH, "help_option_names": []})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def kubectl(words: tuple[str, ...]) -> None:
    """Run kubectl in the lab (LAB_NAME, or the only lab).

    \b
    Example: lab kubectl get pods -A -o wide
    """
    become_kubectl(_open(os.environ.get("LAB_NAME")), words)


@click.command()
@click.option("--host", is_flag=True, help="Print the path of one for programs of this host.")
@name_option
def kubeconfig(name: str | None, host: bool) -> None:
    """Print the lab's kubeconfig. Its server can be reached only inside the lab's network (lab shell).

    With --host, print the path of a kubeconfig that works on this host: for kubectl, helm, k9s, an IDE. Its
    server is a port of the loopback, which is forwarded in the background; `lab status` lists it.

    \b
    Example: lab kubeconfig > config
             kubectl --kubeconfig "$(lab kubeconfig --host)" get nodes
    """
    lab = _open(name)
    if host:
        # Imported here, as it takes a while, which no other command must wait for.
        from lab.operations.doors.host_kubeconfig import host_kubeconfig  # noqa: PLC0415

        click.echo(host_kubeconfig(lab))
    else:
        click.echo(kubeconfig_text(lab), nl=False)


@click.command()
@name_option
def shell(name: str | None) -> None:
    """Open a shell inside the lab's network, with KUBECONFIG set and kubectl on the PATH.

    \b
    Example: lab shell
    """
    become_shell(_open(name))


@click.command()
@click.option("--ansible", is_flag=True, help="Print an Ansible inventory (YAML).")
@click.option("--ssh-config", "as_ssh_config", is_flag=True, help="Print an OpenSSH client configuration.")
@json_option
@name_option
def inventory(name: str | None, ansible: bool, as_ssh_config: bool, as_json: bool) -> None:
    """Print everything about the lab's nodes and networks that a program needs.

    \b
    Example: lab inventory --json
    """
    lab = _open(name)
    if ansible:
        click.echo(ansible_inventory(lab), nl=False)
    elif as_ssh_config:
        click.echo(ssh_config(lab), nl=False)
    else:
        print_json(inventory_of(lab).as_json())


COMMANDS = (ssh, exec_command, kubectl, kubeconfig, shell, inventory)
