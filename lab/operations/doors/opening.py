"""A Service of a lab in the browser of the host."""

from __future__ import annotations

import os
import shutil

from lab.foundation.errors import WrongUseError
from lab.foundation.progress import Progress
from lab.host.daemon import start_daemon
from lab.operations.context import Lab
from lab.operations.doors.forward_targets import target_named
from lab.operations.doors.forwarding import LOG, forwarded
from lab.operations.named import SERVICE
from lab.operations.packets.cluster_places import scheme_of_service

OPENER = "xdg-open"
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def open_service(lab: Lab, name: str) -> str:
    """The URL of a port of the loopback that is forwarded to the Service in the background.

    `name` is [NAMESPACE/]NAME[:PORT]. Raises WrongUseError when there is no such Service.
    """
    wanted = f"{SERVICE}{name.removeprefix(SERVICE)}"
    target = target_named(lab, wanted)
    if not target.name.startswith(SERVICE):
        raise WrongUseError(f"{name} is no Service", resolution="name one: [NAMESPACE/]NAME[:PORT]")
    forward = forwarded(lab, str(target))
    scheme = scheme_of_service(lab, target.name.removeprefix(SERVICE), target.port)
    return f"{scheme}://localhost:{forward.port}/"


def show_in_browser(lab: Lab, url: str, progress: Progress) -> None:
    """Let the desktop's own browser open the URL, as the user who called sudo; without a desktop, nothing."""
    program = shutil.which(OPENER)
    if program is None or not any(os.environ.get(display) for display in DISPLAYS):
        progress.note("there is no desktop with a browser here: open the URL in one, or fetch it with curl")
        return
    user = os.environ.get("SUDO_USER", "")
    as_user = ("runuser", "-u", user, "--") if os.geteuid() == 0 and user else ()
    start_daemon([*as_user, program, url], lab.folder.logs / LOG, env=os.environ)
