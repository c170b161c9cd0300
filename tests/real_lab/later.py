"""`python -m tests.real_lab.later DAYS WORDS...`: `lab` on a host whose labs get a time that lies DAYS ahead.

Only the nodes do: the host's own clock, by which `lab` makes and checks certificates, is the right one.
"""

from __future__ import annotations

import sys
import time

from lab.cli.main import main

DAY = 24 * 60 * 60 * 10**9
"""Nanoseconds."""


def let_nodes_be_ahead(days: int) -> None:
    """From now on in this process."""
    right = time.time_ns
    time.time_ns = lambda: right() + days * DAY


if __name__ == "__main__":
    let_nodes_be_ahead(int(sys.argv[1]))
    sys.argv = ["lab", *sys.argv[2:]]
    main()
