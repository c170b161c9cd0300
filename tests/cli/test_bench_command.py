"""`lab bench` on the command line, without a lab."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.bench.result import Bench
from lab.cli import benching
from lab.cli.main import cli
from lab.foundation.paths import LabFolder
from tests.bench.results import bench, mode, series

MEASURED = bench(
    mode("flannel-vxlan", series([1500.0] * 4, octets=312), mtu=1450), mode("bridge", series([1000.0] * 4))
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(MEASURED.as_json()))
    return path


def test_table_and_page_are_made_again_from_json(written: Path) -> None:
    done = CliRunner().invoke(cli, ["bench", "--from", str(written)])
    assert done.exit_code == 0, done.output
    assert "Mode flannel-vxlan:" in done.output
    assert "1.50 (1.50-1.50)" in done.output
    assert "+50" in done.output
    assert "1450" in done.output
    assert "flannel-vxlan" in written.with_suffix(".html").read_text()


def test_json_comes_out_as_it_went_in(written: Path) -> None:
    done = CliRunner().invoke(cli, ["bench", "--from", str(written), "--json"])
    assert json.loads(done.output) == json.loads(json.dumps(MEASURED.as_json()))


@pytest.mark.parametrize("text", ["{", "[]", '{"modes": [{}]}', "{}"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    done = CliRunner().invoke(cli, ["bench", "--from", str(path)], standalone_mode=False)
    assert "is not what lab bench wrote" in str(done.exception)


def test_modes_are_named_or_all() -> None:
    done = CliRunner().invoke(cli, ["bench", "--mode", "macvlan", "--all-modes"])
    assert done.exit_code == 2
    assert "cannot be used together" in done.output


def test_what_is_measured_is_written_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def bench_modes(_: LabFolder, modes: tuple[str, ...], __: object, told: object) -> Bench:
        asked.append(modes)
        assert callable(told)
        told(MEASURED)
        return MEASURED

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benching, "the_lab", lambda _: LabFolder(tmp_path / "mine"))
    monkeypatch.setattr(benching, "bench_modes", bench_modes)
    done = CliRunner().invoke(cli, ["bench", "--mode", "flannel-vxlan,bridge"])
    assert done.exit_code == 0, done.output
    assert asked == [("flannel-vxlan", "bridge")]
    assert json.loads((tmp_path / "reports" / "bench-mine.json").read_text())["schema"] == "lab.bench/1"
    assert (tmp_path / "reports" / "bench-mine.html").exists()
