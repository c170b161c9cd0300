"""The processes of pods on a node: their control groups carry the pod's uid, whatever the runtime."""

from __future__ import annotations

from collections.abc import Iterable

# A process of the pod, if possible one of its own containers, leads into its network.
FIND_PODS = r"""
pid_of() {
  local cgroup pid name best=
  for cgroup in $(grep -lsE "$1" /proc/[0-9]*/cgroup); do
    pid=${cgroup#/proc/}; pid=${pid%/cgroup}
    read -r name 2>/dev/null <"/proc/$pid/comm" || continue
    if [ "$name" != pause ]; then best=$pid; fi
    : "${best:=$pid}"
  done
  echo "${best:-there-is-no-process-of-the-pod}"
}
"""


def control_groups_of(uids: Iterable[str]) -> str:
    """The extended regular expression for /proc/PID/cgroup of the processes of these pods.

    Where systemd makes the control groups, "_" stands for the "-" of the uid.
    """
    written = [each for uid in uids for each in (uid, uid.replace("-", "_"))]
    return f"pod({'|'.join(written) or 'no-pod'})"


def pid_into(variable: str, uid: str) -> str:
    """The line of a shell script, after FIND_PODS, that puts the id of such a process into the variable."""
    return f"{variable}=$(pid_of '{control_groups_of([uid])}')"
