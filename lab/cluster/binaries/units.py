"""Units of systemd for the programs of Kubernetes and etcd: systemd.service(5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.cluster.tuning import Kind, Part, Settings
from lab.nodes.files import NodeFile

UNITS = "/etc/systemd/system"
PROGRAMS = "/usr/local/bin"


@dataclass(frozen=True)
class Unit:
    """A program that runs for as long as the node does."""

    name: str
    description: str
    program: str
    """Its path."""
    arguments: Mapping[str, str]
    """By their names, without the dashes."""
    settings: Settings
    after: tuple[str, ...] = ()
    """Units that start before it where both are to start."""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> NodeFile:
        """One argument a line, so that people can read it."""
        after = " ".join(("network-online.target", *(f"{unit}.service" for unit in self.after)))
        words = [self.program, *(f"--{name}={value}" for name, value in sorted(self.arguments.items()))]
        environment = "".join(f"Environment={name}={value}\n" for name, value in self.environment.items())
        weight = self.settings.of(Part.NODE, Kind.WEIGHT).get(f"{self.name}.service")
        return NodeFile(
            f"{UNITS}/{self.name}.service",
            f"""\
[Unit]
Description={self.description}
Wants=network-online.target
After={after}
StartLimitIntervalSec=0

[Service]
{environment}ExecStart={f" {chr(92)}{chr(10)}  ".join(words)}
Restart=always
RestartSec=5
LimitNOFILE=65536
{f"CPUWeight={weight}{chr(10)}" if weight else ""}\

[Install]
WantedBy=multi-user.target
""",
        )


def unit_of(
    part: Part, description: str, arguments: Mapping[str, str], settings: Settings, *after: str
) -> Unit:
    """The unit of a program out of an image, with what the settings say of it."""
    return Unit(
        name=part.value,
        description=description,
        program=f"{PROGRAMS}/{part.value}",
        arguments={**arguments, **settings.of(part, Kind.ARGUMENT)},
        settings=settings,
        after=after,
        environment=settings.of(part, Kind.ENVIRONMENT),
    )


def stop_unit(name: str) -> str:
    """Bash lines that kill a program at once and let it not start again, after a reboot neither."""
    return f"""\
systemctl --quiet disable {name}.service
systemctl kill --signal=KILL {name}.service || true
systemctl stop {name}.service
"""


def start_unit(name: str) -> str:
    """Bash lines; they end before the program works."""
    return f"systemctl --quiet enable {name}.service\nsystemctl start --no-block {name}.service\n"
