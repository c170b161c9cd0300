"""The suite's expectation files, and what happens when one is missing or wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.expectations import FOLDER, Expectations, Source, Way, load_expectations, read_expectations
from acceptance.problems import SuiteError


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_file_is_complete_and_for_its_mode(file: Path) -> None:
    assert load_expectations(file.stem, {}).mode == file.stem


def test_an_overlay_hides_its_pods_and_an_underlay_shows_them(
    flannel: Expectations, macvlan: Expectations
) -> None:
    assert not flannel.reach[Way.LAN_HOST_TO_POD].answers
    assert flannel.reach[Way.POD_TO_LAN_HOST].source is Source.NODE_UNDERLAY
    assert macvlan.reach[Way.LAN_HOST_TO_POD].answers
    assert macvlan.reach[Way.POD_TO_LAN_HOST].source is Source.POD
    assert (flannel.pods.mtu, macvlan.pods.mtu) == (1450, 1500)


def test_without_the_shim_a_node_and_its_own_pods_are_strangers(macvlan: Expectations) -> None:
    bare = load_expectations("macvlan", {"host_shim": False})
    for way in (Way.NODE_TO_OWN_POD, Way.POD_TO_OWN_NODE):
        assert macvlan.reach[way].answers
        assert not bare.reach[way].answers
        assert bare.reach[way].source is None
    assert bare.reach[Way.NODE_TO_OTHER_POD] == macvlan.reach[Way.NODE_TO_OTHER_POD]
    assert not bare.ready


def test_a_variant_that_does_not_fit_changes_nothing(macvlan: Expectations) -> None:
    assert load_expectations("macvlan", {"host_shim": True}) == macvlan


def test_a_mode_without_expectations_is_an_error_that_names_what_is_known() -> None:
    with pytest.raises(
        SuiteError, match=r"no expectations for mode ipvlan-l9: it knows bridge, calico-bgp, calico-ipip, "
    ):
        load_expectations("ipvlan-l9", {})


def _changed(tmp_path: Path, old: str, new: str) -> Path:
    text = (FOLDER / "macvlan.yaml").read_text()
    assert old in text
    (tmp_path / "macvlan.yaml").write_text(text.replace(old, new))
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  pod-to-uplink: {answers: true, source: pod}\n", "", "nothing is said about pod-to-uplink"),
        ("  dns: {answers: true}\n", "", "nothing is said about dns"),
        ("pod-to-uplink: {answers: true, source: pod}", "pod-to-uplink: {answers: true}", "needs a source"),
        ("mtu: 1500", "mtu: large", "pods.mtu: "),
        ("ready: true", "redy: true", "redy: Extra inputs"),
        ("other_pod: {nic: underlay}", "other_pod: {nic: underlay, device: eth1}", "exactly one of"),
        ("mode: macvlan\n", "- macvlan\n", "not a YAML mapping"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        load_expectations("macvlan", {}, _changed(tmp_path, old, new))


def test_a_file_of_ones_own_is_read_as_those_of_the_suite(tmp_path: Path) -> None:
    own = _changed(tmp_path, "mode: macvlan", "mode: ours") / "macvlan.yaml"
    expected = read_expectations(own, {"host_shim": False})
    assert expected.mode == "ours"
    assert not expected.reach[Way.NODE_TO_OWN_POD].answers


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"- a\n", "is not a YAML mapping"),
        (b"\xff\xfe\x00", "is not a YAML mapping"),
        (b"mode: ours\n", "is not right: kind: Field required"),
    ],
)
def test_a_file_that_says_nothing_usable_is_an_error(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    own = tmp_path / "own.yaml"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(SuiteError, match=complaint):
        read_expectations(own, {})
