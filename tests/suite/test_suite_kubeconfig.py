"""A kubeconfig that is not usable is told as such, and nothing else is."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest

from acceptance.cluster import Api
from acceptance.expectations import Expectations
from acceptance.inventory import Inventory
from acceptance.investigation import Investigation
from acceptance.pace import Pace
from acceptance.patience import Patience
from acceptance.problems import Problem, SuiteError
from acceptance.shell import SshConnections
from acceptance.workload import BackendService, Workload

SOUND = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://192.0.2.1:6443"}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
users: [{name: u, user: {}}]
"""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\x01",
        "a: [b",
        "- a",
        "some text",
        "a: b",
        SOUND.replace("current-context: x\n", ""),
        SOUND.replace('6443"', '6443", certificate-authority-data: "x"'),
        SOUND.replace('6443"', '6443", certificate-authority: /nowhere/ca.crt'),
        SOUND.replace('cluster: {server: "https://192.0.2.1:6443"}', "cluster: 5"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    Api.connect(_written(file, SOUND))
    with pytest.raises(SuiteError, match=f"the kubeconfig {file} is not usable: .") as told:
        Api.connect(_written(file, text))
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("missing", ["nothing", ""])
def test_a_missing_kubeconfig_is_told(tmp_path: Path, missing: str) -> None:
    with pytest.raises(SuiteError, match="is not usable"):
        Api.connect(tmp_path / missing)


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


@pytest.fixture
def investigation(
    inventory: Inventory, macvlan: Expectations, usual_pace: Pace, tmp_path: Path
) -> Investigation:
    ssh = SshConnections(tmp_path / "ssh_config", tmp_path)
    patience = Patience(lambda: usual_pace, lambda _: None, 1)
    return Investigation(inventory, macvlan, ssh, patience, lambda _: None)


def _ended(error: Exception) -> Future[tuple[Workload, BackendService]]:
    preparing: Future[tuple[Workload, BackendService]] = Future()
    preparing.set_exception(error)
    return preparing


def test_what_is_wrong_with_the_lab_becomes_a_problem(investigation: Investigation) -> None:
    told = investigation._set_up(_ended(SuiteError("the kubeconfig /k is not usable: empty"))).service
    assert told == Problem("the kubeconfig /k is not usable: empty")
    told = investigation._set_up(_ended(ConnectionRefusedError("refused"))).service
    assert told == Problem("the API server 172.31.7.101: refused")


def test_an_error_of_the_suite_itself_is_not_blamed_on_the_lab(investigation: Investigation) -> None:
    with pytest.raises(KeyError, match="role"):
        investigation._set_up(_ended(KeyError("role")))
