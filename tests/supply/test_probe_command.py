"""`lab supply probe` with the real catalogue; the user's list of mirrors names nothing but a stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from lab.cli.main import cli
from lab.supply.architecture import architecture
from lab.supply.catalogue import load_entry
from lab.supply.debian_archive import ARCHIVE_VARIABLE, index_urls
from tests.supply.stand_ins import SmallImage, StandIn, closed_host, own_network

ENTRY = load_entry("v1.24.10")
KUBELET = next(file.url_for(architecture()) for file in ENTRY.downloads.files if "kubelet" in file.url)


def everything() -> dict[str, bytes]:
    """What the catalogue names, by path at one host; calico's images are not there."""
    image = SmallImage("program", b"content", architecture())
    contents = {urlsplit(file.url_for(architecture())).path: b"file" for file in ENTRY.downloads.files}
    for each in ENTRY.downloads.images:
        contents |= image.served_as(each.image.partition("/")[2], each.tags[0])
    return contents


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    with own_network():
        server = StandIn(everything())
        monkeypatch.setenv(ARCHIVE_VARIABLE, f"http://{server.host}/debian")
        server.contents |= {urlsplit(url).path: b"" for url in index_urls("bookworm", architecture())}
        write_mirrors(tmp_path, server.host)
        yield server
        server.close()


def write_mirrors(folder: Path, *hosts: str) -> None:
    upstream = ("registry.k8s.io", "docker.io", "https://dl.k8s.io", "https://github.com")
    listed = [{"of": of, "at": f"http://{host}"} for host in hosts for of in upstream]
    (folder / "lab").mkdir(exist_ok=True)
    (folder / "lab" / "mirrors.yaml").write_text(json.dumps({"only": True, "mirrors": listed}))


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["supply", "probe", "--supply", "mirror", *words])


def test_all_that_is_there_is_told_and_an_unreachable_mirror_once(stand_in: StandIn, tmp_path: Path) -> None:
    dead = closed_host()
    write_mirrors(tmp_path, dead, stand_in.host)
    result = run("--mode", "macvlan", "--mode", "flannel-vxlan")
    assert result.exit_code == 0
    assert f"unreachable: {dead}: Connection refused" in result.stdout.splitlines()
    assert result.stdout.count(dead) == 1
    assert "nowhere" not in result.stdout


def test_what_is_nowhere_is_named_and_the_exit_code_is_1(stand_in: StandIn) -> None:
    del stand_in.contents[urlsplit(KUBELET).path]
    result = run("--topology", "underlay-3node", "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert [thing["name"] for thing in said["things"] if not thing["somewhere"]] == [KUBELET]
    assert not said["complete"]
    shown = run("--topology", "underlay-3node")
    assert shown.exit_code == 1
    assert f"nowhere: file {KUBELET}" in shown.stdout.splitlines()


def test_a_mode_adds_its_images_on_demand(stand_in: StandIn) -> None:
    result = run("--mode", "calico-vxlan")
    assert result.exit_code == 1
    assert "nowhere: image docker.io/calico/node:v3.25.0; without it: the modes calico-*" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--topology", "underlay-3node", "--kubernetes", "v1.24.10"),
        ("--kubernetes", "v1.24.11"),
        ("--mode", "macvlam"),
        ("--supply", "bundle"),
    ],
)
def test_wrong_use_asks_nobody(stand_in: StandIn, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert getattr(result.exception, "exit_code", None) == 2
    assert stand_in.heads == 0
