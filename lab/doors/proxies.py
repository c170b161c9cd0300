"""The proxies by which this host reaches the world, offered to what fetches things for a node.

That is its container runtime and apt, and nothing else: no shell, no pod and no traffic inside the lab.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass as plain_dataclass
from ipaddress import IPv4Address, IPv4Network
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pydantic.dataclasses import dataclass

from lab.doors.off_limits import HostNetwork, lans_of
from lab.doors.outside_rules import Link
from lab.foundation.redaction import without_logins
from lab.foundation.strict import STRICT
from lab.nodes.files import NodeFile, write_files
from lab.topology.models import Runtime
from lab.topology.plan import Plan

NEVER = ("localhost", "127.0.0.0/8", "::1", ".svc")
SERVICE = {Runtime.CONTAINERD: "containerd.service", Runtime.CRI_DOCKERD: "docker.service"}
ANSWERS = {Runtime.CONTAINERD: "ctr version", Runtime.CRI_DOCKERD: "docker version"}
APT = "/etc/apt/apt.conf.d/50-lab-proxy"
WAIT_SECONDS = 60
_SECRET_MODE = 0o600
"""A proxy's URL may have a password in it."""
_LIVES_ON = """[ "$(docker info --format '{{.LiveRestoreEnabled}}')" = true ]"""
_DOCKER_LIVES_ON = f"""\
config=/etc/docker/daemon.json
grep -q '"live-restore"' $config || sed -i '1a\\  "live-restore": true,' $config
kill -HUP "$(</run/docker.pid)"
for _ in $(seq {WAIT_SECONDS * 5}); do {_LIVES_ON} && break; sleep 0.2; done
{_LIVES_ON} || {{ echo "docker did not take live-restore: its containers would end" >&2; exit 1; }}
"""
"""Containers go on while dockerd starts again: https://docs.docker.com/engine/daemon/live-restore/."""


@dataclass(frozen=True, config=STRICT)
class Proxies:
    """URLs, empty where there is none, and hosts for which none is used, separated by commas."""

    http: str = ""
    https: str = ""
    exceptions: str = ""

    def __bool__(self) -> bool:
        return bool(self.http or self.https)

    @classmethod
    def of_host(cls, environment: Mapping[str, str] = os.environ) -> Proxies:
        """As curl reads them: names in small letters go before those in capitals.

        https://curl.se/docs/manpage.html#ENVIRONMENT
        """

        def value(name: str) -> str:
            return environment.get(name) or environment.get(name.upper()) or ""

        of_all = value("all_proxy")
        return cls(value("http_proxy") or of_all, value("https_proxy") or of_all, value("no_proxy"))

    @property
    def urls(self) -> tuple[str, ...]:
        """Each once, as they may be shown: without user and password."""
        return tuple(dict.fromkeys(without_logins(url) for url in (self.http, self.https) if url))


NO_PROXIES = Proxies()


@plain_dataclass(frozen=True)
class ProxyWay:
    """What the door lets nodes reach of this host and its LAN."""

    link: Link
    host: HostNetwork
    allow_host: bool
    allow_lan: bool
    resolve: Callable[[str], str] = socket.gethostbyname
    """Name to IPv4 address. Raises OSError when there is none."""


def for_nodes(found: Proxies, plan: Plan, way: ProxyWay) -> tuple[Proxies, tuple[str, ...]]:
    """The host's proxies as nodes reach them, and why not, for those that they do not reach.

    A proxy at the host's loopback is, for a node, at the lab's end of the link.
    """
    http, of_http = _reached(found.http, way)
    https, of_https = _reached(found.https, way)
    networks = (*(network.cidr for network in plan.networks), way.link.network)
    clusters = (plan.kubernetes.pod_cidr, plan.kubernetes.service_cidr)
    own = (*NEVER, f".{plan.kubernetes.dns_domain}", *(node.name for node in plan.nodes))
    exceptions = (*filter(None, found.exceptions.split(",")), *own, *map(str, (*networks, *clusters)))
    refused = tuple(dict.fromkeys(why for why in (of_http, of_https) if why))
    return Proxies(http, https, ",".join(dict.fromkeys(exceptions))), refused


