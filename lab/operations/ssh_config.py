"""The OpenSSH client configuration of a lab's nodes; it works from the host and from inside the lab."""

from __future__ import annotations

from lab.foundation.files import write_atomically
from lab.host.site import Site
from lab.nodes.keys import KeyFiles
from lab.operations.context import Lab
from lab.topology.plan import NodePlan, Plan


def write_ssh_config(lab: Lab) -> None:
    """Write the configuration into the lab's folder."""
    write_atomically(lab.folder.ssh_config, ssh_config_text(lab.plan, lab.key_files, lab.site))


def ssh_config_text(plan: Plan, keys: KeyFiles, site: Site) -> str:
    """One Host entry per node; each connection is made by a program that runs in the lab's network.

    None is shared by the user's settings: OpenSSH's %C is the same for nodes of two labs of a topology.
    """
    return "\n".join(_entry(plan, node, keys, site) for node in plan.nodes)


def _entry(plan: Plan, node: NodePlan, keys: KeyFiles, site: Site) -> str:
    address = node.nic_on(plan.uplink.name).primary.ip
    return f"""\
Host {node.name}
  HostName {address}
  User root
  IdentityFile {keys.private}
  IdentitiesOnly yes
  StrictHostKeyChecking yes
  UserKnownHostsFile {keys.known_hosts}
  GlobalKnownHostsFile /dev/null
  HostKeyAlgorithms ecdsa-sha2-nistp256
  LogLevel ERROR
  ControlPath none
  ProxyCommand {site.shell_line("nc %h %p")}
"""
