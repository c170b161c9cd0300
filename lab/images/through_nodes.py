"""How a node's container runtime is told of the registry that its lab has, as bash lines for root."""

from __future__ import annotations

from typing import Protocol

from lab.nodes.files import NodeFile, write_files
from lab.topology.models import Runtime

WAIT_SECONDS = 60
HOSTS_FOLDER = "/etc/containerd/certs.d"
HOSTS = f"{HOSTS_FOLDER}/_default/hosts.toml"
CONTAINERD_CONFIG = "/etc/containerd/config.toml"
DOCKER_CONFIG = "/etc/docker/daemon.json"
DOCKER_PID = "/run/docker.pid"


class ThroughNode(Protocol):
    """One runtime. `url` is http://ADDRESS:PORT."""

    def opened(self, url: str) -> str:
        """Pull images through it; again at any time."""

    def closed(self) -> str:
        """Pull images as before."""

    def is_open(self, url: str) -> str:
        """End with status 0 if images are pulled through it."""

    def is_closed(self) -> str:
        """A condition of bash: they are pulled through none."""


class ContainerdNode:
    """Images of all registries. containerd reads the file for each pull.

    https://github.com/containerd/containerd/blob/main/docs/hosts.md. It is told where such files are at its
    first opening, and starts again then, which no container notices.
    """

    def opened(self, url: str) -> str:
        hosts = (
            # The server, which is asked when no host has it, is the same, so it is left nothing to be asked.
            f'server = "{url}"\ncapabilities = ["push"]\n'
            # Without a table of hosts, containerd 1.6 takes none of the file.
            f'[host."{url}"]\n  capabilities = ["pull", "resolve"]\n'
        )
        return f"""\
{write_files((NodeFile(HOSTS, hosts),))}\
if ! grep -q '^ *config_path' {CONTAINERD_CONFIG}; then
  plugin=io.containerd.grpc.v1.cri
  if grep -q '^version = 3' {CONTAINERD_CONFIG}; then plugin=io.containerd.cri.v1.images; fi
  registry='\\n[plugins."%s".registry]\\n  config_path = "%s"\\n'
  printf "$registry" "$plugin" {HOSTS_FOLDER} >> {CONTAINERD_CONFIG}
  systemctl restart containerd.service
fi
for _ in $(seq {WAIT_SECONDS * 5}); do ctr version >/dev/null 2>&1 && exit 0; sleep 0.2; done
echo "containerd did not start again" >&2
exit 1
"""

    def closed(self) -> str:
        return f"rm -f {HOSTS}\n"

    def is_open(self, url: str) -> str:
        return f"""\
grep -q '^ *config_path' {CONTAINERD_CONFIG} && grep -qsF '[host."{url}"]' {HOSTS}
"""

    def is_closed(self) -> str:
        return f"[ ! -e {HOSTS} ]"


class DockerNode:
    """Images of Docker Hub, for docker has mirrors of no other registry. It reads them again when told to.

    https://docs.docker.com/reference/cli/dockerd/#configuration-reload-behavior
    """

    def opened(self, url: str) -> str:
        # Behind the first line, which is the brace that opens all.
        line = f'  "registry-mirrors": ["{url}"],'
        return f"{_WITHOUT}sed -i '1a\\{line}' {DOCKER_CONFIG}\n{_reloaded(f'*{url}*')}"

    def closed(self) -> str:
        return f"{_WITHOUT}{_reloaded('[[]]')}"

    def is_open(self, url: str) -> str:
        return f'grep -qF \'"registry-mirrors": ["{url}"]\' {DOCKER_CONFIG}\n'

    def is_closed(self) -> str:
        return f"! grep -q '\"registry-mirrors\"' {DOCKER_CONFIG}"


_WITHOUT = f"sed -i '/\"registry-mirrors\"/d' {DOCKER_CONFIG}\n"


def _reloaded(mirrors: str) -> str:
    """Let docker read its configuration, until its mirrors are like that pattern of bash."""
    return f"""\
kill -HUP "$(<{DOCKER_PID})"
for _ in $(seq {WAIT_SECONDS * 5}); do
  [[ "$(docker info --format '{{{{.RegistryConfig.Mirrors}}}}')" == {mirrors} ]] && exit 0
  sleep 0.2
done
echo "docker did not read its configuration again" >&2
exit 1
"""


def through_node(runtime: Runtime) -> ThroughNode:
    return DockerNode() if runtime is Runtime.CRI_DOCKERD else ContainerdNode()
