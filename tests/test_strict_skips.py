"""A run in which a test was skipped for no good reason is not green."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.strict_skips import EXPECTED

HOOKS = "from strict_skips import pytest_addoption, pytest_make_collect_report, pytest_runtest_makereport\n"
SKIPPED = {
    "in the test": "import pytest\ndef test_it(): pytest.skip('REASON')\n",
    "by a fixture": (
        "import pytest\n@pytest.fixture\ndef root(): pytest.skip('REASON')\ndef test_it(root): pass\n"
    ),
    "by a mark": "import pytest\n@pytest.mark.skipif(True, reason='REASON')\ndef test_it(): pass\n",
    "all of a file": "import pytest\npytest.skip('REASON', allow_module_level=True)\n",
}


def _run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(HOOKS)
    path = os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, *options, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.mark.parametrize("how", SKIPPED)
def test_an_unexpected_skip_fails(tmp_path: Path, how: str) -> None:
    good = "def test_good(): pass\n"
    (tmp_path / "test_good.py").write_text(good)
    (tmp_path / "test_it.py").write_text(SKIPPED[how].replace("REASON", "needs root"))
    assert _run(tmp_path).returncode == pytest.ExitCode.OK
    strict = _run(tmp_path, "--strict-skips")
    assert strict.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert "skipped: needs root. No test may be skipped here" in strict.stdout


def test_an_expected_skip_and_an_expected_failure_do_not_fail(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        SKIPPED["by a mark"].replace("REASON", EXPECTED[0])
        + "@pytest.mark.xfail\ndef test_known(): raise ValueError\n"
    )
    done = _run(tmp_path, "--strict-skips")
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert "1 skipped, 1 xfailed" in done.stdout
