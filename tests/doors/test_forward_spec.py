"""What may be written to `lab forward`."""

from __future__ import annotations

import pytest

from lab.doors.spec import LOOPBACKS, ForwardSpec
from lab.foundation.errors import WrongUseError


@pytest.mark.parametrize(
    ("text", "addresses", "port", "target"),
    [
        ("8080:svc/web", LOOPBACKS, 8080, "svc/web"),
        ("0:svc/shop/web:http", LOOPBACKS, 0, "svc/shop/web:http"),
        ("localhost:8080:k8s-node1:22", LOOPBACKS, 8080, "k8s-node1:22"),
        ("127.0.0.2:8080:api", ("127.0.0.2",), 8080, "api"),
        ("[::1]:8080:192.168.6.201:80", ("::1",), 8080, "192.168.6.201:80"),
        ("0.0.0.0:8080:default/web", ("0.0.0.0",), 8080, "default/web"),
    ],
)
def test_what_is_meant(text: str, addresses: tuple[str, ...], port: int, target: str) -> None:
    assert ForwardSpec.parse(text) == ForwardSpec(addresses, port, target)


@pytest.mark.parametrize(
    "text",
    ["", "8080", "8080:", "svc/web", "65536:api", "-1:api", "[::1:8080:api", "::1:8080:api", "a:80:api"],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(WrongUseError) as refused:
        ForwardSpec.parse(text)
    assert "8080:svc/default/web:80" in str(refused.value)
