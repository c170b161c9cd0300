"""What a cluster needs whose clocks have leapt ahead, as its lab stood still or was kept for a while.

Certificates live ten years. Tokens do not, and what renews them sleeps by the monotonic clock, which does
not leap.
"""

from __future__ import annotations

from datetime import timedelta

from lab.cluster.credentials import kubelet_client_pem
from lab.cluster.secrets import load_or_make_secrets
from lab.foundation.errors import LabError
from lab.modes.registry import mode_named
from lab.operations.context import Lab
from lab.topology.mode_choice import ModeChoice
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan

HOUR = 3600.0
BEHIND = 600.0
"""Seconds. A cluster is older when it is kept; its tokens are not valid before they were made."""
LONG = 180 * 24 * HOUR
"""Tokens in pods, and the certificate with which an API server calls itself, live 365 days, and
were not new when the snapshot was taken."""
KUBELET_PEM = "/var/lib/kubelet/pki/kubelet-client-current.pem"


def after_leap(lab: Lab, seconds: float) -> bool:
    """Let the nodes, which run, renew what has run out meanwhile, so that new pods start.

    The lab has the secrets of its cluster. Returns whether its API servers were ended, which come back by
    themselves. Raises LabError when a node does not do it, or the clocks have leapt back.
    """
    if seconds < -BEHIND:
        raise LabError(
            f"the clock of this host is behind that of the lab by {timedelta(seconds=-int(seconds))}",
            details="tokens and certificates of the cluster are not valid yet, by that clock",
            resolution="set the host's clock right, and run the same command again",
        )
    if seconds < HOUR:
        return False
    mode = mode_named(ModeChoice.parse(lab.record.mode).name)
    long = seconds > LONG
    scripts = {
        node.name: (_after_long(lab, node) if long else "") + mode.after_leap for node in lab.plan.nodes
    }
    if any(scripts.values()):
        lab.machines.run_inside(scripts)
    if long:
        lab.progress.note(
            f"the clocks of the nodes have leapt ahead by {seconds / 24 / HOUR:.0f} days:"
            " kubelets and API servers start again"
        )
    return long


def _after_long(lab: Lab, node: NodePlan) -> str:
    """kubelet, started again, gives all pods new tokens at once; an API server makes its certificate then."""
    renewed = ""
    if node.role is NodeRole.WORKER:
        pem = kubelet_client_pem(node, load_or_make_secrets(lab.folder.secrets))
        renewed = f"""\
openssl x509 -checkend 86400 -noout -in {KUBELET_PEM} > /dev/null ||
cat > {KUBELET_PEM} <<'END'
{pem}END
"""
    ended = "" if node.role is NodeRole.WORKER else "pkill -x kube-apiserver || true\n"
    return f"{renewed}systemctl restart --no-block kubelet\n{ended}"
