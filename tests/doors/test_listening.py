"""Ports of this host: taken at all addresses or at none, and who has them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lab.doors import listening
from lab.doors.listening import PortTakenError, listen
from lab.doors.port_holder import holder_of
from lab.doors.spec import LOOPBACKS, ForwardSpec
from lab.foundation.errors import LabError


def test_both_loopbacks_have_one_free_port() -> None:
    doors = listen(ForwardSpec(LOOPBACKS, 0, "api"))
    try:
        assert [door.getsockname()[0] for door in doors] == list(LOOPBACKS)
        assert len({door.getsockname()[1] for door in doors}) == 1
    finally:
        for door in doors:
            door.close()


@pytest.mark.parametrize(("taken", "other"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_a_port_that_is_taken_is_refused_and_nothing_listens(taken: str, other: str) -> None:
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.create_server((taken, 0), family=family) as door:
        port = door.getsockname()[1]
        with pytest.raises(PortTakenError, match="is taken") as refused:
            listen(ForwardSpec(LOOPBACKS, port, "api"))
        assert refused.value.holder is not None
        assert refused.value.holder.pid == os.getpid()
        assert f"(process {os.getpid()}) listens there" in str(refused.value)
        (free,) = listen(ForwardSpec((other,), port, "api"))
        free.close()


def test_a_host_without_ipv6_listens_at_the_other_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "LOOPBACKS", ("127.0.0.1", "2001:db8::1"))
    (door,) = listen(ForwardSpec(("127.0.0.1", "2001:db8::1"), 0, "api"))
    with door:
        assert door.getsockname()[0] == "127.0.0.1"


def test_an_address_of_another_host_is_refused() -> None:
    with pytest.raises(LabError, match=r"cannot listen at 192\.0\.2\.7:8080: Cannot assign"):
        listen(ForwardSpec(("192.0.2.7",), 8080, "api"))


def test_a_port_that_nobody_has_has_no_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    assert holder_of(port) is None
    assert holder_of(port, tmp_path) is None
