"""What one step does on one node: files, what is started, and how its own check asks whether it works."""

from __future__ import annotations

from dataclasses import dataclass

from lab.cluster.kubeadm import Membership
from lab.nodes.connection import Script
from lab.nodes.files import NodeFile, write_files
from lab.supply.software import image_name
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan, Plan

LIMIT_SECONDS = 600
"""How long a program may take to work; an idle machine without KVM needs about a tenth of it."""

SAID = "/run/lab-check"
"""Where a check's last answer lies."""


@dataclass(frozen=True)
class Installation:
    """What the programs of one cluster are told."""

    plan: Plan
    membership: Membership
    images: tuple[str, ...]
    """References of the images that all nodes have."""

    def image(self, name: str) -> str:
        """The reference of the image with that last path component. Raises StopIteration for none."""
        return next(reference for reference in self.images if image_name(reference) == name)


@dataclass(frozen=True)
class Work:
    """May be done again at any time."""

    files: tuple[NodeFile, ...]
    check: tuple[str, ...]
    """Commands that all end well when it works."""
    start: str = ""
    """Bash lines for after the files are written."""
    units: tuple[str, ...] = ()
    """What is started, without `.service`."""

    def script(self, name: str) -> Script:
        """Do it, and wait until the check is content. Fails with the end of the units' logs."""
        started = self._start_units() if self.units else f"{self.well}\n"
        return Script(write_files(self.files) + self.start + started, name)

    def check_script(self, name: str) -> Script:
        """The check alone."""
        return Script(f"{self.well}\n", name)

    @property
    def well(self) -> str:
        """The check as one command of bash."""
        return " && \\\n".join(self.check)

    def _start_units(self) -> str:
        units = " ".join(self.units)
        logs = "".join(f"  journalctl --no-pager --lines=20 --unit={unit} >&2\n" for unit in self.units)
        return f"""\
systemctl daemon-reload
systemctl --quiet enable {units}
systemctl restart {units}
well() {{
{self.well}
}}
end=$((SECONDS + {LIMIT_SECONDS}))
until well > {SAID} 2>&1; do
  if [ $SECONDS -lt $end ]; then sleep 0.5; continue; fi
{logs}  echo "{units}: not well after {LIMIT_SECONDS} s:" >&2
  cat {SAID} >&2
  exit 1
done
"""


def hosts_control_plane(node: NodePlan) -> bool:
    return node.role is NodeRole.CONTROL_PLANE
