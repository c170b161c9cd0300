"""kubeadm on the nodes: one script each, that may be run again at any time.

A script first waits for one like it that a killed `lab up` left running, then looks for the mark of a
finished one; without the mark it removes what a broken-off run left behind and starts afresh.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lab.cluster.api import FIELD_MANAGER
from lab.cluster.configuration import (
    DNS_PATCH,
    LAB,
    control_plane_patches,
    dns_patch,
    init_configuration,
    join_configuration,
    own_patches,
)
from lab.cluster.credentials import PKI, component_serving_files, control_plane_files, kubelet_serving_files
from lab.cluster.proxy import without_proxy
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import Kind, Part, Settings
from lab.foundation.progress import StepContext
from lab.nodes.connection import Command, NodeCommandError, Script
from lab.nodes.files import NodeFile, write_files
from lab.nodes.pool import Nodes
from lab.nodes.runtimes import ContainerRuntime
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan, Plan
from lab.topology.planner import API_PORT

MARK = f"{LAB}/joined"
LOG = "/var/log/lab-kubeadm.log"
TIME_LIMIT = 1200.0
"""Seconds for init or join; ten times what they take on an idle machine without KVM."""


TRIES = 3
TOO_SLOW = re.compile(
    r"Client\.Timeout exceeded|context deadline exceeded|timed out waiting for the condition"
    r"|etcdserver: request timed out|did not complete within the allotted timeout"
    r"|etcdserver: leader changed|etcdserver: no leader|connect: connection refused|: EOF\b"
)
"""What kubeadm says when the API server is too slow for it. It gives a change of a node ten seconds, and asks
once: PatchNodeOnce in kubeadm's app/util/apiclient/idempotency.go, v1.24.10."""

Tell = Callable[[str], None]

CONFIGURATION = f"{LAB}/kubeadm.yaml"

STATIC_PODS = "/etc/kubernetes/manifests"
"""kubeadm's packages bring it. Where a worker lacks it, kubelet writes a line to the log every second."""

SKIPPED_IN_JOIN = ("preflight",)
"""It wants crictl and a registry; preparing the node has checked what matters of it."""

STARTED_LATE = ("controller-manager", "scheduler")
"""Static pods that only wait while the API server starts, and take its processor time: the controller manager
even gives up after ten seconds, and kubelet starts it again with longer and longer pauses."""

SKIPPED_IN_INIT = (
    *SKIPPED_IN_JOIN,
    # All their files are there already; kubeadm would make an RSA key for each before it looks.
    "certs",
    "kubeconfig",
    *(f"control-plane/{component}" for component in STARTED_LATE),
)


SKIPPED_IN_HOSTING_JOIN = (
    *SKIPPED_IN_JOIN,
    "control-plane-prepare/download-certs",
    "control-plane-prepare/certs",
    "control-plane-prepare/kubeconfig",
)
"""Of a control plane that joins: its files come from the host, too."""

SERVING_TRIES = 300
"""A second and an answer each."""

STAGES = f"{LAB}/init.sh"

PATIENCE_SECONDS = 600
"""How long the API server may take to start, as kubeadm gives it on slow hosts."""

LIVE = f"https://127.0.0.1:{API_PORT}/livez"
"""The API server of the same node."""

BEFORE_THE_WAIT = (
    *SKIPPED_IN_INIT,
    *("wait-control-plane", "upload-config", "upload-certs", "mark-control-plane", "bootstrap-token"),
    *("kubelet-finalize", "addon", "show-join-command"),
)
FROM_THE_WAIT_ON = (*SKIPPED_IN_JOIN, "certs", "kubeconfig", "etcd", "control-plane", "kubelet-start")


@dataclass(frozen=True)
class Membership:
    """What a node needs in order to become part of the cluster."""

    runtime: ContainerRuntime
    secrets: ClusterSecrets
    settings: Settings


def init_control_plane(nodes: Nodes, membership: Membership, at: StepContext, tell: Tell) -> None:
    """Run `kubeadm init` on the first control plane; the API serves when this returns.

    `tell` hears of a run that is repeated. Raises NodeCommandError with the end of kubeadm's output.
    """
    run_kubeadm(nodes, nodes.plan.first_control_plane, init_script(nodes, membership), at, tell)


def join_workers(nodes: Nodes, membership: Membership, at: StepContext, tell: Tell) -> None:
    """Run `kubeadm join` on all workers at once. They may start before the API serves: they wait for it.

    `tell` hears of a run that is repeated. Raises NodeCommandError (NodesError for several) with the end of
    kubeadm's output.
    """
    nodes.on_each(
        nodes.plan.workers,
        lambda node: run_kubeadm(nodes, node, join_script(nodes, node, membership), at, tell),
    )


