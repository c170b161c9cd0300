"""Names that hybridnet's parts know each other by."""

from __future__ import annotations

from lab.cluster.objects import Workload, WorkloadKind

NAMESPACE = "kube-system"
ACCOUNT = "hybridnet"
MANAGER = "hybridnet-manager"
WEBHOOK = "hybridnet-webhook"
DAEMONS = Workload(WorkloadKind.DAEMON_SET, NAMESPACE, "hybridnet-daemon")
MANAGERS = Workload(WorkloadKind.DEPLOYMENT, NAMESPACE, MANAGER)
WEBHOOKS = Workload(WorkloadKind.DEPLOYMENT, NAMESPACE, WEBHOOK)
WEBHOOK_SECRET = "hybridnet-webhook-certificate"  # noqa: S105 - the name of a Secret
WEBHOOK_PORT = 9898
SOCKET = "/run/cni/hybridnet.sock"
"""Where the CNI plugin reaches the node's daemon."""

UNDERLAY_LABEL = ("network", "underlay-nethost")
"""Label and value of the nodes that have underlay pods, as in the coursework."""

VXLAN_ID = 4

Json = dict[str, object]


def labels(component: str) -> dict[str, str]:
    return {"app": "hybridnet", "component": component}
