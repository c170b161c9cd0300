"""Go builds: the right toolchain, programs that run, and nothing done twice."""

from __future__ import annotations

import dataclasses
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lab.foundation.errors import LabError
from lab.foundation.process import StoppedError
from lab.foundation.progress import SilentProgress
from lab.supply.cache import Cache
from lab.supply.catalogue import GoBuild, GoFolder, GoVersions
from lab.supply.catalogue.models import GoProgram, Use
from lab.supply.go_build import GoBuilder, executable_name
from lab.supply.go_toolchain import GoMissingError, GoToolchain, choose, host_toolchains

MAIN = """package main

import "fmt"

var greeting = "unset"

func main() { fmt.Println(greeting) }
"""


def toolchain(version: str) -> GoToolchain:
    return GoToolchain(Path("/go/bin/go"), Path("/go"), version)


HOST = [toolchain("go1.26.8"), toolchain("go1.19.8"), toolchain("go1.25rc1")]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (GoVersions("1.19", "1.19"), "go1.19.8"),
        (GoVersions("1.9"), "go1.19.8"),
        (GoVersions("1.20"), "go1.25rc1"),
        (GoVersions("1.26"), "go1.26.8"),
        (GoVersions("1.19.9"), "go1.25rc1"),
        (GoVersions("1.26.8"), "go1.26.8"),
    ],
)
def test_the_oldest_toolchain_that_will_do_is_chosen(wanted: GoVersions, chosen: str) -> None:
    assert choose(wanted, HOST, "etcd").version == chosen


def test_a_toolchain_of_too_old_a_patch_release_will_not_do() -> None:
    with pytest.raises(GoMissingError, match=r"needs Go 1\.26\.9 or newer"):
        choose(GoVersions("1.26.9"), HOST, "containerd v2")


def test_a_missing_toolchain_is_named_with_the_package_that_brings_it() -> None:
    with pytest.raises(GoMissingError) as caught:
        choose(GoVersions("1.18", "1.18", "golang-1.18-go"), HOST, "etcd v3")
    assert caught.value.brief == "etcd v3 needs Go 1.18 to be built"
    assert caught.value.details == "this host has go1.19.8, go1.25rc1, go1.26.8"
    assert caught.value.resolution == "apt-get install golang-1.18-go"


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("go.etcd.io/etcd/server/v3", "server"),
        ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ("lab/modules/vault", "vault"),
    ],
)
def test_what_go_calls_a_program(package: str, name: str) -> None:
    assert executable_name(package) == name


@pytest.fixture(scope="module")
def go_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the compiler keeps, shared by the tests: the standard library is compiled once."""
    return tmp_path_factory.mktemp("go")


@pytest.fixture
def builder(tmp_path: Path, go_cache: Path) -> GoBuilder:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "go").symlink_to(go_cache)
    folder = tmp_path / "modules" / "greeter"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module lab/modules/greeter\n\ngo 1.19\n")
    (folder / "main.go").write_text(MAIN)
    build = GoBuild(
        name="greeter",
        title="Greeter",
        version="v1",
        module="greeter",
        go=GoVersions("1.19"),
        programs=(GoProgram("hello", "lab/modules/greeter", Use.NODE),),
        variables={"main": {"greeting": "a: b c"}},
    )
    go = choose(build.go, host_toolchains(), build.title)
    return GoBuilder(build, go, Cache(tmp_path / "cache"), threading.Event(), tmp_path / "modules")


def test_a_program_is_built_once_and_runs(builder: GoBuilder) -> None:
    assert builder.made() is None
    with SilentProgress().step("build") as step:
        record = builder.compile(builder.download(step), step)
    program = builder.cache.blob(record.outputs["hello"])
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "a: b c\n"
    assert builder.made() == record
    assert record.made_with == builder.toolchain.version
    assert list(builder.cache.temporary.iterdir()) == []


def test_whatever_decides_the_result_is_part_of_the_key(builder: GoBuilder) -> None:
    fields: dict[str, Any] = {
        "variables": {"main": {"greeting": "other"}},
        "tags": ("x",),
        "cgo": True,
        "link": ("-linkmode", "external"),
        "programs": (GoProgram("hallo", "lab/modules/greeter", Use.NODE),),
        "folders": (GoFolder("texts", "lab/modules/greeter", "texts", "/etc"),),
    }
    builds = [dataclasses.replace(builder.build, **{field: value}) for field, value in fields.items()]
    changed = [dataclasses.replace(builder, build=build) for build in builds]
    changed.append(dataclasses.replace(builder, toolchain=toolchain("go1.99")))
    keys = {builder.key, *(other.key for other in changed)}
    (builder.modules / "greeter" / "main.go").write_text(MAIN + "// changed\n")
    keys.add(builder.key)
    assert len(keys) == len(changed) + 2
    assert dataclasses.replace(builder, cache=Cache(Path("/elsewhere"))).key == builder.key


def test_a_folder_of_the_sources_becomes_a_layer(builder: GoBuilder) -> None:
    folders = (GoFolder("sources", "lab/modules/greeter", ".", "/etc/greeter"),)
    with_folder = dataclasses.replace(
        builder, build=dataclasses.replace(builder.build, folders=folders), moment=1000
    )
    with SilentProgress().step("build") as step:
        record = with_folder.compile(with_folder.download(step), step)
    with tarfile.open(builder.cache.blob(record.outputs["sources"])) as layer:
        members = {member.name: member for member in layer.getmembers()}
    assert set(members) == {"etc", "etc/greeter", "etc/greeter/go.mod", "etc/greeter/main.go"}
    file = members["etc/greeter/main.go"]
    assert (file.mode, file.mtime, file.uname) == (0o755, 1000, "root")


def test_what_the_compiler_says_is_part_of_the_error(builder: GoBuilder) -> None:
    (builder.modules / "greeter" / "main.go").write_text(MAIN.replace("greeting)", "greetings)"))
    with SilentProgress().step("build") as step, pytest.raises(LabError) as caught:
        builder.compile(builder.download(step), step)
    assert caught.value.brief == "Greeter v1 cannot be built"
    assert "greetings" in str(caught.value)
    assert builder.made() is None


def test_a_checksum_that_is_not_pinned_is_refused(builder: GoBuilder) -> None:
    module = builder.modules / "greeter"
    module.joinpath("go.mod").write_text(
        "module lab/modules/greeter\n\ngo 1.19\n\nrequire golang.org/x/text v0.5.0\n"
    )
    module.joinpath("main.go").write_text(
        MAIN.replace('import "fmt"', 'import "fmt"\nimport _ "golang.org/x/text/width"')
    )
    with SilentProgress().step("build") as step, pytest.raises(LabError, match="cannot be built") as caught:
        builder.download(step)
    assert "go.sum" in str(caught.value)
    assert not (module / "go.sum").exists()


def test_a_build_is_stopped_when_others_fail(builder: GoBuilder) -> None:
    builder.stop.set()
    started = time.monotonic()
    with SilentProgress().step("build") as step, pytest.raises(StoppedError):
        builder.compile((), step)
    assert time.monotonic() - started < 10