def join_control_planes(nodes: Nodes, membership: Membership, at: StepContext, tell: Tell) -> None:
    """Run `kubeadm join` on the control planes that are not the first, one after another.

    etcd takes one new member at a time, and has no quorum from when it knows of the second until that one
    runs. Each serves the API when the next begins. `tell` hears of a run that is repeated. Raises
    NodeCommandError with the end of kubeadm's output.
    """
    for node in nodes.plan.other_control_planes:
        run_kubeadm(nodes, node, join_script(nodes, node, membership), at, tell)


def run_kubeadm(nodes: Nodes, node: NodePlan, script: Script, at: StepContext, tell: Tell) -> None:
    """Run kubeadm, and again when the API server was too slow for it."""
    for following in range(2, TRIES + 2):
        try:
            nodes[node.name].run(script, timeout=TIME_LIMIT, on_line=_phases(at, node))
        except NodeCommandError as error:
            too_slow = TOO_SLOW.search(error.result.stderr)
            if too_slow is None or following > TRIES:
                raise
            tell(
                f"{script}: the API server did not answer in time ({too_slow[0]});"
                f" it is run again, {following} of {TRIES}"
            )
        else:
            return


def is_member(nodes: Nodes, node: NodePlan, membership: Membership) -> bool:
    """True when init or join ended well on this node, for this very cluster."""
    found = nodes[node.name].run(Command(("cat", MARK)), check=False)
    return found.status == 0 and found.stdout.strip() == membership.secrets.identity


def init_script(nodes: Nodes, membership: Membership) -> Script:
    plan, node, secrets = nodes.plan, nodes.plan.first_control_plane, membership.secrets
    settings, of_dns = membership.settings, dns_patch(membership.settings)
    files = (
        NodeFile(CONFIGURATION, init_configuration(plan, membership.runtime, secrets, settings), 0o600),
        *((of_dns,) if of_dns else ()),
        *_hosting_files(plan, node, membership),
        *kubelet_serving_files(plan, node, secrets),
    )
    skipped = ",".join(without_proxy(plan, SKIPPED_IN_INIT))
    command = f"kubeadm init --config {CONFIGURATION} --skip-phases {skipped}"
    meanwhile = _START_LATE
    if settings.features.waits_for_control_plane:
        files += (NodeFile(STAGES, init_in_stages(plan), 0o755),)
        command, meanwhile = f"bash {STAGES}", ""
    afterwards = _PATCH_DNS if of_dns else ""
    text = _attempt(
        command,
        files,
        membership,
        before=_weigh_units(settings),
        meanwhile=meanwhile,
        afterwards=afterwards,
    )
    return Script(text, f"kubeadm init on {node.name}")


def join_script(nodes: Nodes, node: NodePlan, membership: Membership) -> Script:
    """For a worker, or a control plane where another is there already."""
    plan, secrets, runtime, settings = nodes.plan, membership.secrets, membership.runtime, membership.settings
    hosts = node.role is NodeRole.CONTROL_PLANE
    files = (
        NodeFile(CONFIGURATION, join_configuration(plan, node, runtime, secrets, settings), 0o600),
        *(_hosting_files(plan, node, membership) if hosts else ()),
        *kubelet_serving_files(plan, node, secrets),
    )
    skipped = SKIPPED_IN_HOSTING_JOIN if hosts else SKIPPED_IN_JOIN
    command = f"kubeadm join --config {CONFIGURATION} --skip-phases {','.join(skipped)}"
    text = _attempt(
        command,
        files,
        membership,
        again=_LEAVE_ETCD if hosts else "",
        before=_weigh_units(settings) if hosts else "",
        afterwards=_wait_for_own_server(node) if hosts else "",
    )
    return Script(text, f"kubeadm join on {node.name}")


def _hosting_files(plan: Plan, node: NodePlan, membership: Membership) -> tuple[NodeFile, ...]:
    """What a control plane has and a worker has not."""
    secrets = membership.secrets
    return (
        *control_plane_patches(membership.settings),
        *own_patches(plan, node),
        *control_plane_files(plan, node, secrets),
        *component_serving_files(secrets),
    )


