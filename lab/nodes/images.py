"""Images that the box does without, brought to all nodes at once.

By HTTP from this host, on the lab's own network: scp spends ten times as long on encryption, under emulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.foundation.progress import StepContext
from lab.nodes.connection import Script
from lab.nodes.file_server import serve_files
from lab.nodes.pool import Nodes
from lab.nodes.runtimes import ContainerRuntime
from lab.topology.plan import NodePlan


def bring_images(
    nodes: Nodes, runtime: ContainerRuntime, archives: Mapping[str, Path], at: StepContext
) -> None:
    """Import docker-archives, by the reference of the image in them, into every node's store.

    Raises LabError when a node cannot take one.
    """
    host = nodes.plan.uplink.host_address.ip
    files = {str(number): path for number, path in enumerate(archives.values())}
    with serve_files(nodes.site, str(host), files) as port:
        for number, reference in enumerate(archives):
            at.doing(reference)
            at.advance(number, len(archives))
            lines = runtime.import_image(f"http://{host}:{port}/{number}")
            _run(nodes, Script(lines, f"import the image {reference}"))
    _run(nodes, Script(runtime.require_images(tuple(archives)), "look for the imported images"))


def have_images(nodes: Nodes, runtime: ContainerRuntime, references: tuple[str, ...]) -> bool:
    """True when every node has all of these images."""
    script = Script(runtime.require_images(references), "look for images")

    def has(node: NodePlan) -> bool:
        return nodes[node.name].run(script, check=False).status == 0

    return all(nodes.on_each(nodes.plan.nodes, has).values())


def _run(nodes: Nodes, script: Script) -> None:
    nodes.on_each(nodes.plan.nodes, lambda node: nodes[node.name].run(script))
