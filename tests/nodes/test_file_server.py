"""Files served for as long as they are needed."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.nodes.file_server import serve_files
from lab.nodes.pool import in_parallel
from tests.stand_in_site import Here


def test_files_are_served_by_their_names_to_several_at_once(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "image").write_bytes(content)
    with serve_files(Here(), "127.0.0.1", {"0": tmp_path / "image"}) as port:
        url = f"http://127.0.0.1:{port}"

        def fetch() -> bytes:
            with urllib.request.urlopen(f"{url}/0", timeout=10) as answer:  # noqa: S310
                read: bytes = answer.read()
                return read

        assert set(in_parallel(dict.fromkeys("abc", fetch)).values()) == {content}
        for other in ("/1", "/../image", "/"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(url + other, timeout=10)  # noqa: S310
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/0", timeout=10)  # noqa: S310


def test_an_address_that_is_not_there() -> None:
    with (
        pytest.raises(LabError, match=r"no file can be served at 192\.0\.2\.1"),
        serve_files(Here(), "192.0.2.1", {}),
    ):
        pass
