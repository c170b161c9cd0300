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
"""Workers' kubelets in snapshots of earlier versions have certificates for 365 days, and were not new when
the snapshot was taken. Pods' tokens live as long; kubelet renews them by itself."""
KUBELET_PEM = "/var/lib/kubelet/pki/kubelet-client-current.pem"


def after_leap(lab: Lab, seconds: float) -> None:
    """Let the nodes, which run, renew what has run out meanwhile, so that new pods start.

    The lab has the secrets of its cluster. Raises LabError when a node does not do it, or the clocks have
    leapt back.
    """
    if seconds < -BEHIND:
        raise LabError(
            f"the clock of this host is behind that of the lab by {timedelta(seconds=-int(seconds))}",
            details="tokens and certificates of the cluster are not valid yet, by that clock",
            resolution="set the host's clock right, and run the same command again",
        )
    if seconds < HOUR:
        return
    mode = mode_named(ModeChoice.parse(lab.record.mode).name)
    scripts = {
        node.name: (_renew_kubelet(lab, node) if seconds > LONG else "") + mode.after_leap
        for node in lab.plan.nodes
    }
    if any(scripts.values()):
        lab.machines.run_inside(scripts)


def _renew_kubelet(lab: Lab, node: NodePlan) -> str:
    if node.role is not NodeRole.WORKER:
        return ""  # its kubelet has a certificate of the host's, which lives as long as all others
    pem = kubelet_client_pem(node, load_or_make_secrets(lab.folder.secrets))
    return f"""\
if ! openssl x509 -checkend 86400 -noout -in {KUBELET_PEM} > /dev/null; then
cat > {KUBELET_PEM} <<'END'
{pem}END
systemctl restart --no-block kubelet
fi
"""
