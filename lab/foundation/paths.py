"""Where things lie on the host."""

from __future__ import annotations

import os
import pwd
import shlex
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.plain_paths import odd_letters, plain_path

_HIDDEN = tuple(
    map(Path, ("/run", "/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"))
)
"""What the namespaces of a lab have private folders for: lab/host/init.py."""
_MOUNT_OPTIONS = (
    (os.ST_NOEXEC, "noexec", "labs run programs from there"),
    (os.ST_RDONLY, "ro", "labs write there"),
)
_PACKAGE = Path(__file__).resolve().parents[1]
_IN_A_WHEEL = _PACKAGE / "shipped"


def shipped(name: str) -> Path:
    """A file or folder of the project outside of this package, such as `topologies` or `acceptance`.

    In a checkout it lies beside the package; a wheel has it in the package (pyproject.toml).
    """
    return (_IN_A_WHEEL if _IN_A_WHEEL.is_dir() else _PACKAGE.parent) / name


def cache_root() -> Path:
    """The software cache shared by all labs: LAB_CACHE, or `lab` in the XDG cache folder.

    Raises LabError when neither is set and the user has no home.
    """
    return _root("LAB_CACHE", "XDG_CACHE_HOME", ".cache")


def labs_root() -> Path:
    """The folder that holds one folder per lab: `labs` in LAB_HOME, or in `lab` in the XDG data folder.

    Raises LabError when neither is set and the user has no home.
    """
    return _root("LAB_HOME", "XDG_DATA_HOME", ".local/share") / "labs"


def _root(own: str, xdg: str, default: str) -> Path:
    if named := os.environ.get(own):
        root = Path(named).absolute()
    else:
        base = Path(os.environ.get(xdg, ""))
        # A relative one is to be ignored: https://specifications.freedesktop.org/basedir-spec/latest/.
        root = (base if base.is_absolute() else _home(own) / default) / "lab"
    _require_usable(root, own)
    return _plain(root, own) if odd_letters(root) else root


def _home(own: str) -> Path:
    """The user's home folder, whether HOME says so or not."""
    named = Path(os.environ.get("HOME", ""))
    if named.is_absolute():
        return named
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError as error:
        raise LabError("this user has no home folder", resolution=f"name a folder in {own}") from error


def _plain(root: Path, own: str) -> Path:
    """Another path of the folder. Raises WrongUseError when it cannot be made."""
    try:
        return plain_path(root)
    except OSError as error:
        odd = " ".join(map(repr, odd_letters(root)))
        raise WrongUseError(
            f"no lab can be in the folder {root}",
            details=f"ssh, libvirt, Vagrant, kubectl or skopeo does not take {odd} in the path of a file,"
            f" and another path of it cannot be made: {error.strerror}: {error.filename}",
            resolution=f"run the same command as root, or name another folder in {own}: {own}=/srv/lab,"
            f" which may be a mount of it: mount --bind {shlex.quote(str(root))} /srv/lab",
        ) from error


def _require_usable(root: Path, own: str) -> None:
    """Raises WrongUseError for a folder in which no lab works, with the reason."""
    resolved = root.resolve()
    resolution = f"name another folder in {own}: {own}=/srv/lab"
    for hidden in _HIDDEN:
        if resolved.is_relative_to(hidden):
            raise WrongUseError(
                f"no lab can be in the folder {root}",
                details=f"each lab has a {hidden} of its own, which hides the host's",
                resolution=resolution,
            )

    there = next(folder for folder in (resolved, *resolved.parents) if folder.exists())
    flags = os.statvfs(there).f_flag
    for flag, option, why in _MOUNT_OPTIONS:
        if flags & flag:
            raise WrongUseError(
                f"no lab can be in the folder {root}",
                details=f"it is mounted {option} (see `findmnt -T {there}`): {why}",
                resolution=resolution,
            )


@dataclass(frozen=True)
class LabFolder:
    """The folder of one lab. Everything a lab owns on disk lies in it and goes with it."""

    root: Path

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def topology(self) -> Path:
        """The topology as it was when the lab was made."""
        return self.root / "topology.yaml"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def faults(self) -> Path:
        """The faults that were put into the lab and not taken out again."""
        return self.root / "faults.json"

    @property
    def exercise(self) -> Path:
        """The exercise that runs in the lab."""
        return self.root / "exercise.json"

    @property
    def lock(self) -> Path:
        return self.root.parent / f".{self.name}.lock"

    @property
    def vagrantfile(self) -> Path:
        return self.root / "Vagrantfile"

    @property
    def host(self) -> Path:
        """Private folders of the lab's libvirtd (etc, run, lib, cache, log)."""
        return self.root / "host"

    @property
    def snapshots(self) -> Path:
        """Memory of the machines, a folder for each snapshot."""
        return self.root / "snapshots"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def log(self) -> Path:
        """What the commands of this program did to this lab."""
        return self.logs / "lab.log"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def host_kubeconfig(self) -> Path:
        """For programs outside of the lab's network, through a port of the host."""
        return self.root / "kubeconfig.host"

    @property
    def forwards(self) -> Path:
        """A record of each port of the host that is forwarded into the lab."""
        return self.root / "forwards"

    @property
    def outside(self) -> Path:
        """What was asked of the door out, while it is open."""
        return self.root / "outside.json"

    @property
    def pull_through(self) -> Path:
        """How pull-through was opened, while it is open."""
        return self.root / "pull-through.json"

    @property
    def real_lan(self) -> Path:
        """Which device of the host is a port of the underlay, while one is."""
        return self.root / "real-lan.json"

    @property
    def secrets(self) -> Path:
        """Join token, certificate key; mode 0600."""
        return self.root / "secrets.json"

    @property
    def ssh_config(self) -> Path:
        return self.root / "ssh_config"

    @property
    def shared_connections(self) -> Path:
        """Ansible's connections to the nodes."""
        return self.root / "cp"

    @property
    def programs(self) -> Path:
        """Links to the programs of the lab's own version: kubectl."""
        return self.root / "bin"

    @property
    def key(self) -> Path:
        """The key that lets root and vagrant in on the nodes; the lab's own, mode 0600."""
        return self.root / "keys" / "id_ecdsa"

    @property
    def known_hosts(self) -> Path:
        """The nodes' host keys; written when the nodes have them."""
        return self.root / "keys" / "known_hosts"
