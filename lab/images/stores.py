"""The stores of images of the container runtimes, as bash lines for root on a node.

containerd could take an archive by itself. Under emulation it spends most of the time on digests and on
decompressing, for every layer and on every node. So the host puts the layers together, and the node writes
the files down where containerd would have written them: in a snapshot under the digest of all layers. An
image then is in the state in which the box has its own: unpacked, without the packed layers.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.foundation.image_names import ImageName
from lab.images.node_files import NodeImage, unpacked, whole
from lab.supply.own_images import OwnImage
from lab.topology.models import Runtime

NO_ROOM = 28
"""Exit status of a node that has no room for an image: ENOSPC, linux/errno-base.h."""
ROOM_LEFT_MIB = 256
"""What an image must leave of a node's disk; kubelet removes pods when little is left."""
RECORD_BYTES = 10240
RECORDS_PER_REPORT = 200
"""tar's own record; it reports after so many of them."""
_FETCH = "curl --silent --show-error --fail"


@dataclass(frozen=True)
class StoredImage:
    """A name in the store of a node."""

    name: str
    digest: str
    """Of what it names: the manifest with containerd, the configuration with docker."""
    size: str
    """As the runtime prints it; "" when it does not."""


class Store(Protocol):
    """One runtime's store of images."""

    def prepare(self, image: OwnImage, folder: Path) -> NodeImage:
        """What nodes fetch; files are made below `folder`, which is empty."""

    def take(self, image: NodeImage, urls: Mapping[str, str]) -> str:
        """Fetch the files of the image by HTTP, by what they are for, and take it; again at any time.

        Ends with NO_ROOM when the disk is too small. Prints `tar: N` for every N records that are written.
        """

    def listing(self) -> str:
        """Print the names in the store, for `parse`."""

    def parse(self, printed: str) -> tuple[StoredImage, ...]: ...

    def remove(self, name: ImageName) -> str:
        """Remove the name, and all of the image that nothing else needs; nothing where it is not there."""

    def name_of(self, name: ImageName) -> str:
        """As this store keeps it."""


@dataclass(frozen=True)
class ContainerdStore:
    """The namespace k8s.io of containerd, unpacked by the snapshotter overlayfs."""

    ctr: str = "ctr --namespace k8s.io"
    folder: str = "/var/lib/containerd"

    def prepare(self, image: OwnImage, folder: Path) -> NodeImage:
        return unpacked(image, folder)

    def take(self, image: NodeImage, urls: Mapping[str, str]) -> str:
        snapshots = f"{self.ctr} snapshots --snapshotter overlayfs"
        reference = "containerd.io/gc.ref.snapshot.overlayfs"
        unfinished = f"lab-{image.snapshot}"
        # Snapshots made by ctr are roots for the garbage collector, until the image holds this one.
        return f"""\
there=$({snapshots} list)
if ! grep --quiet '^{image.snapshot} ' <<<"$there"; then
{_require_room(self.folder, image.size)}\
  if grep --quiet '^{unfinished} ' <<<"$there"; then {snapshots} remove {unfinished}; fi
  files=$({snapshots} prepare --mounts {unfinished} | sed -n 's/.*"Source": *"\\([^"]*\\)".*/\\1/p')
  [ -d "$files" ]
  {_FETCH} {urls["root"]} | tar --extract --file - --directory "$files" \\
    --numeric-owner --preserve-permissions --delay-directory-restore --xattrs --xattrs-include='*' \\
    --checkpoint={RECORDS_PER_REPORT} --checkpoint-action=echo=%u 2>&1
  {snapshots} commit {image.snapshot} {unfinished}
fi
{_FETCH} {urls["description"]} | {self.ctr} images import --no-unpack - >/dev/null
{self.ctr} content label {image.digest} {reference}={image.snapshot} >/dev/null
{snapshots} label {image.snapshot} containerd.io/gc.root= >/dev/null
"""

    def listing(self) -> str:
        return f"{self.ctr} images list\n"

    def parse(self, printed: str) -> tuple[StoredImage, ...]:
        found = []
        for line in printed.splitlines()[1:]:
            # REF TYPE DIGEST SIZE (a number and its unit) PLATFORMS LABELS
            words = line.split()
            # The runtime's own names for images are their digests.
            if len(words) >= 5 and not words[0].startswith("sha256:"):
                found.append(StoredImage(words[0], words[2], f"{words[3]} {words[4]}"))
        return tuple(found)

    def remove(self, name: ImageName) -> str:
        wanted = shlex.quote(name.full)
        return f"""\
there=$({self.ctr} images list | tail -n +2)
target=$(awk -v name={wanted} '$1 == name {{ print $3 }}' <<<"$there")
[ -n "$target" ] || exit 0
others=$(awk -v name={wanted} -v target="$target" '$1 != name && $3 == target {{ print $1 }}' <<<"$there")
# Kubernetes gives each image its digest as a second name, which goes with the last other one.
if grep --quiet --invert-match '^sha256:' <<<"$others"; then others=; fi
{self.ctr} images remove --sync {wanted} $others >/dev/null
"""

    def name_of(self, name: ImageName) -> str:
        return name.full


@dataclass(frozen=True)
class DockerStore:
    """docker's own store, which cri-dockerd uses."""

    docker: str = "docker"
    folder: str = "/var/lib/docker"

    def prepare(self, image: OwnImage, folder: Path) -> NodeImage:
        return whole(image)

    def take(self, image: NodeImage, urls: Mapping[str, str]) -> str:
        return f"""\
if ! {self.docker} image inspect {image.digest} >/dev/null 2>&1; then
{_require_room(self.folder, image.size)}\
  {_FETCH} {urls["archive"]} | {self.docker} load --quiet >/dev/null
fi
{self.docker} tag {image.digest} {shlex.quote(image.name)}
"""

    def listing(self) -> str:
        shape = "{{.Repository}}:{{.Tag}}\\t{{.ID}}\\t{{.Size}}"
        return f"{self.docker} images --no-trunc --format '{shape}'\n"

    def parse(self, printed: str) -> tuple[StoredImage, ...]:
        rows = [line.split("\t") for line in printed.splitlines() if "<none>" not in line]
        return tuple(StoredImage(*row) for row in rows if len(row) == 3)

    def remove(self, name: ImageName) -> str:
        wanted = shlex.quote(name.familiar)
        return f"""\
{self.docker} image inspect {wanted} >/dev/null 2>&1 || exit 0
{self.docker} image rm {wanted} >/dev/null
"""

    def name_of(self, name: ImageName) -> str:
        return name.familiar


def store_of(runtime: Runtime) -> Store:
    """The store of a runtime that the supply has settled."""
    return DockerStore() if runtime is Runtime.CRI_DOCKERD else ContainerdStore()


def _require_room(folder: str, size: int) -> str:
    needed = size // 2**20 + ROOM_LEFT_MIB
    return f"""\
  free=$(df --output=avail --block-size=1M {folder} | tail -n 1)
  if [ "$free" -lt {needed} ]; then
    echo "it needs {needed} MiB below {folder}, of which {ROOM_LEFT_MIB} stay free; there are" $free >&2
    exit {NO_ROOM}
  fi
"""
