"""Images from registries that are dead, wrong, plain or have TLS, with containerd and with docker.

cri-dockerd must have been added to the supply (`lab supply add cri-dockerd FILE`), or its tests fail.
Started by `scripts/real-lab-test --doors`, never by `scripts/test`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab.cluster.pki import new_authority
from lab.supply.architecture import architecture
from lab.topology.loader import find_topology
from lab.topology.models import Runtime
from tests.real_lab.lab_under_test import TOPOLOGY
from tests.real_lab.named_lab import NamedLab
from tests.real_lab.user_images import make_image, nodes_that_run, remove_workload
from tests.supply.stand_ins import (
    Conduct,
    SmallImage,
    StandIn,
    closed_host,
    loopback_certificate,
    real_registry,
)

pytestmark = [pytest.mark.real_lab, pytest.mark.doors]

LAB, NEXT = NamedLab("doors"), NamedLab("doors-2")
SECURE, PLAIN = "quay.io", "registry.example"
"""Registries as they are named in manifests."""


@dataclass(frozen=True)
class Sources:
    """The registries of one test, each behind a mirror that is dead and one whose contents are wrong."""

    names: tuple[str, ...]
    """What they have, as in a manifest; of this test alone, so that no cache has it."""
    dropped: tuple[str, ...]
    """What is said of those mirrors."""
    settings: dict[str, str]
    """Environment of `lab`, for it to know them."""
    stack: ExitStack

    def stop(self) -> None:
        """From now on nobody answers."""
        self.stack.close()


@pytest.fixture(scope="module", autouse=True)
def _gone_at_the_end() -> Iterator[None]:
    yield
    for each in (LAB, NEXT, NamedLab("doors-docker")):
        each.take_down()


@pytest.fixture(params=[Runtime.CONTAINERD, Runtime.CRI_DOCKERD], ids=str)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> NamedLab:
    """One with that runtime; what `auto` means depends on the supply."""
    if request.param is Runtime.CONTAINERD:
        LAB.ensure_up()
        return LAB
    topology = yaml.safe_load(find_topology(TOPOLOGY).read_text())
    topology["kubernetes"]["runtime"] = Runtime.CRI_DOCKERD.value
    file = tmp_path / "docker.yaml"
    file.write_text(yaml.safe_dump(topology, sort_keys=False))
    found = NamedLab("doors-docker", str(file))
    found.ensure_up()
    return found


@pytest.fixture
def sources(lab: NamedLab, tmp_path: Path) -> Iterator[Sources]:
    tag = uuid.uuid4().hex
    archive = make_image(lab, tmp_path, f"web:{tag}")
    authority = new_authority("stand-in")
    (tmp_path / "authority.pem").write_text(authority.certificate)
    certificate = loopback_certificate(authority, tmp_path)
    path = f"shop/web:{tag}"
    with ExitStack() as stack:
        dead = closed_host()
        other = SmallImage("bin/web", b"another program", architecture())
        wrong = StandIn(other.served_as("shop/web", tag), Conduct.WRONG)
        stack.callback(wrong.close)
        good = {}
        for registry, shown in ((SECURE, certificate), (PLAIN, None)):
            folder = tmp_path / registry
            folder.mkdir()
            started = real_registry(folder, f"docker-archive:{archive}", path, certificate=shown)
            host, _ = stack.enter_context(started)
            good[registry] = host if shown else f"http://{host}"
        mirrors = [
            {"of": registry, "at": at}
            for registry, host in good.items()
            for at in (f"http://{dead}", f"http://{wrong.host}", host)
        ]
        (tmp_path / "lab").mkdir()
        (tmp_path / "lab" / "mirrors.yaml").write_text(json.dumps({"only": True, "mirrors": mirrors}))
        yield Sources(
            names=tuple(f"{registry}/{path}" for registry in good),
            dropped=(
                f"mirror {dead} dropped: Connection refused",
                f"mirror {wrong.host} dropped: a blob of its",
            ),
            settings={
                "XDG_CONFIG_HOME": str(tmp_path),
                "SSL_CERT_FILE": str(tmp_path / "authority.pem"),
            },
            stack=stack,
        )


def test_pulled_images_run_on_three_nodes_whatever_becomes_of_mirrors(
    lab: NamedLab, sources: Sources, namespace: str
) -> None:
    said = lab.told("image", "pull", *sources.names, **sources.settings)
    for each in sources.dropped:
        assert each in " ".join(said.split())
    sources.stop()
    for name in sources.names:
        assert nodes_that_run(lab, namespace, name) == 3
        remove_workload(lab, namespace)


@pytest.mark.parametrize("lab", [Runtime.CONTAINERD], ids=str, indirect=True)
def test_the_next_lab_pulls_from_the_cache_what_one_has_pulled(lab: NamedLab, sources: Sources) -> None:
    """docker knows no mirrors of other registries than Docker Hub."""
    for each in (lab, NEXT):
        if each is NEXT:
            lab("down")
            sources.stop()
            each.ensure_up()
        each.told("image", "through", "open", **sources.settings)
        each("kubectl", "create", "namespace", "through")
        for name in sources.names:
            assert nodes_that_run(each, "through", name) == 3
            remove_workload(each, "through")
    NEXT("down")
