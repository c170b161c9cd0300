"""Questions asked from inside a network namespace, and their answers.

Each vantage (a pod, a node, the LAN host) runs `agnhost netexec`. Its /dial makes that very process send
the request, so the packets are the pod's own; the batch that gives the orders comes over ssh and needs none
of the network under test.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import quote, urlencode

from acceptance.shell import Command, Output

PING_SECONDS = 5
DIAL_SECONDS = 5  # agnhost's own limit for one request, HTTP and UDP
CURL_SECONDS = 15
CURL_TIMED_OUT = "28"
"""Its exit status. A netexec that looks up a name nobody resolves is silent for longer than curl waits."""
DIALLED = ("200", "400")
"""What netexec says once it has tried to dial; 400 where the host's name does not resolve."""


class Protocol(StrEnum):
    PING = "ping"
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True)
class Vantage:
    """Where questions are asked from."""

    key: str
    enter: str
    """Words that run a command in its network, as bash; empty for the machine itself."""
    netexec_port: int

    @property
    def file_name(self) -> str:
        """The key as a name of one file."""
        return quote(self.key, safe="")


@dataclass(frozen=True)
class Probe:
    """One question. `key` is unique within a vantage."""

    key: str
    protocol: Protocol
    host: str
    port: int = 0
    request: str = "clientip"
    url: str = ""
    """Fetched from the vantage's network directly, in place of a dial; any HTTP answer counts."""


class Outcome(StrEnum):
    """What came of a question. Silence says something of the target, a question that was not put does not."""

    ANSWERED = "answered"
    SILENT = "no answer"
    UNASKED = "not asked"


@dataclass(frozen=True)
class Answer:
    outcome: Outcome
    body: str = ""
    """What the target said: the source it saw, its host name, or an HTTP status."""
    error: str = ""
    """Why there was no answer, or why the question was not put."""
    tries: int = 1
    """How often the question was put until this came."""

    @staticmethod
    def heard(body: str = "") -> Answer:
        return Answer(Outcome.ANSWERED, body=body)

    @staticmethod
    def silence(why: str = "") -> Answer:
        return Answer(Outcome.SILENT, error=why)

    @staticmethod
    def unasked(why: str) -> Answer:
        return Answer(Outcome.UNASKED, error=why, tries=0)

    @property
    def answered(self) -> bool:
        return self.outcome is Outcome.ANSWERED

    @property
    def silent(self) -> bool:
        return self.outcome is Outcome.SILENT

    @property
    def asked(self) -> bool:
        return self.outcome is not Outcome.UNASKED

    def settles(self, must_answer: bool) -> bool:
        """Whether the question, which must be answered or not, need not be put again."""
        return self.asked and (self.answered or not must_answer)

    def after(self, earlier: Answer | None) -> Answer:
        """This one, to a question that was put before."""
        return self if earlier is None else replace(self, tries=earlier.tries + self.tries)

    @property
    def source(self) -> IPv4Address | None:
        """The source address the target saw, when it was asked for that."""
        try:
            return IPv4Address(self.body.rpartition(":")[0].removeprefix("[::ffff:").removesuffix("]"))
        except AddressValueError:
            return None


def probe_commands(vantage: Vantage, probes: Sequence[Probe]) -> tuple[Command, ...]:
    """Commands for one vantage: one that sends all pings at once, and a curl that sends everything else."""
    commands: list[Command] = []
    if pinged := _pinged(probes):
        commands.append(Command(f"{vantage.key} pings", _pings(vantage, pinged)))
    if fetched := _fetched(probes):
        commands.append(Command(f"{vantage.key} requests", _curl(vantage, fetched)))
    return tuple(commands)


def read_answers(
    vantage: Vantage, probes: Sequence[Probe], outputs: Mapping[str, Output]
) -> dict[str, Answer]:
    """The answers by probe key, from the outputs of the commands made for the same probes."""
    answers: dict[str, Answer] = {}
    if pinged := _pinged(probes):
        output = outputs[f"{vantage.key} pings"]
        said = _numbered_lines(output)
        for index, probe in enumerate(pinged):
            answers[probe.key] = _ping_answer(said.get(f"ping-{index}", ""), output)
    if fetched := _fetched(probes):
        output = outputs[f"{vantage.key} requests"]
        said = _numbered_lines(output)
        for index, probe in enumerate(fetched):
            status, body = said.get(f"status-{index}", ""), said.get(f"body-{index}", "")
            answers[probe.key] = _answer(probe, status, body, output)
    return answers


