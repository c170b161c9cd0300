"""Children that leave nothing behind: in mount and PID namespaces of their own that end with this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.process import Completed, run
from lab.supply.box.inputs import RECIPE


def run_enclosed(
    command: Sequence[str | os.PathLike[str]],
    *,
    network: bool,
    log: Path,
    timeout: float,
    on_line: Callable[[str], None] | None = None,
) -> Completed:
    """Run `command` as root in new mount and PID namespaces, without `network` in a network namespace too.

    When this process dies, by whatever signal, the kernel ends the children and removes their mounts.
    Raises LabError when this is not root, ProcessFailedError when the command fails.
    """
    if os.geteuid() != 0:
        raise LabError("building a box needs root", resolution="run the command again with sudo")
    own_network = () if network else ("--net",)
    return run(
        (
            *("setpriv", "--pdeathsig", "KILL"),
            *("unshare", "--mount", "--pid", *own_network, "--fork", "--kill-child=KILL", "--mount-proc"),
            *command,
        ),
        timeout=timeout,
        on_line=on_line,
        log=log,
    )


def run_in_root(
    root: Path,
    script: str,
    *,
    log: Path,
    timeout: float,
    archives: Sequence[Path] = (),
    on_line: Callable[[str], None] | None = None,
    recipe: Path = RECIPE,
) -> Completed:
    """Run a script of the recipe with `root` as its root directory, without a network.

    It sees archive number N as /run/images/N.tar.
    """
    listing = root.parent / "archives"
    listing.write_text("".join(f"{archive.absolute()}\n" for archive in archives))
    command = (recipe / "in-root.sh", root, listing, f"/run/recipe/{script}")
    return run_enclosed(command, network=False, log=log, timeout=timeout, on_line=on_line)
