"""What is needed for one version of Kubernetes, and where it would be looked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence

from lab.supply.architecture import architecture
from lab.supply.box.inputs import SUITE
from lab.supply.cache import Cache
from lab.supply.catalogue import DownloadedFile, DownloadedImage, Entry, GoBuild, Parts
from lab.supply.debian_archive import index_urls
from lab.supply.go_build import MODULES
from lab.supply.go_client import GoClient
from lab.supply.go_download import MODULE, PINS, module_version
from lab.supply.go_modules import module_url, proxies, required_modules
from lab.supply.go_toolchain import GoMissingError, GoToolchain, choose, host_toolchains
from lab.supply.mirror import Mirrors
from lab.supply.mirror.gaps import title
from lab.supply.mirror.mirrors import Source
from lab.supply.probe.questions import FileQuestion, ImageQuestion, Wanted


def downloads_wanted(entry: Entry, on_demand: frozenset[str], mirrors: Mirrors) -> tuple[Wanted, ...]:
    """The files and images that are downloaded for the box and for these images on demand."""
    downloads = entry.downloads
    needed = (image for image in downloads.images_on_demand if image.name in on_demand)
    images = {title(image): image for image in (*downloads.images, *needed)}
    return (
        *(_file(file, mirrors) for file in downloads.files),
        *(_image(name, image, mirrors) for name, image in images.items()),
    )


def modules_wanted(entry: Entry, on_demand: frozenset[str], cache: Cache) -> tuple[Wanted, ...]:
    """The Go modules that programs of the box and of these images on demand are from, and the toolchains.

    Raises LabError when the host's Go cannot say which module proxies it uses.
    """
    return tuple(_modules(entry.only(entry.parts | Parts(frozenset(), on_demand)), cache))


def debian_wanted(entry: Entry) -> tuple[Wanted, ...]:
    """The package lists of Debian, for the box and for images; every supply that asks sources needs them.

    Raises WrongUseError when LAB_DEBIAN_ARCHIVE is no URL.
    """
    return tuple(_debian({SUITE, *(tree.suite for tree in entry.debian_trees)}))


def _file(file: DownloadedFile, mirrors: Mirrors) -> Wanted:
    url = file.url_for(architecture())
    if architecture() not in file.sha256:
        return Wanted("file", url, (), file.missing or "", f"the catalogue has none for {architecture()}")
    questions = tuple(FileQuestion(source) for source in mirrors.sources(url))
    return Wanted("file", url, questions, file.missing or "", _unnamed(questions))


def _image(name: str, image: DownloadedImage, mirrors: Mirrors) -> Wanted:
    questions = tuple(ImageQuestion(source, image.tags) for source in mirrors.sources(image.image))
    return Wanted("image", name, questions, image.missing or "", _unnamed(questions))


def _unnamed(questions: Sequence[object]) -> str:
    return "" if questions else "no mirror is named for it"


def _modules(entry: Entry, cache: Cache) -> Iterator[Wanted]:
    """The modules that programs are from, and the toolchains that the host lacks."""
    host = host_toolchains()
    named = _named_proxies(host, cache)
    modules: dict[tuple[str, str], str] = {}
    for build in entry.go_builds:
        for module in (*required_modules(MODULES / build.module), *_toolchain(build, host)):
            modules.setdefault(module, build.missing_without_go or "")
    unasked = "" if named else "GOPROXY names no proxy that can be asked, or this host has no Go"
    for (path, version), without in modules.items():
        questions = tuple(FileQuestion(Source(module_url(proxy, path, version))) for proxy in named)
        yield Wanted("Go module", f"{path} {version}", questions, without, unasked)


def _toolchain(build: GoBuild, host: Sequence[GoToolchain]) -> Iterator[tuple[str, str]]:
    try:
        choose(build.go, host, build.title)
    except GoMissingError:
        if build.go.toolchain is not None:
            yield MODULE, module_version(build.go.toolchain)


def _named_proxies(host: Sequence[GoToolchain], cache: Cache) -> tuple[str, ...]:
    """As the Go client has them: from the environment, its own settings (`go env -w`), or its default."""
    if not host:
        return proxies(os.environ.get("GOPROXY", ""))
    client = GoClient(host[-1], PINS, cache, threading.Event())
    return proxies(client.run(["env", "GOPROXY"]).stdout)


def _debian(suites: set[str]) -> Iterator[Wanted]:
    for suite in sorted(suites):
        for url in index_urls(suite, architecture()):
            name = url.partition("/dists/")[2]
            yield Wanted("Debian", name, (FileQuestion(Source(url)),))
