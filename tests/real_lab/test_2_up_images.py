"""An image that no node and no registry has runs on three nodes, after a rebuild too, and goes again."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.real_lab.lab_under_test import Lab
from tests.real_lab.user_images import make_image, nodes_that_run
from tests.supply.stand_ins import closed_host, real_registry

pytestmark = pytest.mark.real_lab

IMAGE = "lab-selftest:1"
PULLED = f"quay.io/shop/web:{uuid.uuid4().hex}"
"""Of this run alone, so that no cache has it."""
SHOP = Path(__file__).with_name("shop.yaml")
SHOP_IMAGES = ("example/shop-store:2.0", "example/shop-web:1.4")


@pytest.fixture
def archive(lab: Lab, tmp_path: Path) -> Path:
    return make_image(lab, tmp_path, IMAGE)


def nodes_with_the_image(lab: Lab) -> list[str]:
    rows = json.loads(lab("image", "list", "--json"))["images"]
    return next((row["nodes"] for row in rows if row["name"] == IMAGE), [])


def test_a_kept_image_is_on_all_nodes_after_a_rebuild(lab: Lab, archive: Path) -> None:
    lab("image", "load", str(archive), "--keep")
    assert len(nodes_with_the_image(lab)) == 3
    lab("rebuild")
    assert len(nodes_with_the_image(lab)) == 3
    # Nobody has made anything in the cluster that could be lost.
    assert "undo" not in lab("snapshot", "list", "--json")


def test_it_runs_on_three_nodes_under_the_name_that_a_manifest_has(lab: Lab, namespace: str) -> None:
    assert nodes_that_run(lab, namespace, IMAGE) == 3


def test_a_manifest_that_knows_of_no_lab_works_as_it_is(lab: Lab, namespace: str, tmp_path: Path) -> None:
    in_it = ("kubectl", "-n", namespace)
    for name in SHOP_IMAGES:
        lab("image", "load", str(make_image(lab, tmp_path / name.partition(":")[0].replace("/", "-"), name)))
    lab(*in_it, "apply", "-f", str(SHOP))
    for workload in ("store", "web"):
        lab(*in_it, "rollout", "status", f"deployment/{workload}", "--timeout=300s")
    listen = lab("forward", "--background", f"0:svc/{namespace}/web").partition(" ")[0]
    # A pod of the web asks the store by its name, and tells what it answered.
    question = "dial?host=store&port=7000&protocol=http&request=hostname"
    with urlopen(f"http://{listen}/{question}", timeout=120) as page:
        answered = json.load(page)
    lab("forward", "--stop")
    assert [name.rpartition("-")[0].rpartition("-")[0] for name in answered["responses"]] == ["store"]
    for name in SHOP_IMAGES:
        lab("image", "remove", name)


def test_a_removed_image_is_gone(lab: Lab) -> None:
    lab("image", "remove", IMAGE)
    assert nodes_with_the_image(lab) == []


@pytest.fixture
def registry(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[subprocess.Popen[bytes]]:
    """At this host's loopback, behind a mirror that is dead; it has the image as PULLED."""
    path = PULLED.partition("/")[2]
    with real_registry(tmp_path, f"docker-archive:{archive}", path) as (host, server):
        listed = [{"of": "quay.io", "at": f"http://{each}"} for each in (closed_host(), host)]
        (tmp_path / "lab").mkdir()
        (tmp_path / "lab" / "mirrors.yaml").write_text(json.dumps({"only": True, "mirrors": listed}))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        yield server


def test_nodes_pull_an_image_by_its_own_name_while_they_may(
    lab: Lab, namespace: str, registry: subprocess.Popen[bytes]
) -> None:
    in_it = ("kubectl", "-n", namespace)
    lab("image", "through", "open")
    assert json.loads(lab("status", "--json"))["pull_through"]["state"] == "open"
    for attempt in ("first", "again"):
        lab(*in_it, "create", "deployment", attempt, f"--image={PULLED}")
        lab(*in_it, "rollout", "status", f"deployment/{attempt}", "--timeout=300s")
        lab(*in_it, "delete", "deployment", attempt, "--wait")
        lab("image", "remove", PULLED)
        # Without the registry it comes from the cache.
        registry.terminate()
        registry.wait()
    lab("image", "through", "close")
    assert json.loads(lab("status", "--json"))["pull_through"]["state"] == "closed"