def _reached(url: str, way: ProxyWay) -> tuple[str, str]:
    """The URL for nodes, and why there is none."""
    if not url:
        return "", ""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    address = _address(parts.hostname or "", way.resolve)
    if address is None:
        return urlunsplit(parts), ""
    shown = without_logins(urlunsplit(parts))
    if address.is_loopback or address in way.host.addresses:
        if not way.allow_host:
            return "", f"the proxy {shown} is on this host: nodes reach it with --allow-host"
        return urlunsplit(_at(parts, str(way.link.host))) if address.is_loopback else urlunsplit(parts), ""
    if not way.allow_lan and any(address in IPv4Network(lan) for lan in lans_of(way.host)):
        return "", f"the proxy {shown} has a private address: nodes reach it with --allow-lan"
    return urlunsplit(parts), ""


def _address(host: str, resolve: Callable[[str], str]) -> IPv4Address | None:
    with suppress(OSError, ValueError):
        return IPv4Address(resolve(host))
    return None


def _at(parts: SplitResult, host: str) -> SplitResult:
    login, at, _ = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port is not None else ""
    return parts._replace(netloc=f"{login}{at}{host}{port}")


def offered(proxies: Proxies, runtime: Runtime) -> str:
    """Bash lines for root of a node: its runtime, which starts again, and apt use them. Containers go on."""
    return (
        write_files((NodeFile(APT, _apt(proxies), _SECRET_MODE), _drop_in(proxies, runtime)))
        + _started_again(runtime)
        # Last: whoever finds it knows that all is done.
        + f"echo '# {_digest(proxies)}' >> {_path(runtime)}\n"
    )


def withdrawn(runtime: Runtime) -> str:
    """Bash lines for root of a node: nothing uses a proxy, as before."""
    return f"""\
rm -f {APT}
[ -e {_path(runtime)} ] || exit 0
rm {_path(runtime)}
{_started_again(runtime)}"""


def are_offered(proxies: Proxies, runtime: Runtime) -> str:
    """Bash lines that end with status 0 if just these are."""
    return f"grep -qsx '# {_digest(proxies)}' {_path(runtime)}\n"


def none_are_offered(runtime: Runtime) -> str:
    """A condition of bash: none are."""
    return f"[ ! -e {_path(runtime)} ]"


def _apt(proxies: Proxies) -> str:
    """https://manpages.debian.org/bookworm/apt/apt-transport-http.1.en.html"""
    urls = {"http": proxies.http, "https": proxies.https}
    return "".join(f'Acquire::{scheme}::Proxy "{url}";\n' for scheme, url in urls.items() if url)


def _drop_in(proxies: Proxies, runtime: Runtime) -> NodeFile:
    """https://www.freedesktop.org/software/systemd/man/systemd.exec.html#Environment="""
    variables = {"HTTP_PROXY": proxies.http, "HTTPS_PROXY": proxies.https, "NO_PROXY": proxies.exceptions}
    lines = [f'Environment="{name}={_for_systemd(value)}"\n' for name, value in variables.items() if value]
    return NodeFile(_path(runtime), "".join(["[Service]\n", *lines]), _SECRET_MODE)


def _path(runtime: Runtime) -> str:
    return f"/etc/systemd/system/{SERVICE[runtime]}.d/50-lab-proxy.conf"


def _for_systemd(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("%", "%%")


def _digest(proxies: Proxies) -> str:
    text = "\n".join((proxies.http, proxies.https, proxies.exceptions))
    return hashlib.sha256(text.encode()).hexdigest()


def _started_again(runtime: Runtime) -> str:
    service, answers = SERVICE[runtime], ANSWERS[runtime]
    return f"""\
{_DOCKER_LIVES_ON if runtime is Runtime.CRI_DOCKERD else ""}\
systemctl daemon-reload
systemctl restart {service}
for _ in $(seq {WAIT_SECONDS * 5}); do {answers} >/dev/null 2>&1 && break; sleep 0.2; done
{answers} >/dev/null || {{ echo "{service} did not start again" >&2; exit 1; }}
"""
