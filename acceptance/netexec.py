"""The netexec of a node itself: started for the time of a run, so that the node can be asked and can ask."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

from acceptance.pod_processes import control_groups_of
from acceptance.problems import Problem, SuiteError
from acceptance.shell import Shell

NODE_HTTP_PORT = 18080
NODE_UDP_PORT = 18081
UNIT = "lab-acceptance-netexec"
FOLDER = "/var/lib/lab-acceptance"
ANSWER_SECONDS = 60
ENDED_SECONDS = 60

# A node of a lab has the program. On any other it is copied from the first pod that runs it: those of the
# suite are on every node. It is a static program, so it runs outside its image.
PROGRAM = r"""
agnhost_of_a_pod() {
  local folder=$1 comm pid why='no pod there runs it'
  while :; do
    for comm in $(grep -lsx agnhost /proc/[0-9]*/comm); do
      pid=${comm#/proc/}; pid=${pid%/comm}
      why=$(install -D --mode=755 "/proc/$pid/exe" "$folder/agnhost" 2>&1) &&
        { echo "$folder/agnhost"; return; }
    done
    (( SECONDS < $2 )) || break
    sleep 1
  done
  echo "the program agnhost is not on the node, and cannot be had from a pod: $why" >&2
  return 1
}
"""


def start_netexec(shell: Shell, address: IPv4Address, pod_seconds: float) -> Problem | None:
    """Start it and wait until it answers; None when it does.

    A node without the program agnhost gets it from a pod; one may take `pod_seconds` to run there.
    """
    # UDP is bound to one address: replies must come from the address that was asked.
    script = f"""{PROGRAM}
systemctl reset-failed {UNIT} 2>/dev/null
program=$(command -v agnhost || agnhost_of_a_pod {FOLDER} {pod_seconds:.0f}) || exit 1
systemctl is-active --quiet {UNIT} || systemd-run --quiet --collect --unit={UNIT} \
  --property=Restart=always "$program" netexec \
  --http-port={NODE_HTTP_PORT} --udp-port={NODE_UDP_PORT} --udp-listen-addresses={address} || exit 1
curl --silent --fail --output /dev/null --retry 30 --retry-delay 1 --retry-all-errors \
  http://127.0.0.1:{NODE_HTTP_PORT}/healthz || {{ echo 'netexec does not answer' >&2; exit 1; }}
"""
    try:
        shell.bash(script, pod_seconds + ANSWER_SECONDS)
    except SuiteError as error:
        return Problem(str(error))
    return None


def stop_netexec(shell: Shell, pod_uids: Sequence[str]) -> None:
    """Stop it and wait until no process of these pods is left on the node.

    Raises SuiteError when the node cannot be reached or a process stays.
    """
    script = f"""
systemctl stop {UNIT} 2>/dev/null
rm -rf {FOLDER}
for _ in {{1..{ENDED_SECONDS}}}; do
  grep -qsE '{control_groups_of(pod_uids)}' /proc/[0-9]*/cgroup || exit 0
  sleep 1
done
echo 'processes of the removed pods are still there' >&2
exit 1
"""
    shell.bash(script, ENDED_SECONDS * 2)
