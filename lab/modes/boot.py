"""What a mode does on a node by commands: a program that runs now, and before kubelet at every boot."""

from __future__ import annotations

from dataclasses import dataclass

from lab.nodes.files import NodeFile


@dataclass(frozen=True)
class BootProgram:
    """A bash program; it may run again at any time."""

    name: str
    description: str
    text: str

    @property
    def files(self) -> tuple[NodeFile, NodeFile]:
        path = f"/usr/local/sbin/{self.name}"
        unit = f"""\
[Unit]
Description={self.description}
After=systemd-networkd.service
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={path}

[Install]
WantedBy=multi-user.target
"""
        return NodeFile(path, self.text, 0o755), NodeFile(f"/etc/systemd/system/{self.name}.service", unit)

    @property
    def start(self) -> str:
        """Bash lines that run it, once its files are there."""
        return f"systemctl daemon-reload\nsystemctl enable --now {self.name}.service\n"
