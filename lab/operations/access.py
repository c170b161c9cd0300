"""Ways into a lab: this process becomes ssh, kubectl or a shell inside the lab's network."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import NoReturn

from lab.foundation.environment import search_path
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.process import become
from lab.host.lan_host import NAME as LAN_HOST
from lab.operations.context import Lab

_FOR_A_SHELL = frozenset(" \t\n;|&<>$`")


def ssh_config(lab: Lab) -> str:
    """The OpenSSH client configuration of the lab's nodes; works from inside and outside its network.

    Raises LabError while there are no nodes.
    """
    if not lab.folder.ssh_config.exists():
        raise LabError(
            f"the lab {lab.folder.name} has no nodes yet",
            resolution=f"lab up --topology {lab.plan.topology} --name {lab.folder.name}",
        )
    return lab.folder.ssh_config.read_text()


def become_ssh(lab: Lab, node: str, words: Sequence[str], *, quote: bool) -> NoReturn:
    """Replace this process with ssh to the node, as root, or with a program on the LAN host.

    With `quote` the words reach the node as they are; without, they are a command line for its shell.
    Raises WrongUseError for a node that the lab does not have, and for shell text in place of words.
    """
    lan_host = lab.lan_host if node == LAN_HOST else None
    if lan_host is None:
        lab.node_named(node)
    if quote and len(words) == 1 and _FOR_A_SHELL.intersection(words[0]):
        raise WrongUseError(
            f"{words[0]!r} is no program on {node}",
            details="`lab exec` hands words on as they are: the first is the program, no shell reads them",
            resolution=f"lab ssh {node} {shlex.quote(words[0])}",
        )
    if lan_host is not None:
        lab.require_running()
        line = list(words) if quote else ["sh", "-c", " ".join(words)] if words else [_user_shell()]
        become(lan_host.command(line), told=line[:1])
    lab.require_awake()
    ssh = ["ssh", "-F", str(lab.folder.ssh_config), node]
    become([*ssh, *(map(shlex.quote, words) if quote else words)], told=ssh)


def become_kubectl(lab: Lab, words: Sequence[str]) -> NoReturn:
    """Replace this process with kubectl, speaking to the lab's API server."""
    lab.require_awake()
    kubectl = str(lab.folder.programs / "kubectl")
    become(
        lab.site.network_command([kubectl, *words]),
        told=[kubectl],
        env={"KUBECONFIG": str(lab.folder.kubeconfig)},
    )


def become_shell(lab: Lab) -> NoReturn:
    """Replace this process with the user's shell inside the lab's network, kubectl on its PATH."""
    lab.require_running()
    user_shell = [_user_shell()]
    become(
        lab.site.network_command(user_shell),
        told=user_shell,
        env={
            "KUBECONFIG": str(lab.folder.kubeconfig),
            "LAB_NAME": lab.folder.name,
            "PATH": f"{lab.folder.programs}:{search_path()}",
        },
    )


def _user_shell() -> str:
    return os.environ.get("SHELL", "/bin/sh")


def kubeconfig_text(lab: Lab) -> str:
    """The lab's kubeconfig. Raises LabError while there is no cluster."""
    if not lab.folder.kubeconfig.exists():
        raise LabError(
            f"the lab {lab.folder.name} has no cluster yet",
            resolution=f"lab up --topology {lab.plan.topology} --name {lab.folder.name}",
        )
    return lab.folder.kubeconfig.read_text()
