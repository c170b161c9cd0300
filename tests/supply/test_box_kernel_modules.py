"""Taking signatures off kernel modules."""

from __future__ import annotations

import struct
from pathlib import Path

from lab.supply.box.kernel_modules import MARK, remove_signatures, unsigned

CODE = b"\x7fELF" + bytes(range(256)) * 4


def signed(code: bytes, signature: bytes) -> bytes:
    # struct module_signature: algo, hash, id_type, signer_len, key_id_len, three bytes of padding, length.
    header = struct.pack(">BBBBB3xI", 0, 0, 2, 0, 0, len(signature))
    return code + signature + header + MARK


def test_only_the_signature_goes() -> None:
    assert unsigned(signed(CODE, b"s" * 689)) == CODE


def test_an_unsigned_module_stays_as_it_is() -> None:
    assert unsigned(CODE) == CODE


def test_all_modules_of_a_root_are_changed_once(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/modules/6.1.0/kernel/net"
    folder.mkdir(parents=True)
    (folder / "ipip.ko").write_bytes(signed(CODE, b"signature"))
    (folder / "bare.ko").write_bytes(CODE)
    (folder / "notes").write_bytes(signed(CODE, b"signature"))
    assert remove_signatures(tmp_path) == 1
    assert (folder / "ipip.ko").read_bytes() == CODE
    assert (folder / "notes").read_bytes() == signed(CODE, b"signature")
    assert remove_signatures(tmp_path) == 0
