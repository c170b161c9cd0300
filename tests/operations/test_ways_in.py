"""What ssh and Ansible are told of a lab, beside another lab of the same topology."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.foundation.files import write_atomically
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.host.enclosure import Enclosure
from lab.host.layout import SOCKET_PATH_LIMIT
from lab.operations.context import Lab
from lab.operations.inventory import SHARED_NAME_LENGTH, ansible_inventory
from lab.operations.ssh_config import ssh_config_text, write_ssh_config
from lab.state.records import LabRecord
from lab.topology.plan import Plan
from tests.stand_in_site import PaperParts

SHARING = "Host *\n  ControlMaster auto\n  ControlPath {folder}/%C\n"


def lab_in(root: Path, plan: Plan) -> Lab:
    folder = LabFolder(root)
    folder.root.mkdir(parents=True)
    record = LabRecord(root.name, mode="macvlan", supply="packages", created="", ready=True)
    lab = Lab(folder, record, plan, SilentProgress(), PaperParts(folder))
    write_ssh_config(lab)
    return lab


def settings_of_ssh(config: Path, host: str) -> dict[str, str]:
    said = subprocess.run(["ssh", "-G", "-F", config, host], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in said.stdout.splitlines())


def test_ssh_reads_the_line_that_leads_into_the_lab(plan: Plan, root: Path) -> None:
    lab = lab_in(root / "a", plan)
    enclosure = Enclosure(lab.folder)
    write_atomically(lab.folder.ssh_config, ssh_config_text(plan, lab.key_files, enclosure))
    words = ["ssh", "-F", str(lab.folder.ssh_config), "k8s-node1", "true"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 255
    assert "the lab a is not running" in done.stderr


def variables(lab: Lab) -> list[dict[str, Any]]:
    groups = yaml.safe_load(ansible_inventory(lab))["all"]["children"]
    return [host for group in groups.values() for host in group["hosts"].values()]


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short one, as of a test without a long name."""
    return tmp_path_factory.mktemp("r")


@pytest.fixture
def labs(plan: Plan, root: Path) -> list[Lab]:
    return [lab_in(root / name, plan) for name in ("a", "b")]


def test_the_users_shared_connections_are_none_of_a_labs(labs: list[Lab], tmp_path: Path) -> None:
    for lab in labs:
        config = tmp_path / "config"
        config.write_text(f"Include {lab.folder.ssh_config}\n" + SHARING.format(folder=tmp_path))
        assert "controlpath" not in settings_of_ssh(config, "k8s-node1")
        assert "controlpath" in settings_of_ssh(config, "elsewhere")


def test_the_suite_still_shares_its_own(labs: list[Lab], tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(SHARING.format(folder=tmp_path) + f"Include {labs[0].folder.ssh_config}\n")
    assert settings_of_ssh(config, "k8s-node1")["controlpath"].startswith(f"{tmp_path}/")


def test_a_lab_knows_its_own_nodes_alone(labs: list[Lab]) -> None:
    for lab in labs:
        said = settings_of_ssh(lab.folder.ssh_config, "k8s-node1")
        assert said["userknownhostsfile"] == str(lab.folder.root / "keys" / "known_hosts")
        assert said["identityfile"] == str(lab.folder.root / "keys" / "id_ecdsa")
        assert said["stricthostkeychecking"] in ("true", "yes")


def test_ansible_shares_connections_within_one_lab_only(labs: list[Lab]) -> None:
    folders = [{each["ansible_control_path_dir"] for each in variables(lab)} for lab in labs]
    assert folders == [{str(lab.folder.root / "cp")} for lab in labs]


def test_ansible_shares_none_where_the_path_of_a_socket_is_too_long(plan: Plan, root: Path) -> None:
    room = SOCKET_PATH_LIMIT - SHARED_NAME_LENGTH - len("/cp/") - len(f"{root}/")
    fits, too_long = (lab_in(root / ("x" * length), plan) for length in (room, room + 1))
    assert all("ansible_control_path_dir" in each for each in variables(fits))
    for each in variables(too_long):
        assert each == {"ansible_ssh_common_args": f"-F {too_long.folder.ssh_config} -o ControlPath=none"}
