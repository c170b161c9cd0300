"""The OpenSSH client configuration of a lab's nodes; it works from the host and from inside the lab."""

from __future__ import annotations

from pathlib import Path

from lab.foundation.files import write_atomically
from lab.operations.context import Lab
from lab.topology.plan import NodePlan, Plan


def write_ssh_config(lab: Lab) -> None:
    """Write the configuration into the lab's folder."""
    text = ssh_config_text(lab.plan, lab.folder.key, lab.enclosure.layout.init_record)
    write_atomically(lab.folder.ssh_config, text)


def ssh_config_text(plan: Plan, key: Path, init_record: Path) -> str:
    """One Host entry per node; each connection enters the lab's network by the pid in `init_record`."""
    return "\n".join(_entry(plan, node, key, init_record) for node in plan.nodes)


def _entry(plan: Plan, node: NodePlan, key: Path, init_record: Path) -> str:
    address = node.nic_on(plan.uplink.name).primary.ip
    return f"""\
Host {node.name}
  HostName {address}
  User root
  IdentityFile {key}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ProxyCommand nsenter --net=/proc/$(cut -d' ' -f1 {init_record})/ns/net nc %h %p
"""
