"""Which Debian archive mmdebstrap is told to use."""

from __future__ import annotations

import pytest

from lab.foundation.errors import WrongUseError
from lab.foundation.process import Completed, ProcessFailedError
from lab.supply.debian_archive import ARCHIVE_VARIABLE, archive_words, packages_missing


@pytest.mark.parametrize("unset", ["", None])
def test_without_a_word_it_is_debians_own(monkeypatch: pytest.MonkeyPatch, unset: str | None) -> None:
    monkeypatch.delenv(ARCHIVE_VARIABLE, raising=False)
    if unset is not None:
        monkeypatch.setenv(ARCHIVE_VARIABLE, unset)
    assert archive_words("bookworm") == ()


@pytest.mark.parametrize(
    "named", ["https://mirror.lab.internal/debian", "https://mirror.lab.internal/debian/"]
)
def test_a_mirror_gives_updates_and_security_fixes_too(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv(ARCHIVE_VARIABLE, named)
    assert archive_words("bookworm") == (
        "deb https://mirror.lab.internal/debian bookworm main",
        "deb https://mirror.lab.internal/debian bookworm-updates main",
        "deb https://mirror.lab.internal/debian-security bookworm-security main",
    )


@pytest.mark.parametrize("named", ["mirror.lab.internal/debian", "https://", "file:///srv", "http://a/b c"])
def test_what_is_no_url_is_refused(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv(ARCHIVE_VARIABLE, named)
    with pytest.raises(WrongUseError, match=f"{ARCHIVE_VARIABLE} is no URL of a Debian archive") as caught:
        archive_words("bookworm")
    assert caught.value.exit_code == 2


def failed(said: str) -> ProcessFailedError:
    return ProcessFailedError(Completed(("mmdebstrap",), 25, "", said, 1.0), "exit status 25")


def test_the_error_says_what_mmdebstrap_said_and_how_to_name_a_mirror() -> None:
    error = packages_missing("the box", failed("E: Temporary failure resolving"))
    assert error.brief == "the Debian packages for the box cannot be had: mmdebstrap: exit status 25"
    assert "Temporary failure resolving" in str(error.details)
    assert ARCHIVE_VARIABLE in str(error.resolution)
