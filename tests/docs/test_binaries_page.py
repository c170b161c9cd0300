"""The page about clusters from binaries shows the files as they are; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from lab.cluster.binaries.addons import rights
from lab.cluster.binaries.certificates import certificates
from lab.cluster.binaries.control_plane import api_server, controllers, etcd
from lab.cluster.binaries.node import kube_proxy, kubelet
from lab.cluster.binaries.settings import for_units
from lab.cluster.binaries.work import Installation
from lab.cluster.kubeadm import Membership
from lab.cluster.secrets import load_or_make_secrets
from lab.cluster.tuning import settings_of
from lab.nodes.runtimes import Containerd
from lab.operations.planning import plan_of
from lab.operations.up_order import FROM_BINARIES
from lab.topology.models import Installer
from tests.conftest import TOPOLOGIES

PAGES = [Path(__file__).parents[2] / "docs" / name for name in ("binaries.md", "binaries.zh-CN.md")]
SHOWN = re.compile(
    r"(?P<head>(?<=\n\n)`(?P<name>/[^`\n]+)`[:\uFF1A]\n\n```(?:ini|yaml)\n)(?P<text>.*?)```\n", re.DOTALL
)
"""A path alone in a paragraph, with a colon of either page, and the block after it."""
ROW = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)
RIGHTS = "/apis/rbac.authorization.k8s.io/v1"
"""No file: what is applied."""


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The standard topology with kubeadm's own settings."""
    plan = plan_of(TOPOLOGIES / "underlay-3node.yaml").by(Installer.BINARY)
    settings = for_units(settings_of(plan.kubernetes, Containerd(), emulated=False))
    secrets = load_or_make_secrets(tmp_path_factory.mktemp("secrets") / "secrets.json")
    return Installation(plan, Membership(Containerd(), secrets, settings), ())


@pytest.fixture(scope="module")
def written(of: Installation) -> dict[str, str]:
    """All files of the first control plane that are no secrets, by path."""
    node = of.plan.first_control_plane
    works = [work(of, node) for work in (etcd, api_server, controllers, kubelet, kube_proxy)]
    files = {file.path: file.content for work in works for file in work.files}
    return {**files, RIGHTS: yaml.safe_dump_all(rights(), sort_keys=False)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_shows_every_file_as_it_is_written(page: Path, written: dict[str, str]) -> None:
    text = page.read_text()
    if os.environ.get("UPDATE_GOLDEN") == "1":
        text = SHOWN.sub(lambda found: found["head"] + written[found["name"]] + "```\n", text)
        page.write_text(text)
    shown = {found["name"]: found["text"] for found in SHOWN.finditer(text)}
    assert shown == written


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_has_all_steps_in_their_order(page: Path) -> None:
    table = page.read_text().partition("kubeasz")[2]
    assert ROW.findall(table) == [step.key for step in FROM_BINARIES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_names_every_certificate_and_kubeconfig(page: Path, of: Installation) -> None:
    text = page.read_text()
    paths = [file.path for file in certificates(of, of.plan.first_control_plane).files]
    stems = {path.removesuffix(".crt").removesuffix(".key").removesuffix(".pub") for path in paths}
    assert [stem for stem in sorted(stems) if f"`{stem}`" not in text] == []
