"""What nodes are told whose clocks have leapt ahead."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509

from lab.cluster.secrets import load_or_make_secrets
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.foundation.progress import SilentProgress
from lab.modes.registry import mode_named
from lab.operations.context import Lab
from lab.operations.keeping.leap import HOUR, after_leap
from lab.state.records import LabRecord
from lab.topology.loader import find_topology, load_topology
from lab.topology.planner import make_plan
from tests.stand_in_site import PaperParts

DAY = 24 * HOUR
RENEWER = "calico-node -monitor-token"


class NodesOnPaper:
    """Keep the scripts that they are told to run."""

    def __init__(self) -> None:
        self.scripts: Mapping[str, str] = {}

    def run_inside(self, scripts: Mapping[str, str]) -> None:
        self.scripts = scripts


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> NodesOnPaper:
    nodes = NodesOnPaper()
    monkeypatch.setattr(Lab, "machines", nodes)
    return nodes


def lab_in(mode: str, tmp_path: Path) -> Lab:
    plan = make_plan(load_topology(find_topology("underlay-3node")))
    folder = LabFolder(tmp_path / "a")
    record = LabRecord("a", mode=mode, supply="packages", created="")
    return Lab(folder, record, plan, SilentProgress(), PaperParts(folder))


@pytest.mark.parametrize(("mode", "seconds"), [("calico-vxlan", 60.0), ("macvlan", DAY), ("hybridnet", DAY)])
def test_where_nothing_has_run_out_nodes_are_told_nothing(
    tmp_path: Path, nodes: NodesOnPaper, mode: str, seconds: float
) -> None:
    after_leap(lab_in(mode, tmp_path), seconds)
    assert nodes.scripts == {}


def test_a_host_whose_clock_is_behind_is_named(tmp_path: Path, nodes: NodesOnPaper) -> None:
    with pytest.raises(LabError) as refused:
        after_leap(lab_in("macvlan", tmp_path), -8 * HOUR)
    assert str(refused.value) == (
        "the clock of this host is behind that of the lab by 8:00:00\n"
        "tokens and certificates of the cluster are not valid yet, by that clock\n"
        "How to fix it: set the host's clock right, and run the same command again"
    )
    after_leap(lab_in("macvlan", tmp_path), -5.0)


def test_a_day_later_calico_renews_its_plugin_s_token(tmp_path: Path, nodes: NodesOnPaper) -> None:
    after_leap(lab_in("calico-vxlan", tmp_path), DAY)
    assert set(nodes.scripts) == {"k8s-master1", "k8s-node1", "k8s-node2"}
    assert all(RENEWER in script for script in nodes.scripts.values())


def test_only_that_program_of_calico_s_is_ended() -> None:
    """Two programs stand for it and for another one; their names are those of no other process here."""
    script = mode_named("calico-bgp").after_leap
    with subprocess.Popen(["sleep", "86399.5"]) as renewer, subprocess.Popen(["sleep", "86399.6"]) as other:
        run(["bash", "-s"], stdin=script.replace(RENEWER, "sleep 86399.5"))
        assert renewer.wait() == -15
        assert other.poll() is None
        other.kill()


def test_a_year_later_a_worker_s_certificate_that_has_run_out_is_made_anew(
    tmp_path: Path, nodes: NodesOnPaper
) -> None:
    lab = lab_in("macvlan", tmp_path)
    authority = x509.load_pem_x509_certificate(
        load_or_make_secrets(lab.folder.secrets).authority.certificate.encode()
    )
    after_leap(lab, 400 * DAY)
    assert nodes.scripts["k8s-master1"] == ""
    for node in ("k8s-node1", "k8s-node2"):
        script = nodes.scripts[node]
        run(["bash", "-n"], stdin=script)
        assert script.startswith("if ! openssl x509 -checkend ")
        pem = script[script.index("-----BEGIN CERT") : script.index("END\n", script.index("-----END EC"))]
        certificate = x509.load_pem_x509_certificate(pem.encode())
        certificate.verify_directly_issued_by(authority)
        assert f"CN=system:node:{node},O=system:nodes" in certificate.subject.rfc4514_string()
