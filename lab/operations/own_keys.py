"""The lab's own SSH keys on its nodes."""

from __future__ import annotations

from lab.machines.machines import AGENT_LIMIT
from lab.operations.context import Lab
from lab.operations.ssh_config import write_ssh_config


def give_keys(lab: Lab, seconds: float = AGENT_LIMIT) -> None:
    """Let the lab's own keys, and no others, open its nodes, which run, whatever opened them before.

    Machines that have just been made have Vagrant's published key, and those of a snapshot from another lab
    have that lab's. Raises LabError when a node does not take them in that time.
    """
    keys = lab.keys
    lab.machines.run_inside({node.name: keys.script(node.name) for node in lab.plan.nodes}, seconds)
    keys.write_known_hosts(lab.plan)
    write_ssh_config(lab)
