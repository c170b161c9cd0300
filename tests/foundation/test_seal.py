"""What is sealed says nothing at a glance, and comes back as it was."""

from __future__ import annotations

import base64
import zlib

import pytest

from lab.foundation.seal import MAXIMUM_BYTES, seal, unseal


def test_a_text_comes_back_as_it_was() -> None:
    text = "forward-drop@k8s-node1\n实验"
    assert unseal(seal(text)) == text
    assert "forward" not in seal(text)


@pytest.mark.parametrize(
    "wrong",
    ["{}", "AAAA", seal("whole")[:-8], base64.b64encode(zlib.compress(b"0" * (MAXIMUM_BYTES + 1))).decode()],
    ids=["no base64", "not packed", "cut off", "too large"],
)
def test_what_was_not_sealed_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"it cannot be unpacked|its end is missing"):
        unseal(wrong)