def _numbered_lines(output: Output) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in output.stdout.splitlines() if " " in line)


def _pinged(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    return tuple(probe for probe in probes if probe.protocol is Protocol.PING)


def _pings(vantage: Vantage, probes: Sequence[Probe]) -> str:
    """All pings of a vantage; prints `ping-N EXIT-STATUS ERROR` for each."""
    # Inside one shell in the vantage's network: starting a process is what costs under emulation.
    folder = f"pings-{vantage.file_name}"
    ping = f'ping -n -q -c 1 -w {PING_SECONDS} "$2" >/dev/null 2>"{folder}/$1"'
    return "\n".join(
        (
            f"mkdir {folder}",
            f"{vantage.enter} bash <<'PINGS'",
            "one() {",
            f'  {ping}; status=$?; error=; read -r error <"{folder}/$1"; echo "ping-$1 $status $error"',
            "}",
            *(f"one {index} {shlex.quote(probe.host)} &" for index, probe in enumerate(probes)),
            "wait",
            "PINGS",
        )
    )


def _fetched(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    return tuple(probe for probe in probes if probe.protocol is not Protocol.PING)


def _curl(vantage: Vantage, probes: Sequence[Probe]) -> str:
    """One curl for all probes; each prints `status-N HTTP-CODE EXIT-STATUS ERROR`, `body-N FIRST-LINE`."""
    folder = f"requests-{vantage.file_name}"
    config = [
        f"silent\ninsecure\nmax-time = {CURL_SECONDS}",
        'write-out = "status-%{urlnum} %{http_code} %{exitcode} %{errormsg}\\n"',
    ]
    for index, probe in enumerate(probes):
        config.append(f'url = "{probe.url or _dial_url(vantage, probe)}"\noutput = "{folder}/{index}"')
    return (
        f"mkdir {folder}\n"
        f"{vantage.enter} curl --parallel --parallel-immediate --parallel-max 100 -K - <<'CONFIG'\n"
        + "\n".join(config)
        + "\nCONFIG\n"
        f"for index in {{0..{len(probes) - 1}}}; do\n"
        f'  line=; read -r line 2>/dev/null <"{folder}/$index"; echo "body-$index $line"\n'
        "done"
    )


def _dial_url(vantage: Vantage, probe: Probe) -> str:
    query = urlencode(
        {
            "host": probe.host,
            "port": probe.port,
            "protocol": "udp" if probe.protocol is Protocol.UDP else "http",
            "request": probe.request,
            "tries": 1,
        }
    )
    return f"http://127.0.0.1:{vantage.netexec_port}/dial?{query}"


def _ping_answer(line: str, output: Output) -> Answer:
    """From `EXIT-STATUS ERROR` of ping(8): 0 answered, 1 no reply, 2 another error, such as no route."""
    status, _, error = line.partition(" ")
    if status == "0":
        return Answer.heard()
    if status in ("1", "2"):
        return Answer.silence(error or f"no reply within {PING_SECONDS} s")
    return Answer.unasked(f"ping did not run: {error or output.reason}")


def _answer(probe: Probe, status: str, body: str, output: Output) -> Answer:
    """From `HTTP-CODE EXIT-STATUS ERROR` of curl(1); the code is 000 where there was no HTTP answer."""
    code, _, failed = status.partition(" ")
    exit_status, _, error = failed.partition(" ")
    if not code:
        return Answer.unasked(f"curl did not run: {output.reason}")
    if code != "000":
        return Answer.heard(code) if probe.url else _dialled(code, body)
    if probe.url or exit_status == CURL_TIMED_OUT:
        return Answer.silence(error)
    return Answer.unasked(f"the sender's own netexec does not answer: {error}")


def _dialled(code: str, body: str) -> Answer:
    """From what the sender's netexec says of its dial."""
    if code not in DIALLED:
        return Answer.unasked(f"the sender's own netexec says HTTP {code}: {body}")
    if not body:
        return Answer.unasked(f"the sender's own netexec says HTTP {code}, and nothing of the target")
    try:
        dialled = json.loads(body)
    except json.JSONDecodeError:
        return Answer.silence(body)
    if responses := dialled.get("responses"):
        return Answer.heard(responses[0])
    return Answer.silence(" ".join(dialled.get("errors", ["no answer"])))
