"""Starting programs of the cluster again on one node, and waiting until each works."""

from __future__ import annotations

from dataclasses import dataclass

from lab.cluster.binaries.control_plane import (
    ASK,
    CONTROLLER_MANAGER_PORT,
    METRICS_PORT,
    SCHEDULER_PORT,
)
from lab.cluster.credentials import PKI
from lab.cluster.readiness import KUBE_PROXY_HEALTH_PORT, KUBELET_HEALTH_PORT
from lab.cluster.tuning import Part
from lab.topology.plan import LOOPBACK, NodePlan
from lab.topology.planner import API_PORT

LIMIT_SECONDS = 600
"""How long a program may take to work again; an idle machine without KVM needs about a tenth of it."""
COMM_LENGTH = 15
"""Of a process's name in /proc, proc(5)."""


@dataclass(frozen=True)
class Program:
    """A program of a node, as it is asked there whether it works."""

    name: str
    check: str
    """A command of bash."""


ETCD = Program(Part.ETCD, f"{ASK} http://{LOOPBACK}:{METRICS_PORT}/health")
CONTROLLER_MANAGER = Program(
    Part.CONTROLLER_MANAGER, f"{ASK} --insecure https://{LOOPBACK}:{CONTROLLER_MANAGER_PORT}/healthz"
)
SCHEDULER = Program(Part.SCHEDULER, f"{ASK} --insecure https://{LOOPBACK}:{SCHEDULER_PORT}/healthz")
KUBELET = Program("kubelet", f"{ASK} http://{LOOPBACK}:{KUBELET_HEALTH_PORT}/healthz")
PROXY = Program("kube-proxy", f"{ASK} http://{LOOPBACK}:{KUBE_PROXY_HEALTH_PORT}/healthz")


def api_server_of(node: NodePlan) -> Program:
    """The API server beside which it is asked."""
    url = f"https://{node.internal_address}:{API_PORT}/readyz"
    return Program(Part.API_SERVER, f"{ASK} --cacert {PKI}/ca.crt {url}")


FUNCTIONS = f"""\
pid_of() {{
  for comm in /proc/[0-9]*/comm; do
    read -r found 2>/dev/null <"$comm" || continue
    if [ "$found" = "$1" ]; then basename "${{comm%/comm}}"; return; fi
  done
}}
until_works() {{
  end=$((SECONDS + {LIMIT_SECONDS}))
  until now=$(pid_of "$1") && [ -n "$now" ] && [ "$now" != "$2" ] && eval "$3" >/dev/null 2>&1; do
    if [ $SECONDS -ge $end ]; then echo "$1 does not work again" >&2; exit 1; fi
    sleep 0.5
  done
}}
"""
"""Bash functions that the lines of this module use."""


def restart(program: Program, *, unit: bool) -> str:
    """Bash lines: a unit is started anew by systemd, a static pod's program by kubelet once it has ended."""
    how = f"systemctl restart {program.name}.service" if unit else '[ -z "$old" ] || kill "$old"'
    return f"""\
old=$(pid_of {_comm(program)})
{how}
until_works {_comm(program)} "$old" '{program.check}'
"""


def after_change(program: Program, change: str) -> str:
    """Bash lines: a change for which kubelet starts the program anew, and which says whether it was one.

    `change` sets the variable `changed` to something where it changed anything.
    """
    return f"""\
old=$(pid_of {_comm(program)})
changed=
{change}\
if [ -n "$changed" ]; then until_works {_comm(program)} "$old" '{program.check}'; fi
"""


def _comm(program: Program) -> str:
    return program.name[:COMM_LENGTH]
