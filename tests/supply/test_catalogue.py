"""The catalogue: its entries are well-formed and agree with the module folders they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.supply.catalogue import GoBuild, Use, full_version, load_entry, versions
from lab.supply.go_build import MODULES
from lab.supply.go_download import MODULE, PINS
from lab.supply.go_toolchain import GoToolchain, choose

KUBEADM_IMAGES = (
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"),
    *("etcd", "coredns", "pause"),
)

BUILDS = [
    pytest.param(build, id=f"{v}-{build.name}") for v in versions() for build in load_entry(v).go_builds
]

MINIMAL = """
kubernetes_version: v1.0.0
released: 2020-01-01T00:00:00Z
go_builds:
  - {name: k, title: K, version: v1, module: m, go: {oldest: "1.19"}, programs: PROGRAMS}
debian_trees: []
images: [{name: k, tag: v1, made_of: k, files: {/k: FILE}, base: BASE}]
user_programs: []
"""


def test_the_courses_version_and_later_ones_are_known_in_their_order() -> None:
    assert versions()[:2] == ("v1.24.10", "v1.30.4")
    assert "v1.37.2" in versions()


@pytest.mark.parametrize(
    ("wanted", "meant"), [("v1.24", "v1.24.10"), ("v1.37", "v1.37.2"), ("v1.30.4", "v1.30.4")]
)
def test_a_version_without_its_patch_release_is_the_newest_one_there_is(wanted: str, meant: str) -> None:
    assert full_version(wanted) == meant


def test_the_newest_patch_release_is_the_one_with_the_highest_number(tmp_path: Path) -> None:
    for name in ("v1.40.9", "v1.40.10", "v1.4.11"):
        (tmp_path / f"{name}.yaml").touch()
    assert full_version("v1.40", tmp_path) == "v1.40.10"
    assert full_version("v1.4", tmp_path) == "v1.4.11"


@pytest.mark.parametrize("wanted", ["v1.37.9", "v1.3", "v1", "1.37", ""])
def test_a_version_that_is_not_there_is_answered_with_those_that_are(wanted: str) -> None:
    with pytest.raises(WrongUseError) as caught:
        full_version(wanted)
    assert f"it has {', '.join(versions())}" in str(caught.value)


@pytest.mark.parametrize("version", versions())
def test_an_entry_has_all_that_kubeadm_and_a_node_ask_for(version: str) -> None:
    entry = load_entry(version)
    images = {image.name: image.tag for image in entry.images}
    control_plane = {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"}
    assert {name for name, tag in images.items() if tag == version} >= control_plane
    assert images.keys() >= {"etcd", "coredns", "pause", "agnhost", "flannel"}
    programs = {program.name: program.use for build in entry.go_builds for program in build.programs}
    always, runtime = {"kubelet", "kubeadm", "kubectl", "agnhost"}, {"containerd", "containerd-shim-runc-v2"}
    own_runtime = runtime | {"ctr", "crictl"} if runtime & programs.keys() else set()
    assert {name for name, use in programs.items() if use is Use.NODE} == always | own_runtime
    plugins = {name for name, use in programs.items() if use is Use.CNI}
    assert plugins >= {
        "bridge",
        "flannel",
        "host-local",
        "ipvlan",
        "loopback",
        "macvlan",
        "portmap",
        "static",
    }


def test_the_versions_that_belong_to_kubernetes_1_24_10() -> None:
    """As kubeadm v1.24.10 asks for them: cmd/kubeadm/app/constants/constants.go at that tag."""
    references = {f"{image.name}:{image.tag}" for image in load_entry("v1.24.10").images}
    assert references >= {"etcd:3.5.6-0", "coredns:v1.8.6", "pause:3.7", "pause:3.6"}


def test_the_versions_that_belong_to_kubernetes_1_37_2() -> None:
    """As its kubeadm asks for them, in the same file."""
    references = {f"{image.name}:{image.tag}" for image in load_entry("v1.37.2").images}
    assert references >= {"etcd:3.7.0-0", "coredns:v1.14.6", "pause:3.10.2"}


@pytest.mark.parametrize("build", BUILDS)
def test_a_module_folder_pins_the_version_that_the_entry_names(build: GoBuild) -> None:
    folder = MODULES / build.module
    required = re.findall(r"^(?:require )?\t?(\S+) (v\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
    assert build.version in {version for _, version in required}
    sums = (folder / "go.sum").read_text()
    own = re.search(r"^module (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
    assert own is not None
    for program in build.programs:
        if program.package != own.group(1):
            module = max((path for path, _ in required if program.package.startswith(path)), key=len)
            assert f"{module} {build.version} h1:" in sums


def test_an_unknown_version_is_answered_with_the_known_ones() -> None:
    with pytest.raises(WrongUseError, match=r"did you mean v1\.24\.10\?") as caught:
        load_entry("1.24.10")
    assert "v1.24.10, v1.30.4, " in str(caught.value)


@pytest.mark.parametrize(
    ("programs", "file", "base", "complaint"),
    [
        ("[{name: k, package: x, use: node}]", "other", "null", "unknown programs other"),
        ("[{name: k, package: x, use: node}]", "k", "tree", "unknown base tree"),
        ("[{name: k, package: x, use: cni}, {name: k, package: y, use: cni}]", "k", "null", "named twice: k"),
        ("[{name: k, package: x, use: pocket}]", "k", "null", "'node', 'cni' or 'image'"),
        ("[{name: k, package: x, use: cni, colour: red}]", "k", "null", "colour"),
    ],
)
def test_a_wrong_entry_is_refused(
    tmp_path: Path, programs: str, file: str, base: str, complaint: str
) -> None:
    text = MINIMAL.replace("PROGRAMS", programs).replace("FILE", file).replace("BASE", base)
    (tmp_path / "v1.0.0.yaml").write_text(text)
    with pytest.raises(LabError) as caught:
        load_entry("v1.0.0", tmp_path)
    assert complaint in str(caught.value)


def test_a_right_entry_is_taken(tmp_path: Path) -> None:
    text = MINIMAL.replace("PROGRAMS", "[{name: k, package: x, use: node}]").replace("FILE", "k")
    (tmp_path / "v1.0.0.yaml").write_text(text.replace("BASE", "null"))
    assert load_entry("v1.0.0", tmp_path).images[0].files == {"/k": "k"}


@pytest.mark.parametrize(
    "version", [version for version in versions() if load_entry(version).downloads.names]
)
def test_mirrors_are_asked_for_all_that_a_lab_needs(version: str) -> None:
    entry = load_entry(version)
    downloads = entry.downloads
    brought = [
        *(file.programs for file in downloads.files),
        *(image.programs for image in downloads.images),
    ]
    programs = {program.name for each in brought for program in each}
    assert programs >= entry.parts.programs | {"crictl", "cri-dockerd"}
    images = {(image.name, image.tags[0]) for image in downloads.images}
    kubeadms = {(image.name, image.tag) for image in entry.images if image.name in KUBEADM_IMAGES}
    assert kubeadms <= images
    assert {"agnhost", "flannel"} <= {name for name, _ in images}
    for file in downloads.files:
        assert set(file.sha256) == {"amd64", "arm64"}
        assert "{arch}" in file.url


def test_what_debians_go_cannot_build_names_a_toolchain_of_the_module_proxy_that_can() -> None:
    debian = GoToolchain(Path("go"), Path("/usr/lib/go-1.19"), "go1.19.8")
    pins = (PINS / "go.sum").read_text()
    for build in (build for version in versions() for build in load_entry(version).go_builds):
        toolchain = GoToolchain(Path("go"), Path("go"), build.go.toolchain or debian.version)
        assert choose(build.go, [toolchain], build.title) == toolchain
        if build.go.toolchain:
            module = f"{MODULE} v0.0.1-{build.go.toolchain}.linux-amd64"
            assert re.search(rf"^{re.escape(module)} h1:\S{{44}}$", pins, re.MULTILINE)
            assert re.search(rf"^{re.escape(module)}/go\.mod h1:\S{{44}}$", pins, re.MULTILINE)
