"""Container runtimes behind one interface: containerd, and docker with cri-dockerd.

Programs, configuration and images of the runtime come with the box; a node only has to find them in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lab.foundation.errors import LabError
from lab.topology.models import Runtime

PATIENCE_SECONDS = 60
"""How long a runtime may take to open its socket after boot."""

VIEW = "/run/lab/image"
"""Where containerd shows an image for a moment."""


class ContainerRuntime(Protocol):
    """What a node needs to know of its container runtime. The methods return bash lines for root."""

    @property
    def name(self) -> Runtime: ...

    @property
    def cri_socket(self) -> str:
        """What kubeadm and kubelet are told: unix:///path."""

    @property
    def services(self) -> tuple[str, ...]:
        """systemd units, in the order in which they start."""

    @property
    def cheap_statistics(self) -> bool:
        """Whether kubelet may measure all containers every ten seconds.

        cri-dockerd asks docker three times for each, which takes a third of an emulated node.
        """

    def preflight(self, images: tuple[str, ...]) -> str:
        """Fail with a message on stderr unless the socket is there and all images are in the store."""

    def require_images(self, images: tuple[str, ...]) -> str:
        """Fail with a message on stderr unless all images are in the store."""

    def import_image(self, url: str) -> str:
        """Take the image from that address, where its docker-archive is served by HTTP, into the store."""

    def print_layers(self, image: str) -> str:
        """Print the folders with the image's layers, one a line, the highest first."""

    def remove_pods(self) -> str:
        """Kill and remove all containers of Kubernetes; kubelet is stopped already."""


_FETCH = "curl --silent --show-error --fail"


@dataclass(frozen=True)
class Containerd:
    """containerd with its own CRI plugin: 1.6 from Debian, or 2 where the catalogue has it."""

    name: Runtime = Runtime.CONTAINERD
    cri_socket: str = "unix:///run/containerd/containerd.sock"
    services: tuple[str, ...] = ("containerd.service",)
    cheap_statistics: bool = True

    def preflight(self, images: tuple[str, ...]) -> str:
        return _wait_for_socket("/run/containerd/containerd.sock", "containerd") + self.require_images(images)

    def require_images(self, images: tuple[str, ...]) -> str:
        return _check_images("ctr --namespace k8s.io images list --quiet", images)

    def import_image(self, url: str) -> str:
        # Unpacked it lies there once; the archive's own blobs would be kept beside it.
        return f"""\
{_FETCH} {url} | ctr --namespace k8s.io images import --snapshotter overlayfs - >/dev/null
ctr --namespace k8s.io content prune references >/dev/null
"""

    def print_layers(self, image: str) -> str:
        # A view of the image says which folders lie one over the other; it is there for that moment alone.
        ctr, by = "ctr --namespace k8s.io", "--snapshotter overlayfs"
        return f"""\
mkdir -p {VIEW}
{ctr} images mount {by} {image} {VIEW} >/dev/null
{ctr} snapshots {by} mounts {VIEW} {VIEW} | tr ',=: ' '\\n' | grep ^/var/lib/
{ctr} images unmount {by} --rm {VIEW} >/dev/null
"""

    def remove_pods(self) -> str:
        return """\
ctr --namespace k8s.io tasks list --quiet | xargs -r -n1 ctr --namespace k8s.io tasks delete --force || true
ctr --namespace k8s.io containers list --quiet | xargs -r ctr --namespace k8s.io containers delete || true
systemctl restart containerd.service
"""


@dataclass(frozen=True)
class CriDockerd:
    """docker behind cri-dockerd."""

    name: Runtime = Runtime.CRI_DOCKERD
    cri_socket: str = "unix:///run/cri-dockerd.sock"
    services: tuple[str, ...] = ("docker.service", "cri-docker.service")
    cheap_statistics: bool = False

    def preflight(self, images: tuple[str, ...]) -> str:
        return _wait_for_socket("/run/cri-dockerd.sock", "cri-dockerd") + self.require_images(images)

    def require_images(self, images: tuple[str, ...]) -> str:
        return _check_images("docker images --format '{{.Repository}}:{{.Tag}}'", images)

    def import_image(self, url: str) -> str:
        return f"{_FETCH} {url} | docker load --quiet >/dev/null\n"

    def print_layers(self, image: str) -> str:
        folders = "{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}"
        return f"docker image inspect --format '{folders}' {image} | tr : '\\n' | grep ^/var/lib/\n"

    def remove_pods(self) -> str:
        return "docker ps --all --quiet --filter name=k8s_ | xargs -r docker rm --force\n"


def runtime_named(name: Runtime) -> ContainerRuntime:
    """The runtime of that name. Raises LabError for `auto`, which the supply must settle first."""
    match name:
        case Runtime.CONTAINERD:
            return Containerd()
        case Runtime.CRI_DOCKERD:
            return CriDockerd()
        case Runtime.AUTO:
            raise LabError(
                "the container runtime `auto` must be settled by the supply before nodes are prepared"
            )


def _wait_for_socket(path: str, program: str) -> str:
    return f"""\
for _ in $(seq {PATIENCE_SECONDS * 5}); do [ -S {path} ] && break; sleep 0.2; done
[ -S {path} ] || {{ echo "{program} does not run: there is no {path}" >&2; exit 1; }}
"""


def _check_images(listing: str, images: tuple[str, ...]) -> str:
    if not images:
        return ""
    wanted = "\n".join(images)
    return f"""\
there=$({listing})
while read -r image; do
  case $'\\n'"$there"$'\\n' in *$'\\n'"$image"$'\\n'*) ;;
    *) echo "the box lacks the image $image; remove the box, then: lab box build" >&2; exit 1;;
  esac
done <<'END'
{wanted}
END
"""
