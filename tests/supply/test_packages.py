"""The supply `packages` as a whole, on an entry of the test's own: a small Go program and one image."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from lab.foundation.errors import LabError
from lab.foundation.process import ProgramMissingError
from lab.foundation.progress import SilentProgress, StepContext
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.supply import go_download, packages
from lab.supply.cache import Cache
from lab.supply.catalogue import Entry, GoBuild, GoVersions, ImageRecipe, UserProgram
from lab.supply.catalogue.models import DebianProgram, DebianTree, GoProgram, Use
from lab.supply.go_download import ToolchainDownload
from lab.supply.go_toolchain import GoMissingError
from lab.supply.lock_file import lock_file
from lab.supply.software import Software
from lab.supply.user_programs import add

MAIN = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("hello\\n") }\n'

MMDEBSTRAP = """#!/bin/sh
for last; do :; done
mkdir -p $last/bin $last/etc $last/usr/sbin
cp /bin/true $last/bin/pause
printf '#!/bin/sh\\n' > $last/bin/busybox
chmod +x $last/bin/busybox
"""


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture(scope="module")
def go_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("go")


@pytest.fixture
def cache(tmp_path: Path, go_cache: Path) -> Cache:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "go").symlink_to(go_cache)
    return Cache(tmp_path / "cache")


@pytest.fixture
def mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    write_program(folder / "mmdebstrap", MMDEBSTRAP)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder / "mmdebstrap"


def build(folder: Path, name: str, use: Use, **more: str | None) -> GoBuild:
    module = folder / "modules" / name
    module.mkdir(parents=True, exist_ok=True)
    (module / "go.mod").write_text(f"module lab/modules/{name}\n\ngo 1.19\n")
    (module / "main.go").write_text(MAIN)
    return GoBuild(
        name=name,
        title=name.title(),
        version="v1",
        module=str(module),
        go=GoVersions("99.0" if more else "1.19"),
        programs=(GoProgram(name, f"lab/modules/{name}", use),),
        missing_without_go=more.get("missing_without_go"),
    )


def small_entry(folder: Path, *more: GoBuild) -> Entry:
    return Entry(
        kubernetes_version="v1.2.3",
        released=datetime(2020, 1, 1, tzinfo=UTC),
        go_builds=(build(folder, "kubelet", Use.NODE), build(folder, "bridge", Use.CNI), *more),
        debian_trees=(DebianTree("tools", "bookworm", ("dash",), (DebianProgram("pause", "bin/pause"),)),),
        images=(
            ImageRecipe("kubelet", "v1.2.3", "nothing", {"/kubelet": "kubelet"}, base="tools"),
            ImageRecipe("pause", "3.7", "nothing", {"/pause": "pause"}),
            *(ImageRecipe(one.name, "v1", "nothing", {"/x": one.programs[0].name}) for one in more),
        ),
        user_programs=(UserProgram("crictl", ("--version",)),),
    )


class Watched(SilentProgress):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def steps(self) -> set[str]:
        return {time.name for time in self.times}


def fetch_entry(entry: Entry, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> tuple[Software, Watched]:
    monkeypatch.setattr(packages, "load_entry", lambda _version: entry)
    progress = Watched()
    return packages.fetch(entry.kubernetes_version, cache, progress), progress


@pytest.mark.usefixtures("mmdebstrap")
def test_everything_is_made_once(tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = small_entry(tmp_path)
    software, progress = fetch_entry(entry, cache, monkeypatch)
    assert progress.steps == {
        "Kubelet v1: fetching Go modules",
        "Kubelet v1: building",
        "Bridge v1: fetching Go modules",
        "Bridge v1: building",
        "Debian packages for images (tools)",
        "container images (2)",
    }
    assert software.kubernetes_version == "v1.2.3"
    assert set(software.binaries) == {"kubelet"}
    assert set(software.cni_plugins) == {"bridge"}
    references = [image.reference for image in software.images]
    assert references == ["registry.lab.internal/kubelet:v1.2.3", "registry.lab.internal/pause:3.7"]
    said = subprocess.run([software.binaries["kubelet"]], capture_output=True, check=True)
    assert said.stdout == b"hello\n"

    again, progress = fetch_entry(entry, cache, monkeypatch)
    assert again == software
    assert progress.steps == set()


@pytest.mark.usefixtures("mmdebstrap")
def test_what_was_damaged_is_made_again_and_nothing_else(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = small_entry(tmp_path)
    software, _ = fetch_entry(entry, cache, monkeypatch)
    plugin = software.cni_plugins["bridge"]
    plugin.chmod(0o755)
    plugin.write_text("damaged")
    assert cache.verify().damaged == ("bridge: bridge",)
    again, progress = fetch_entry(entry, cache, monkeypatch)
    assert again == software
    assert progress.steps == {"Bridge v1: fetching Go modules", "Bridge v1: building"}


@pytest.mark.usefixtures("mmdebstrap")
def test_a_program_that_the_user_brings_is_part_of_the_software(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = small_entry(tmp_path)
    before, _ = fetch_entry(entry, cache, monkeypatch)
    add("crictl", Path("/bin/true"), cache, SilentProgress())
    after, _ = fetch_entry(entry, cache, monkeypatch)
    assert set(after.binaries) == {"kubelet", "crictl"}
    assert after.digest != before.digest


@pytest.mark.usefixtures("mmdebstrap")
def test_an_image_with_a_program_of_users_is_made_when_they_brought_it(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = small_entry(tmp_path)
    bird = ImageRecipe("router", "v1", "nothing", {"/bird": "crictl"})
    user = UserProgram("crictl", ("--version",), Use.IMAGE)
    entry = replace(entry, images=(*entry.images, bird), user_programs=(user,))
    before, _ = fetch_entry(entry, cache, monkeypatch)
    assert "router" not in {image.name for image in before.images}
    add("crictl", Path("/bin/true"), cache, SilentProgress())
    after, _ = fetch_entry(entry, cache, monkeypatch)
    assert "router" in {image.name for image in after.images}
    assert set(after.binaries) == {"kubelet"}


@pytest.mark.usefixtures("mmdebstrap")
def test_the_lock_file_tells_what_was_used(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    software, _ = fetch_entry(small_entry(tmp_path), cache, monkeypatch)
    content = yaml.safe_load(lock_file(cache, "v1.2.3").read_text())
    assert content["digest"] == software.digest
    products = {product["name"]: product for product in content["products"]}
    assert products["kubelet"]["made with"].startswith("go1.")
    assert products["kubelet"]["sha256"] == {"kubelet": software.binaries["kubelet"].name}
    assert "registry.lab.internal/pause:3.7" in products


@pytest.mark.usefixtures("mmdebstrap")
def test_what_needs_a_younger_go_is_left_out_with_its_images_when_the_entry_allows_it(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    optional = build(tmp_path, "flanneld", Use.IMAGE, missing_without_go="the modes flannel-*")
    software, progress = fetch_entry(small_entry(tmp_path, optional), cache, monkeypatch)
    assert "registry.lab.internal/flanneld:v1" not in {image.reference for image in software.images}
    (note,) = progress.notes
    assert note.startswith("Flanneld v1 needs Go 99.0 or newer to be built (this host has go1.")
    assert "; left out, and with it the modes flannel-*. " in note
    assert note.endswith("How to fix it: install Go 99.0 or newer and have it on PATH")
    needed = build(tmp_path, "flanneld", Use.IMAGE, missing_without_go=None)
    with pytest.raises(LabError, match="needs Go 99"):
        fetch_entry(small_entry(tmp_path, needed), cache, monkeypatch)


@pytest.mark.usefixtures("mmdebstrap")
def test_a_toolchain_that_the_host_lacks_is_downloaded_for_the_build_that_needs_it(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    younger = GoVersions("99.0", toolchain="go99.1.2")
    optional = build(tmp_path, "flanneld", Use.IMAGE, missing_without_go="the modes flannel-*")
    entry = small_entry(tmp_path, replace(optional, go=younger))

    monkeypatch.setattr(go_download.ToolchainDownload, "run", refuse)
    software, progress = fetch_entry(entry, cache, monkeypatch)
    assert "registry.lab.internal/flanneld:v1" not in {image.reference for image in software.images}
    assert progress.notes == [
        "Flanneld v1 needs it (403 Forbidden); left out, and with it the modes flannel-*. "
        "How to fix it: install Go 99"
    ]
    assert packages.made("v1.2.3", cache) is None

    monkeypatch.setattr(go_download.ToolchainDownload, "run", bring_host_go)
    software, progress = fetch_entry(entry, cache, monkeypatch)
    assert "registry.lab.internal/flanneld:v1" in {image.reference for image in software.images}
    assert progress.steps >= {"go99.1.2: fetching the toolchain", "Flanneld v1: building"}
    assert packages.made("v1.2.3", cache) == software

    monkeypatch.setattr(go_download.ToolchainDownload, "run", refuse)
    again, progress = fetch_entry(entry, cache, monkeypatch)
    assert again == software
    assert progress.steps == set()

    needed = replace(entry.go_builds[0], go=younger)
    with pytest.raises(LabError, match="needs it"):
        fetch_entry(replace(entry, go_builds=(needed, *entry.go_builds[1:])), cache, monkeypatch)


def refuse(download: ToolchainDownload, step: StepContext) -> None:
    raise GoMissingError(
        f"{download.build.title} {download.build.version} needs it",
        details="403\nForbidden",
        resolution="install Go 99",
    )


def bring_host_go(download: ToolchainDownload, step: StepContext) -> None:
    """The host's own Go under another name, where the module cache would have it."""
    assert download.toolchain.root.parent == download.cache.root / "go" / "mod" / "golang.org"
    download.toolchain.root.parent.mkdir(parents=True)
    download.toolchain.root.symlink_to(download.host[-1].root)


