"""Toolchains from the module proxy: when one is named, and what makes it run, with a Go of the test's own."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.progress import SilentProgress
from lab.supply.architecture import architecture
from lab.supply.cache import Cache
from lab.supply.catalogue import GoBuild, GoVersions
from lab.supply.go_download import PINS, ToolchainDownload, toolchain_for
from lab.supply.go_toolchain import GoMissingError, GoToolchain

VERSION = f"v0.0.1-go1.25.4.linux-{architecture()}"

BUILD = GoBuild("flannel", "flannel", "v1", "m", GoVersions("1.25", toolchain="go1.25.4"), ())

CLIENT = """#!/bin/sh
# Unpacks the module as Go's client does: files without execute bits, go.mod under another name.
pwd > {folder}/cwd
echo "$*" >> {folder}/words
{conduct}
root=$GOMODCACHE/golang.org/toolchain@{version}
[ ! -e $root ] || exit 0
mkdir -p $root/bin $root/pkg/tool/linux_amd64 $root/lib/wasm $root/src/cmd
printf '#!/bin/sh\\necho %s {says}\\n' $root > $root/bin/go
for file in bin/gofmt pkg/tool/linux_amd64/compile lib/wasm/go_js_wasm_exec lib/wasm/README; do
  echo > $root/$file
done
for folder in src src/cmd; do echo module > $root/$folder/_go.mod; done
find $root -type f -exec chmod 0444 {{}} +
"""


def client(folder: Path, conduct: str = "", says: str = "go1.25.4") -> GoToolchain:
    """A Go 1.19 of the host that gives the toolchain, or does something else before."""
    program = folder / "go"
    program.write_text(CLIENT.format(folder=folder, conduct=conduct, version=VERSION, says=says))
    program.chmod(0o755)
    return GoToolchain(program, folder, "go1.19.8")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def download(host: GoToolchain, cache: Cache) -> ToolchainDownload:
    return ToolchainDownload(BUILD, toolchain_for(BUILD, [host], cache), [host], cache, threading.Event())


def run(wanted: ToolchainDownload) -> None:
    with SilentProgress().step("toolchain") as step:
        wanted.run(step)


def test_a_go_of_the_host_that_fits_is_preferred(cache: Cache) -> None:
    old, young = (GoToolchain(Path("go"), Path(name), name) for name in ("go1.19.8", "go1.26.1"))
    assert toolchain_for(BUILD, [old, young], cache) == young
    root = cache.root / "go" / "mod" / "golang.org" / f"toolchain@{VERSION}"
    assert toolchain_for(BUILD, [old], cache) == GoToolchain(root / "bin" / "go", root, "go1.25.4")


def test_without_any_go_or_a_toolchain_in_the_catalogue_nothing_can_be_downloaded(cache: Cache) -> None:
    with pytest.raises(GoMissingError, match=r"flannel v1 needs Go 1\.25 or newer"):
        toolchain_for(BUILD, [], cache)
    old = GoToolchain(Path("go"), Path("/go"), "go1.19.8")
    with pytest.raises(GoMissingError, match=r"flannel v1 needs Go 1\.25 or newer"):
        toolchain_for(replace(BUILD, go=GoVersions("1.25")), [old], cache)


def test_a_downloaded_toolchain_is_made_runnable(tmp_path: Path, cache: Cache) -> None:
    wanted = download(client(tmp_path), cache)
    run(wanted)
    root = wanted.toolchain.root
    executable = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} & {
        str(path.relative_to(root)) for path in root.rglob("*") if path.stat().st_mode & 0o111 == 0o111
    }
    assert executable == {
        "bin/go",
        "bin/gofmt",
        "lib/wasm/go_js_wasm_exec",
        "pkg/tool/linux_amd64/compile",
    }
    for folder in ("src", "src/cmd"):
        assert (root / folder / "go.mod").read_text() == "module\n"
    assert (tmp_path / "words").read_text() == f"mod download golang.org/toolchain@{VERSION}\n"
    assert (tmp_path / "cwd").read_text() == f"{PINS}\n"


def test_what_a_killed_run_left_undone_is_done_by_the_next(tmp_path: Path, cache: Cache) -> None:
    wanted = download(client(tmp_path), cache)
    run(wanted)
    root = wanted.toolchain.root
    compiler = root / "pkg" / "tool" / "linux_amd64" / "compile"
    compiler.chmod(0o444)
    (root / "src" / "go.mod").write_text("mod")
    (root / "src" / "cmd" / "go.mod").unlink()
    run(wanted)
    assert compiler.stat().st_mode & 0o777 == 0o555
    for folder in ("src", "src/cmd"):
        assert (root / folder / "go.mod").read_text() == "module\n"


def test_a_proxy_that_refuses_is_told_with_what_to_do(tmp_path: Path, cache: Cache) -> None:
    with pytest.raises(GoMissingError) as caught:
        run(download(client(tmp_path, "echo 'go: reading x: 403 Forbidden' >&2; exit 1"), cache))
    assert caught.value.brief == "flannel v1 needs Go 1.25 or newer to be built"
    assert caught.value.details == (
        "this host has go1.19.8; go1.25.4 cannot be downloaded: go: reading x: 403 Forbidden"
    )
    assert caught.value.resolution is not None
    assert caught.value.resolution.startswith("install Go 1.25 or newer and have it on PATH, or see that")


@pytest.mark.parametrize(
    ("said", "brief"),
    [
        ("SECURITY ERROR", "is not what the Go project published"),
        ("write x: no space left on device", "is full"),
    ],
)
def test_a_wrong_checksum_or_a_full_disk_ends_everything(
    said: str, brief: str, tmp_path: Path, cache: Cache
) -> None:
    with pytest.raises(LabError, match=brief) as caught:
        run(download(client(tmp_path, f"echo '{said}' >&2; exit 1"), cache))
    assert not isinstance(caught.value, GoMissingError)


@pytest.mark.parametrize(
    ("says", "why"), [("go1.25.3", "says that it is go1.25.3"), ("; exit 1", "does not run")]
)
def test_a_toolchain_that_is_another_or_does_not_run_is_not_taken(
    says: str, why: str, tmp_path: Path, cache: Cache
) -> None:
    with pytest.raises(GoMissingError) as caught:
        run(download(client(tmp_path, says=says), cache))
    assert caught.value.details is not None
    assert why in caught.value.details
