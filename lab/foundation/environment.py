"""What child processes get of the user's environment: the one place that decides it.

A lab works in the same way in every shell, so programs get named variables and not all there are: one of
VAGRANT_*, RUBY*, GEM_*, PYTEST_* or PYTHON* changes what a program does, and a proxy leads out of the lab.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_OF_THE_USER = (
    *("HOME", "USER", "LOGNAME", "SHELL", "SUDO_UID", "SUDO_GID", "TMPDIR", "TZ"),
    *("TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK"),
)
_OF_THE_PROJECT = "LAB_"
_OF_DOWNLOADS = (
    # Go's, https://go.dev/ref/mod#environment-variables; who builds sets those that change what is built.
    *("GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOVCS", "NETRC"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"),
    *("REGISTRY_AUTH_FILE", "DOCKER_CONFIG"),
)
_FOLDERS = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
_NEAR = 3
"""Processes above this one in which sudo is looked for: sudo may run a shell that runs `lab`."""
_PROXY = "_proxy"
"""The end of the names of all variables that name a proxy, or exceptions to it; in capitals too."""
_LANGUAGE = {"LC_ALL": "C.UTF-8"}
"""What programs print is read, and files are read and written, in UTF-8 and English."""
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where Debian has libvirtd, iptables and mkfs; `su` without `-` leaves them out of PATH."""


def search_path() -> str:
    """PATH with the system's folders, which come last where the user has left them out."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*folders, *(each for each in _SYSTEM_FOLDERS if each not in folders)])


def for_programs(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """For a program that may reach out of the host, by the proxies that the user has named."""
    names = {*_OF_THE_USER, *_OF_DOWNLOADS}
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in names or name.startswith(_OF_THE_PROJECT) or _is_proxy(name)
    }
    return {**passed, **_LANGUAGE, "PATH": search_path(), **(more or {})}


def inside_a_lab(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """For a program that talks inside a lab, where no proxy is."""
    return _without_proxies(for_programs(more))


def of_the_user(more: Mapping[str, str]) -> dict[str, str]:
    """For a program of the user's own inside a lab, such as a shell: all there is, without proxies."""
    return _without_proxies({**os.environ, "PATH": search_path(), **more})


def lost_to_sudo(processes: Path = Path("/proc")) -> tuple[str, ...]:
    """What the user set for `lab`, and sudo, which began it, has not passed on; empty without sudo.

    sudo itself still has it: proc_pid_environ(5).
    """
    names = {*_OF_DOWNLOADS, *_FOLDERS}
    return tuple(
        sorted(
            name
            for name in _names_of_sudo(processes) - set(os.environ)
            if name in names or name.startswith(_OF_THE_PROJECT) or _is_proxy(name)
        )
    )


def _names_of_sudo(processes: Path) -> frozenset[str]:
    """Of the environment of the sudo that is nearest above this process."""
    parent = os.getppid()
    try:
        for _ in range(_NEAR):
            if (processes / str(parent) / "comm").read_text(encoding="utf-8") == "sudo\n":
                variables = (processes / str(parent) / "environ").read_bytes().split(b"\0")
                return frozenset(os.fsdecode(each.partition(b"=")[0]) for each in variables)
            # The name of the program stands in parentheses, and may have any characters: proc_pid_stat(5).
            after_name = (processes / str(parent) / "stat").read_text(encoding="utf-8").rpartition(")")[2]
            parent = int(after_name.split()[1])
    except OSError:
        pass  # it ended, or this is not root
    return frozenset()


def _without_proxies(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not _is_proxy(name)}


def _is_proxy(name: str) -> bool:
    return name.lower().endswith(_PROXY)
