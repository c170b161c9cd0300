"""Topology files: good ones load, wrong ones say everything that is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.foundation.errors import WrongUseError
from lab.topology.findings import TopologyError
from lab.topology.loader import find_topology, known_topologies, load_topology
from lab.topology.models import Topology

MODES = ("flannel-vxlan", "hybridnet", "macvlan")
MALFORMED = Path(__file__).parent / "malformed"
OWN_TOPOLOGIES = Path(__file__).parent.parent.parent / "topologies"

GOOD = """\
name: good
kubernetes: {version: v1.24.10}
mode: macvlan
networks:
  uplink: {role: uplink, cidr: 192.168.31.0/24}
  underlay: {role: underlay, cidr: 172.31.0.0/21, pod_range: 172.31.6.1-172.31.6.254}
nodes:
  master:
    role: control-plane
    cpus: 2
    memory: 2GiB
    addresses: {uplink: 192.168.31.101, underlay: 172.31.7.101}
"""


def load_text(folder: Path, text: str) -> Topology:
    file = folder / "topology.yaml"
    file.write_text(text)
    return load_topology(file, known_modes=MODES)


def findings_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(TopologyError) as caught:
        load_text(folder, text)
    return [finding.text for finding in caught.value.findings]


@pytest.mark.parametrize("name", sorted(file.stem for file in MALFORMED.glob("*.yaml")))
def test_malformed_topology_says_all_that_is_wrong(
    name: str, monkeypatch: pytest.MonkeyPatch, compare_with_golden: Callable[[Path, str], None]
) -> None:
    monkeypatch.chdir(MALFORMED)
    with pytest.raises(TopologyError) as caught:
        load_topology(Path(f"{name}.yaml"), known_modes=MODES)
    assert caught.value.exit_code == 2
    assert caught.value.details is not None
    compare_with_golden(MALFORMED / f"{name}.txt", caught.value.details + "\n")


def test_every_golden_text_belongs_to_a_malformed_topology() -> None:
    names = {file.stem for file in MALFORMED.glob("*.yaml")}
    assert len(names) >= 20
    assert {file.stem for file in MALFORMED.glob("*.txt")} == names


@pytest.mark.parametrize("file", sorted(MALFORMED.glob("*.txt")), ids=lambda file: file.stem)
def test_every_finding_has_a_place_that_exists_in_its_file(file: Path) -> None:
    lines = file.with_suffix(".yaml").read_bytes().split(b"\n")
    for line in file.read_text().splitlines():
        place = re.match(rf"{file.stem}\.yaml:(\d+):(\d+): .*(found|expected|not valid YAML)", line)
        assert place is not None, line
        row, column = int(place[1]), int(place[2])
        assert 1 <= row <= len(lines)
        assert 1 <= column <= len(lines[row - 1]) + 1


@pytest.mark.parametrize("file", sorted(OWN_TOPOLOGIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_own_topologies_are_right_and_bear_the_name_of_their_file(file: Path) -> None:
    assert load_topology(file, known_modes=MODES).name == file.stem


def test_left_out_keys_have_their_defaults(tmp_path: Path) -> None:
    topology = load_text(tmp_path, GOOD)
    assert str(topology.kubernetes.pod_cidr) == "10.200.0.0/16"
    assert str(topology.kubernetes.service_cidr) == "10.96.0.0/16"
    assert topology.kubernetes.node_network == "underlay"
    assert topology.networks["uplink"].mtu == 1500
    assert topology.networks["uplink"].gateway_address == IPv4Address("192.168.31.1")
    assert topology.nodes["master"].taints is None


def test_all_optional_keys_are_understood(tmp_path: Path) -> None:
    text = GOOD.replace(
        "mode: macvlan", "mode: macvlan\nmode_options: {host_shim: false, mtu: 1400, master: eth1}"
    ).replace(
        "    memory: 2GiB",
        "    memory: 1536MiB\n    labels: {network: underlay-nethost, example.org/rack: ''}\n    taints: []",
    )
    topology = load_text(tmp_path, text)
    assert topology.mode_options == {"host_shim": False, "mtu": 1400, "master": "eth1"}
    assert topology.nodes["master"].labels == {"network": "underlay-nethost", "example.org/rack": ""}
    assert topology.nodes["master"].taints == ()


def test_anchors_and_merges_are_followed_and_own_keys_win(tmp_path: Path) -> None:
    text = GOOD.replace("  master:\n", "  master: &master\n") + (
        "  worker:\n    <<: *master\n    role: worker\n"
        "    addresses: {uplink: 192.168.31.102, underlay: 172.31.7.102}\n"
    )
    topology = load_text(tmp_path, text)
    assert topology.nodes["worker"].role == "worker"
    assert topology.nodes["worker"].memory == "2GiB"


def test_merged_mistakes_are_placed_where_they_are_written(tmp_path: Path) -> None:
    text = GOOD.replace("  master:\n", "  master: &master\n").replace("2GiB", "2G") + (
        "  worker:\n    <<: *master\n    role: worker\n"
        "    addresses: {uplink: 192.168.31.102, underlay: 172.31.7.102}\n"
    )
    with pytest.raises(TopologyError) as caught:
        load_text(tmp_path, text)
    assert {finding.position.line for finding in caught.value.findings} == {11}


def test_aliases_that_multiply_end(tmp_path: Path) -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    (finding,) = findings_of(tmp_path, f"{GOOD}l0: &l0 [x]\n{levels}\n")
    assert "more than 20000 values" in finding


def test_deep_nesting_ends(tmp_path: Path) -> None:
    (finding,) = findings_of(tmp_path, f"{GOOD}deep: {'[' * 3000}{']' * 3000}\n")
    assert "nested" in finding


def test_service_cidr_inside_the_underlay_is_accepted_by_the_word(tmp_path: Path) -> None:
    inside = GOOD.replace("{version: v1.24.10}", "{version: v1.24.10, service_cidr: 172.31.5.0/24}")
    (refused,) = findings_of(tmp_path, inside)
    assert "ARP for 172.31.5.1" in refused
    accepted = load_text(tmp_path, inside + "allow: [service-cidr-inside-underlay]\n")
    assert str(accepted.kubernetes.service_cidr) == "172.31.5.0/24"


def test_the_word_does_not_accept_other_overlaps(tmp_path: Path) -> None:
    text = GOOD.replace("{version: v1.24.10}", "{version: v1.24.10, service_cidr: 172.16.0.0/12}")
    (finding,) = findings_of(tmp_path, text + "allow: [service-cidr-inside-underlay]\n")
    assert "overlaps 172.31.0.0/21 of the network 'underlay'" in finding


def test_a_file_that_cannot_be_read_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match=r"cannot read .*none\.yaml: No such file"):
        load_topology(tmp_path / "none.yaml")
    with pytest.raises(WrongUseError, match="Is a directory"):
        load_topology(tmp_path)


def test_error_counts_its_findings_and_says_where_to_read_on(tmp_path: Path) -> None:
    with pytest.raises(TopologyError) as caught:
        load_text(tmp_path, GOOD.replace("cpus: 2", "cpus: 0"))
    assert "has 1 error" in caught.value.brief
    assert "docs/topologies.md" in str(caught.value)


def test_find_topology_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "topologies" / "mine.yaml"
    mine.parent.mkdir()
    mine.write_text(GOOD)
    assert find_topology("mine") == mine
    assert find_topology("topologies/mine.yaml") == Path("topologies/mine.yaml")
    assert find_topology("underlay-3node") == OWN_TOPOLOGIES / "underlay-3node.yaml"
    assert {"mine", "underlay-3node", "overlay-3node", "course-exact"} <= set(known_topologies())


def test_own_folder_comes_after_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "topologies" / "underlay-3node.yaml"
    mine.parent.mkdir()
    mine.write_text(GOOD)
    assert find_topology("underlay-3node") == mine


def test_unknown_topology_lists_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WrongUseError) as caught:
        find_topology("underlay3node")
    assert "did you mean 'underlay-3node'?" in caught.value.brief
    assert "'course-exact'" in str(caught.value.resolution)
    with pytest.raises(WrongUseError, match=r"no topology file mine\.yaml"):
        find_topology("mine.yaml")
