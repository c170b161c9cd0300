"""The programs, out of the images that every node has anyway: no supply has to bring anything else."""

from __future__ import annotations

from collections.abc import Mapping

from lab.cluster.binaries.units import PROGRAMS
from lab.cluster.binaries.work import Installation, Work, hosts_control_plane
from lab.cluster.tuning import Part
from lab.topology.plan import NodePlan

OF_EVERY_NODE: Mapping[str, tuple[str, ...]] = {"kube-proxy": ("kube-proxy",)}
OF_CONTROL_PLANES: Mapping[str, tuple[str, ...]] = {
    Part.ETCD: (Part.ETCD, "etcdctl"),
    Part.API_SERVER: (Part.API_SERVER,),
    Part.CONTROLLER_MANAGER: (Part.CONTROLLER_MANAGER,),
    Part.SCHEDULER: (Part.SCHEDULER,),
}
"""By the name of an image, the programs in it; the makers' images have them in the same folder as ours."""


def programs_of(node: NodePlan) -> Mapping[str, tuple[str, ...]]:
    """By image, what the node needs beside kubelet, which is in the box."""
    return {**(OF_CONTROL_PLANES if hosts_control_plane(node) else {}), **OF_EVERY_NODE}


def programs(of: Installation, node: NodePlan) -> Work:
    """A program takes no room: it is a hard link to the file in the image's layer, where that can be."""
    wanted = programs_of(node)
    taken = "".join(f"take {of.image(image)} {' '.join(names)}\n" for image, names in wanted.items())
    paths = [f"{PROGRAMS}/{name}" for names in wanted.values() for name in names]
    start = f"""\
layers() {{
{of.membership.runtime.print_layers('"$1"')}\
}}
take() {{
  image=$1 folders=$(layers "$1")
  shift
  for program; do
    found=
    for folder in $folders; do
      if [ -z "$found" ] && [ -f "$folder{PROGRAMS}/$program" ]; then found=$folder{PROGRAMS}/$program; fi
    done
    [ -n "$found" ] || {{ echo "the image $image has no {PROGRAMS}/$program" >&2; exit 1; }}
    ln --force "$found" {PROGRAMS}/ 2>/dev/null || cp --force "$found" {PROGRAMS}/
  done
}}
{taken}"""
    return Work(files=(), start=start, check=tuple(f"[ -x {path} ]" for path in paths))
