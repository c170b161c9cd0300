"""What `lab doctor --report` writes for others to read."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli.main import cli
from lab.host.about import HostFacts
from lab.host.doctor import Finding
from lab.operations.report import report_of, sendable

ENVIRONMENT = {
    "HTTPS_PROXY": "http://alice:wonder/land@proxy.example:3128",
    "http_proxy": "alice:wonderland@proxy.example:3128",
    "no_proxy": "localhost,127.0.0.1",
    "GOPROXY": "https://alice:wonderland@go.example|direct",
    "LAB_DEBIAN_ARCHIVE": "https://debian.example/debian?key=wonderland",
    "LAB_CACHE": "/home/alice/cache",
    "LAB_TOKEN": "wonderland",
    "AWS_SECRET_ACCESS_KEY": "wonderland",
    "USER": "alice",
}
FINDINGS = [
    Finding("disk for labs", True, "71 GiB free at /home/alice, 20 GiB are enough"),
    Finding("program nc", False, "not installed", "apt install netcat-openbsd"),
]


def test_no_secret_and_no_user_is_in_it() -> None:
    report = report_of(FINDINGS, ENVIRONMENT)
    for text in (report.as_text(), json.dumps(report.as_json())):
        assert "wonder" not in text
        assert "alice" not in text
        assert "AWS" not in text
    assert report.environment == {
        "GOPROXY": "https://...@go.example|direct",
        "HTTPS_PROXY": "http://...@proxy.example:3128",
        "LAB_CACHE": "/home/USER/cache",
        "LAB_DEBIAN_ARCHIVE": "https://debian.example/debian?...",
        "LAB_TOKEN": "(set)",
        "http_proxy": "...@proxy.example:3128",
        "no_proxy": "localhost,127.0.0.1",
    }


def test_the_text_says_what_a_helper_asks_first() -> None:
    report = report_of(FINDINGS, {})
    text = report.as_text()
    for part in (
        platform.release(),
        f"{os.cpu_count()} cores",
        f"Python {platform.python_version()}",
        "wrong  program nc: not installed (How to fix it: apt install netcat-openbsd)",
        "ok  disk for labs: 71 GiB free at /home/USER",
        f"iproute2 {report.host.packages['iproute2'] or 'not installed'}",
        "no variable of lab's, no proxy",
    ):
        assert part in text


@pytest.mark.parametrize("text", ["qemu 7.2, kernel 6.1", "http://mirror.example/a b", "/root/.cache/lab"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert sendable(text) == text


def test_packages_that_are_not_there_have_no_version() -> None:
    packages = HostFacts.of(("dpkg", "no-such-package")).packages
    assert packages["dpkg"]
    assert packages["no-such-package"] == ""


def test_the_command_writes_a_file_or_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    file = tmp_path / "report.json"
    written = CliRunner().invoke(cli, ["doctor", "--report", str(file), "--json"])
    assert (written.exit_code, written.stdout) == (0, "")
    content = json.loads(file.read_text())
    assert content["host"]["kernel"] == f"{platform.system()} {platform.release()}"
    assert "KVM" in [finding["name"] for finding in content["findings"]]
    printed = CliRunner().invoke(cli, ["doctor", "--report"])
    assert printed.exit_code == 0
    assert "What lab doctor found:" in printed.stdout
