"""Who answers ARP requests on the underlay: asked from the LAN host, answers from everybody who gives one.

The kernel keeps one answer and forgets the others; so the requests are made here, frame by frame.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from acceptance.problems import Problem, SuiteError
from acceptance.shell import Command, Output, Shell, run_batch

KEY = "arp"
SECONDS = 4.0
"""How long answers are waited for; the requests are repeated every second."""

ArpAnswers = Mapping[IPv4Address, frozenset[str]]
"""The MAC addresses that answered, by the address that was asked for."""

# RFC 826: hardware Ethernet, protocol IPv4, operation 1 asks and 2 answers.
_PROGRAM = """
import fcntl, socket, struct, sys, time

own, seconds, targets = socket.inet_aton(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]


def address_of(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = struct.pack("256s", name.encode())
        try:
            return fcntl.ioctl(asking, 0x8915, request)[20:24]  # SIOCGIFADDR
        except OSError:
            return None


device = next(name for _, name in socket.if_nameindex() if address_of(name) == own)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
wire.bind((device, 0x0806))
mac = wire.getsockname()[4]
end, again = time.monotonic() + seconds, 0.0
while (now := time.monotonic()) < end:
    if now >= again:
        again = now + 1.0
        for target in targets:
            head = struct.pack("!6s6sHHHBBH", b"\\xff" * 6, mac, 0x0806, 1, 0x0800, 6, 4, 1)
            wire.send(head + mac + own + bytes(6) + socket.inet_aton(target))
    wire.settimeout(max(0.01, min(again, end) - time.monotonic()))
    try:
        frame = wire.recv(128)
    except TimeoutError:
        continue
    if frame[20:22] == b"\\x00\\x02" and frame[38:42] == own:
        print(socket.inet_ntoa(frame[28:32]), frame[22:28].hex(":"))
"""


@dataclass(frozen=True)
class ArpQuestion:
    """What is asked by the machine with the address `own`; `enter` are the words that run a command there."""

    enter: tuple[str, ...]
    own: IPv4Address
    targets: tuple[IPv4Address, ...]

    def ask(self, shell: Shell) -> ArpAnswers | Problem:
        """Ask from `shell`; a target that nobody answers for is there with no MAC address."""
        try:
            output = run_batch(shell, [self.command])[KEY]
        except SuiteError as error:
            return Problem(str(error))
        return self.read(output)

    @property
    def command(self) -> Command:
        words = [*self.enter, sys.executable, "-", str(self.own), str(SECONDS), *map(str, self.targets)]
        return Command(KEY, f"{shlex.join(words)} <<'PROGRAM'\n{_PROGRAM}\nPROGRAM")

    def read(self, output: Output) -> ArpAnswers | Problem:
        """From the output of `command`."""
        if output.status != 0:
            return Problem(output.reason)
        found: dict[IPv4Address, set[str]] = {target: set() for target in self.targets}
        for line in output.stdout.splitlines():
            address, _, mac = line.partition(" ")
            found.setdefault(IPv4Address(address), set()).add(mac)
        return {address: frozenset(macs) for address, macs in found.items()}