def _attempt(
    command: str,
    files: tuple[NodeFile, ...],
    membership: Membership,
    *,
    again: str = "",
    before: str = "",
    meanwhile: str = "",
    afterwards: str = "",
) -> str:
    """Run `before` and kubeadm's `command`, beside it `meanwhile`, and `afterwards` when it ended well.

    `again` comes first where an earlier run was broken off.
    """
    # kubeadm writes to a file and not to the connection, so that it goes on when the connection breaks.
    return f"""\
exec 9>/run/lab-kubeadm.lock
flock 9
if [ "$(cat {MARK} 2>/dev/null)" = {membership.secrets.identity} ]; then exit 0; fi
if [ -e /var/lib/kubelet/config.yaml ] || [ -e /etc/kubernetes/pki ]; then
{again}{remove_cluster_script(membership.runtime)}fi
{write_files(files)}\
mkdir -p {STATIC_PODS}
{before}\
: > {LOG}
{command} > {LOG} 2>&1 9>&- &
kubeadm=$!
tail --lines=+1 --follow --sleep-interval=0.3 --pid=$kubeadm {LOG} 2>/dev/null 9>&- &
tail=$!
{meanwhile}\
wait $kubeadm || {_GIVE_UP}
wait $tail || true
{afterwards}\
{write_files((NodeFile(MARK, membership.secrets.identity),))}\
"""


def _weigh_units(settings: Settings) -> str:
    """Bash lines; what they set lasts over a reboot."""
    weights = settings.of(Part.NODE, Kind.WEIGHT)
    return "".join(f"systemctl set-property {unit} CPUWeight={weight}\n" for unit, weight in weights.items())


_GIVE_UP = f"{{ tail --lines=40 {LOG} >&2; exit 1; }}"

_START_LATE = f"""\
until grep -q 'healthy after' {LOG} || ! kill -0 $kubeadm 2>/dev/null; do sleep 0.3; done
if grep -q 'healthy after' {LOG}; then
  for part in {" ".join(STARTED_LATE)}; do
    kubeadm init phase control-plane $part --config {CONFIGURATION} >> {LOG} 2>&1 9>&-
  done
fi
"""
"""kubeadm says `The API server is healthy after` or `All control plane components are healthy after`."""


_LEAVE_ETCD = f"""\
if [ -e {STATIC_PODS}/etcd.yaml ]; then
  kubeconfig=/etc/kubernetes/admin.conf
  timeout 120 kubeadm reset phase remove-etcd-member --kubeconfig $kubeconfig > {LOG} 2>&1 || true
fi
"""
"""A member that lost its disk may not come back as the same one: etcd would end with a panic."""


def _wait_for_own_server(node: NodePlan) -> str:
    """Bash lines; kubeadm ends before the new API server answers."""
    url = f"https://{node.internal_address}:{API_PORT}/readyz"
    return f"""\
ready() {{ curl --silent --fail --max-time 20 --cacert {PKI}/ca.crt {url} > /dev/null; }}
for try in $(seq {SERVING_TRIES}); do
  if ready; then break; fi
  [ $try -lt {SERVING_TRIES} ] || {{ echo "{node.name} serves no API" >> {LOG}; {_GIVE_UP}; }}
  sleep 1
done
"""


def init_in_stages(plan: Plan) -> str:
    """A bash script for a kubeadm that waits for late parts too: they start before it begins to wait."""
    return f"""\
set -e
kubeadm init --config {CONFIGURATION} --skip-phases {",".join(BEFORE_THE_WAIT)}
echo "[wait-control-plane] Waiting for the API server before the other components start"
until curl --silent --insecure --fail --max-time 10 --output /dev/null {LIVE}; do
  if [ $SECONDS -ge {PATIENCE_SECONDS} ]; then
    echo "{LIVE}: timed out waiting for the condition" >&2
    exit 1
  fi
  sleep 0.5
done
for part in {" ".join(STARTED_LATE)}; do
  kubeadm init phase control-plane $part --config {CONFIGURATION}
done
exec kubeadm init --config {CONFIGURATION} --skip-phases {",".join(without_proxy(plan, FROM_THE_WAIT_ON))}
"""


_PATCH_DNS = f"""\
for try in 1 2 3; do
  if kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system \\
    patch deployment coredns --field-manager {FIELD_MANAGER} --patch-file {DNS_PATCH} >> {LOG} 2>&1 9>&-
  then break; fi
  [ $try -lt 3 ] || {_GIVE_UP}
done
"""


def remove_cluster_script(runtime: ContainerRuntime) -> str:
    """Bash lines that take a node out of its cluster: what `kubeadm reset` does, in seconds."""
    return f"""\
systemctl stop kubelet.service
{runtime.remove_pods()}\
awk '$2 ~ "^/var/lib/kubelet/" {{ print $2 }}' /proc/mounts | xargs -r umount
rm -rf /etc/kubernetes /var/lib/etcd /var/lib/kubelet/* /var/lib/cni /etc/cni/net.d/*
"""


def _phases(at: StepContext, node: NodePlan) -> Callable[[str], None]:
    """Shows kubeadm's phases, which it prints as `[phase] what it does`."""

    def show(line: str) -> None:
        if line.startswith("["):
            at.doing(f"{node.name}: {line}")

    return show
