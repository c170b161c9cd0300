"""The cache: contents by digest, whole or not there."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.progress import SilentProgress
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.supply.cache import Cache, Record, key_of

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"""SHA-256 of the five letters `hello`."""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    path = tmp_path / "hello"
    path.write_text("hello")
    return path


def test_a_content_is_found_by_its_digest(cache: Cache, hello: Path) -> None:
    assert cache.put(hello) == HELLO
    assert cache.put(hello) == HELLO
    assert cache.blob(HELLO).read_text() == "hello"
    assert cache.blob(HELLO).stat().st_mode & 0o777 == 0o555
    assert cache.size(HELLO) == 5
    assert list(cache.temporary.iterdir()) == []


def test_a_record_counts_only_while_its_contents_are_there(cache: Cache, hello: Path) -> None:
    record = Record("go", "greeting", "v1", {"hello": cache.put(hello)}, ("example.org/x v1.0.0",), "go1.19")
    cache.remember("key", record)
    assert cache.recall("go", "key") == record
    assert cache.recall("go", "another") is None
    cache.blob(HELLO).unlink()
    assert cache.recall("go", "key") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "go"}'])
def test_a_record_that_is_no_record_is_as_if_it_were_not_there(cache: Cache, hello: Path, text: str) -> None:
    cache.remember("key", Record("go", "greeting", "v1", {"hello": cache.put(hello)}))
    (cache.root / "records" / "go" / "key.json").write_text(text)
    assert cache.recall("go", "key") is None
    assert cache.records() == ()


def test_verification_removes_what_was_damaged_and_names_it(
    cache: Cache, hello: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("other")
    good = cache.put(other)
    cache.remember("key", Record("go", "greeting", "v1", {"hello": cache.put(hello), "other": good}))
    cache.blob(HELLO).chmod(0o755)
    cache.blob(HELLO).write_text("hellO")
    verified = cache.verify()
    assert verified.good == 1
    assert verified.damaged == ("greeting: hello",)
    assert not cache.blob(HELLO).exists()
    assert cache.recall("go", "key") is None
    assert cache.verify().damaged == ()


def test_a_full_disk_is_said_to_be_full(cache: Cache, hello: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", no_room)
    with pytest.raises(LabError, match="is full") as caught:
        cache.put(hello)
    assert "LAB_CACHE" in str(caught.value)
    assert not cache.blob(HELLO).exists()


def test_a_put_that_is_killed_leaves_nothing_where_it_would_be_found(
    cache: Cache, hello: Path, tmp_path: Path
) -> None:
    script = """
import shutil, sys, time
from pathlib import Path
from lab.supply.cache import Cache
def half(source, target):
    Path(target).write_text("hel")
    time.sleep(60)
shutil.copyfile = half
Cache(Path(sys.argv[1])).put(Path(sys.argv[2]))
"""
    child = subprocess.Popen([sys.executable, "-c", script, cache.root, hello])

    def half_written() -> Path:
        for path in cache.root.glob(f"tmp/*/{HELLO}"):
            return path
        raise NotYetError("nothing is written yet")

    wait_for(half_written, what="half a file", deadline=Deadline(30), interval=0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not cache.blob(HELLO).exists()
    with cache.locked(SilentProgress()):
        assert not cache.temporary.exists()
        assert cache.put(hello) == HELLO
    assert cache.verify().damaged == ()


class Notes(SilentProgress):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def test_of_two_that_fill_the_cache_one_waits_and_says_so(cache: Cache) -> None:
    order: list[str] = []
    second_waits = threading.Event()

    class Signalling(Notes):
        def note(self, text: str) -> None:
            super().note(text)
            second_waits.set()

    progress = Signalling()

    def second() -> None:
        with cache.locked(progress):
            order.append("second")

    thread = threading.Thread(target=second)
    with cache.locked(SilentProgress()):
        thread.start()
        assert second_waits.wait(timeout=30)
        order.append("first")
    thread.join(timeout=30)
    assert order == ["first", "second"]
    assert progress.said == ["another lab is filling the cache; waiting for it to finish"]


def test_equal_inputs_have_equal_keys_whatever_their_order() -> None:
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})
    assert key_of({"a": 1, "b": [2]}) != key_of({"a": 1, "b": [3]})
