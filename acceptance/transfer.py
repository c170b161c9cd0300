"""100 MB from a pod to a pod of another node, and whether all of it arrives as it was sent."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from acceptance.problems import Problem
from acceptance.shell import Command, Output

MEGABYTES = 100
PORT = 18090
BLOCK = 65536
"""Bytes that socat reads and writes at once."""
SECONDS = 120
"""How long one side waits for the other, and for all bytes."""


@dataclass(frozen=True)
class Transfer:
    """One transfer. The digests are MD5, in hexadecimal."""

    sender: str
    receiver: str
    sent: str
    received: str
    seconds: float

    @property
    def intact(self) -> bool:
        return self.sent == self.received

    @property
    def megabytes_per_second(self) -> float:
        return MEGABYTES / self.seconds if self.seconds else 0.0


def receive_command(enter: str) -> Command:
    """For the receiver's node: prints the digest of what came."""
    listen = f"socat -u -b {BLOCK} TCP-LISTEN:{PORT},reuseaddr,accept-timeout={SECONDS} -"
    return Command("receive", f"set -o pipefail; timeout {SECONDS} {enter} {listen} | md5sum")


def send_command(enter: str, receiver: IPv4Address) -> Command:
    """For the sender's node: prints the digest of what is sent and how many microseconds it took.

    The digest is made while the data is on its way.
    """
    tries = f"retry={SECONDS * 2},interval=0.5"
    return Command(
        "send",
        f"""
set -o pipefail
head -c 1000000 /dev/urandom >block || exit 1
content() {{ cat $(printf 'block %.0s' {{1..{MEGABYTES}}}); }}
content | md5sum >digest & hashing=$!
started=${{EPOCHREALTIME/./}}
content | timeout {SECONDS} {enter} socat -u -b {BLOCK} - TCP:{receiver}:{PORT},{tries} || exit 1
took=$(( ${{EPOCHREALTIME/./}} - started ))
wait $hashing && cat digest || exit 1
echo "took $took"
""",
    )


def read_transfer(sender: str, receiver: str, sent: Output, received: Output) -> Transfer | Problem:
    """From what the two commands printed."""
    for who, output in ((sender, sent), (receiver, received)):
        if output.status == 124:
            return Problem(f"{MEGABYTES} MB from {sender} to {receiver}: not done after {SECONDS} s")
        if output.status != 0:
            return Problem(f"{MEGABYTES} MB from {sender} to {receiver}: on {who}: {output.reason}")
    digest, _, took = sent.stdout.strip().rpartition("\n")
    return Transfer(
        sender, receiver, digest.split()[0], received.stdout.split()[0], int(took.split()[1]) / 1e6
    )
