"""Names that calico's parts know each other by."""

from __future__ import annotations

from lab.cluster.objects import Workload, WorkloadKind

NAMESPACE = "kube-system"
NODE = "calico-node"
CNI = "calico-cni"
CONTROLLERS = "calico-kube-controllers"
NODE_DAEMONS = Workload(WorkloadKind.DAEMON_SET, NAMESPACE, NODE)
CONTROLLER_PODS = Workload(WorkloadKind.DEPLOYMENT, NAMESPACE, CONTROLLERS)
GROUP = "crd.projectcalico.org"
"""The API group of calico's own objects."""

CNI_FOLDER = "/etc/calico/cni"
"""On a node: what the CNI plugin finds the API server with. Not the folder that kubelet looks into."""

HEALTH_PORT = 9099
"""Where Felix tells on 127.0.0.1 how it is."""

Json = dict[str, object]
