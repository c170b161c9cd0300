"""The OpenSSH client configuration of a lab's nodes; it works from the host and from inside the lab."""

from __future__ import annotations

from pathlib import Path

from lab.topology.plan import NodePlan, Plan


def ssh_config_text(plan: Plan, key: Path, init_record: Path) -> str:
    """One Host entry per node; each connection enters the lab's network by the pid in `init_record`."""
    return "\n".join(_entry(plan, node, key, init_record) for node in plan.nodes)


def _entry(plan: Plan, node: NodePlan, key: Path, init_record: Path) -> str:
    address = node.nic_on(plan.uplink.name).address.ip
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
