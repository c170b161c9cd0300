"""Who has an address: asked for real, of two at once, between namespaces."""

from __future__ import annotations

import subprocess
import sys

from lab.drills import arp_asker
from tests.lan_with_two_of_one_address import MACS, POD, lan

__all__ = ["lan"]

NEIGHBOUR = "02:00:00:00:00:99"


def test_both_are_told_and_the_kernel_learns_nothing(lan: int) -> None:
    enter = ["nsenter", "-t", str(lan), "-n"]
    known = ["ip", "neighbour", "replace", str(POD), "dev", "br0", "lladdr", NEIGHBOUR, "nud", "reachable"]
    subprocess.run([*enter, *known], check=True)
    # The kernel keeps what it has learnt for a second, whatever it hears.
    ask = [*enter, sys.executable, "-I", "-S", arp_asker.__file__, "br0", str(POD)]
    asked = subprocess.run(ask, input="\n" * 4, capture_output=True, text=True, check=True)
    assert asked.stdout.splitlines() == [" ".join(sorted(MACS))] * 4
    show = [*enter, "ip", "neighbour", "show", str(POD)]
    shown = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert NEIGHBOUR in shown
