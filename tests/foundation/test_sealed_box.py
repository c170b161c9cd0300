"""Boxes that one key opens, and that nobody changes unnoticed."""

from __future__ import annotations

import pytest

from lab.foundation.sealed_box import close_box, key_id, new_private_key, open_box, public_key_of

PRIVATE, OTHER = new_private_key(), new_private_key()


def test_the_holder_of_the_key_reads_what_was_closed() -> None:
    box = close_box(b"what I found", public_key_of(PRIVATE), b"of 1")
    assert open_box(box, PRIVATE, b"of 1") == b"what I found"
    assert b"found" not in box
    assert box != close_box(b"what I found", public_key_of(PRIVATE), b"of 1")


def test_what_was_changed_or_is_for_another_key_does_not_open() -> None:
    box = close_box(b"content", public_key_of(PRIVATE), b"of 1")
    changed = [bytes((*box[:at], box[at] ^ 1, *box[at + 1 :])) for at in range(len(box))]
    for each, about in ((box, b"of 2"), (box[:-1], b"of 1"), (b"", b"of 1"), (box[:10], b"of 1")):
        with pytest.raises(ValueError, match=r"."):
            open_box(each, PRIVATE, about)
    for each in changed:
        with pytest.raises(ValueError, match="it was changed"):
            open_box(each, PRIVATE, b"of 1")
    with pytest.raises(ValueError, match="another key"):
        open_box(box, OTHER, b"of 1")


def test_keys_are_told_apart() -> None:
    assert key_id(public_key_of(PRIVATE)) != key_id(public_key_of(OTHER))
    assert len(key_id(public_key_of(PRIVATE))) == 16
