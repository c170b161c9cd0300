"""Whatever a file holds, it is either a topology with a plan, or findings with their places."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.topology.findings import TopologyError
from lab.topology.graph import render_svg
from lab.topology.loader import find_topology, load_topology
from lab.topology.planner import make_plan

TEXT = find_topology("course-exact").read_text()

examples = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**40),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(
        ("172.31.0.0/21", "10.0.0.0/8", "0.0.0.0/0", "172.31.0.2", "2GiB", "uplink", "worker", "underlay")
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def judge(file: Path) -> None:
    try:
        topology = load_topology(file, known_modes=("macvlan",))
    except TopologyError as error:
        findings = error.findings
    else:
        render_svg(make_plan(topology))
        return
    assert findings
    assert all(str(finding).startswith(f"{file}:") for finding in findings)
    assert all(finding.position.line >= 1 and finding.position.column >= 1 for finding in findings)


@examples
@given(st.data())
def test_any_value_at_any_place(tmp_path: Path, data: st.DataObject) -> None:
    whole = yaml.safe_load(TEXT)
    holder = whole
    while True:
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        inner = holder[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            break
        holder = inner
    if isinstance(holder, dict) and data.draw(st.booleans()):
        holder[data.draw(st.text(max_size=6))] = data.draw(values)
    else:
        holder[key] = data.draw(values)
    file = tmp_path / "any.yaml"
    file.write_text(yaml.safe_dump(whole, sort_keys=False, allow_unicode=data.draw(st.booleans())))
    judge(file)


@examples
@given(st.integers(0, len(TEXT)), st.integers(0, 30), st.text(max_size=6))
def test_any_text_in_place_of_another(tmp_path: Path, start: int, length: int, put: str) -> None:
    file = tmp_path / "any.yaml"
    file.write_text(TEXT[:start] + put + TEXT[start + length :])
    judge(file)


@examples
@given(st.binary(max_size=60))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(content)
    judge(file)


def bomb(line: str, lines: int) -> str:
    """Lines of which each holds nine aliases of the one before."""
    rest = (line.format(i=i, aliases=", ".join([f"*a{i - 1}"] * 9)) for i in range(1, lines))
    return "".join(("a0: &a0 {k: x}\n", *rest))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (bomb("a{i}: &a{i} [{aliases}]\n", 12), "more than 20000 values"),
        (bomb("a{i}: &a{i}\n  <<: [{aliases}]\n", 40), "more than 20000 values"),
        ("a" * 300_000, "more than 262144 bytes"),
    ],
    ids=["aliases", "merges", "long"],
)
def test_what_would_take_for_ever_to_read_is_refused_at_once(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "bomb.yaml"
    file.write_text(text)
    with pytest.raises(TopologyError, match="has 1 error") as refused:
        load_topology(file)
    assert reason in str(refused.value)


def test_many_errors_of_one_kind_take_no_longer_each(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("k: 1\n" * 15_000)
    with pytest.raises(TopologyError) as refused:
        load_topology(file)
    assert len(refused.value.findings) >= 15_000 - 1


def test_a_long_value_is_shown_by_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    file.write_text(TEXT.replace("name: course-exact", f"name: {'9' * 5000}"))
    with pytest.raises(TopologyError) as refused:
        load_topology(file)
    assert len(str(refused.value.details)) < 1000


@pytest.mark.parametrize("name", ["on", "no", "null", "5", "010", "1e3", "2024-01-01"])
def test_a_key_is_the_text_that_was_written(tmp_path: Path, name: str) -> None:
    file = tmp_path / "any.yaml"
    file.write_text(TEXT.replace("storage:", f"{name}:"))
    plan = make_plan(load_topology(file))
    assert plan.network(name).name == name
    assert all(node.nic_on(name) for node in plan.nodes)


@pytest.mark.parametrize("name", ["y", "off", "1e3", "12e03", "0o17", "0b1", "2024-01-01"])
def test_a_node_has_no_name_that_kubeadm_would_not_read_as_text(tmp_path: Path, name: str) -> None:
    file = tmp_path / "any.yaml"
    file.write_text(TEXT.replace("k8s-node03:", f"{name}:"))
    with pytest.raises(
        TopologyError, match=f"a node named '{name}', expected a name that YAML takes for text"
    ):
        load_topology(file)
