"""New certificates for all that a node's programs serve and show, and the programs started again.

Those of kubeadm's cluster come by `kubeadm certs renew all`, as its users do it, and last a year. What
kubeadm does not renew, and all of a cluster from binaries, is signed on the host:
https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.cluster.binaries.certificates import certificate_files
from lab.cluster.binaries.work import Installation, hosts_control_plane
from lab.cluster.credentials import (
    component_serving_files,
    control_plane_files,
    kubelet_client_pem,
    kubelet_serving_files,
)
from lab.cluster.programs import (
    CONTROLLER_MANAGER,
    ETCD,
    FUNCTIONS,
    KUBELET,
    PROXY,
    SCHEDULER,
    Program,
    api_server_of,
    restart,
)
from lab.cluster.readiness import has_proxy_units
from lab.nodes.connection import Script
from lab.nodes.files import NodeFile, write_files
from lab.topology.plan import NodePlan

LOG = "/var/log/lab-renewal.log"
KUBELET_PEM = "/var/lib/kubelet/pki/kubelet-client-current.pem"
"""Where a kubelet keeps the certificate that it has got for itself."""
KUBELET_KUBECONFIG = "/etc/kubernetes/kubelet.conf"


def renewal_script(of: Installation, node: NodePlan) -> Script:
    """Ends when all programs of the node work with what is new."""
    new = write_files(certificate_files(of, node)) if of.plan.from_binaries else _with_kubeadm(of, node)
    restarts = "".join(restart(program, unit=unit) for program, unit in _programs(of, node))
    return Script(FUNCTIONS + new + restarts, f"renew the certificates of {node.name}")


def _with_kubeadm(of: Installation, node: NodePlan) -> str:
    secrets = of.membership.secrets
    hosts = hosts_control_plane(node)
    renewed = f"kubeadm certs renew all >{LOG} 2>&1 || {{ tail --lines=20 {LOG} >&2; exit 1; }}\n"
    files = (
        *kubelet_serving_files(of.plan, node, secrets),
        *(component_serving_files(secrets) if hosts else ()),
    )
    return (renewed if hosts else "") + write_files(files) + _kubelet_client(of, node)


def _kubelet_client(of: Installation, node: NodePlan) -> str:
    """A control plane's kubelet shows that of its kubeconfig until it has got one for itself."""
    secrets = of.membership.secrets
    own = write_files((NodeFile(f"{KUBELET_PEM}.lab", kubelet_client_pem(node, secrets), 0o600),))
    of_host = [
        file
        for file in (control_plane_files(of.plan, node, secrets) if hosts_control_plane(node) else ())
        if file.path == KUBELET_KUBECONFIG
    ]
    # The first is a link to a file with the time in its name.
    return f"""\
if [ -e {KUBELET_PEM} ]; then
{own}cat {KUBELET_PEM}.lab > {KUBELET_PEM}
rm {KUBELET_PEM}.lab
else
{write_files(of_host) or ":"}
fi
"""


def _programs(of: Installation, node: NodePlan) -> Iterator[tuple[Program, bool]]:
    """In the order in which they are started again, and whether each is a unit."""
    units = of.plan.from_binaries
    if hosts_control_plane(node):
        for program in (ETCD, api_server_of(node), CONTROLLER_MANAGER, SCHEDULER):
            yield program, units
    yield KUBELET, True
    if has_proxy_units(of.plan):
        yield PROXY, True