def test_when_one_part_fails_the_others_are_stopped(
    tmp_path: Path, cache: Cache, mmdebstrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(mmdebstrap, "#!/bin/sh\nsleep 600\n")
    entry = small_entry(tmp_path)
    (tmp_path / "modules" / "bridge" / "main.go").write_text("package main\n\nfunc main() { nothing() }\n")
    outcome: list[BaseException] = []

    def fetch() -> None:
        try:
            fetch_entry(entry, cache, monkeypatch)
        except LabError as error:
            outcome.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    thread.join(timeout=120)
    assert not thread.is_alive()
    assert "undefined: nothing" in str(outcome[0])


def test_a_missing_program_of_the_host_is_named(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "HOST_PROGRAMS", ("no-such-program",))
    with pytest.raises(ProgramMissingError, match="no-such-program"):
        fetch_entry(small_entry(tmp_path), cache, monkeypatch)


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_packages import small_entry
from lab.foundation.progress import SilentProgress, StepContext
from lab.supply import go_download, packages
from lab.supply.cache import Cache
packages.load_entry = lambda _version: small_entry(Path({folder!r}))
packages.fetch("v1.2.3", Cache(Path({cache!r})), SilentProgress())
"""


def test_a_fetch_that_is_killed_goes_on_where_it_stopped(
    tmp_path: Path, cache: Cache, mmdebstrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(mmdebstrap, "#!/bin/sh\necho $$ > $0.pid\nexec sleep 600\n")
    script = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path), cache=str(cache.root))
    child = subprocess.Popen([sys.executable, "-c", script])

    def programs_are_built() -> None:
        if len(cache.records()) < 2 or not (mmdebstrap.parent / "mmdebstrap.pid").exists():
            raise NotYetError(f"{len(cache.records())} of 2 builds are recorded")

    wait_for(programs_are_built, what="both Go builds", deadline=Deadline(180), interval=0.1)
    child.send_signal(signal.SIGKILL)
    child.wait()
    os.kill(int((mmdebstrap.parent / "mmdebstrap.pid").read_text()), signal.SIGKILL)

    write_program(mmdebstrap, MMDEBSTRAP)
    software, progress = fetch_entry(small_entry(tmp_path), cache, monkeypatch)
    assert progress.steps == {"Debian packages for images (tools)", "container images (2)"}
    assert len(software.images) == 2
    assert cache.verify().damaged == ()
