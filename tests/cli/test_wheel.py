"""lab installed from a wheel, as by `pipx install .`: it needs nothing of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cli.main import cli
from lab.exercises.recipe import load_recipe
from lab.foundation.paths import shipped
from lab.operations.report import commit_of_checkout

ROOT = Path(__file__).parents[2]
FINGERPRINTS = """
from lab.foundation.files import tree_digest
from lab.operations.keeping.keep import _code_digest
from lab.supply.box.inputs import RECIPE
from lab.supply.catalogue.loader import FOLDER
from lab.supply.go_build import MODULES
from lab.supply.oci import FOLDERS
print(*map(tree_digest, (RECIPE, MODULES, FOLDERS)), _code_digest(), len(list(FOLDER.glob("*.yaml"))))
"""
"""What boxes, images and kept labs are found by in the cache."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a program of an environment with the wheel, from a folder where nothing is.

    The packages that it needs are those of this environment.
    """
    root = tmp_path_factory.mktemp("wheel") / "实验 室" / "50%"
    root.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    without_index = ["--no-index", "--no-deps"]
    subprocess.run(
        [*pip, "wheel", *without_index, "--no-build-isolation", "--wheel-dir", root, ROOT], check=True
    )
    environment = root / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    wheel = next(root.glob("lab-*.whl"))
    subprocess.run([*pip, "--python", python, "install", *without_index, wheel], check=True)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    home = tmp_path_factory.mktemp("home")
    elsewhere = root / "elsewhere"
    elsewhere.mkdir()
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "PYTHON"))},
        "LAB_HOME": str(home),
        "LAB_CACHE": str(home),
    }

    def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [environment / "bin" / program, *words],
            cwd=elsewhere,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_it_runs_from_its_own_files(installed: Run) -> None:
    found = installed("python", "-c", "import lab; print(lab.__file__)")
    assert "/environment/lib/" in found.stdout


def test_all_commands_are_there(installed: Run) -> None:
    said = installed("lab", "--help").stdout
    assert all(f"\n  {name} " in said for name in cli.commands)


def test_the_version_names_the_commit_it_was_built_from(installed: Run) -> None:
    assert installed("lab", "--version").stdout.rstrip().endswith(commit_of_checkout())


@pytest.mark.parametrize("topology", sorted(file.stem for file in (ROOT / "topologies").glob("*.yaml")))
def test_its_topologies_and_the_vagrantfile_come_along(installed: Run, topology: str) -> None:
    valid = installed("lab", "validate", topology)
    assert (valid.returncode, valid.stderr) == (0, "")
    rendered = installed("lab", "render", "--topology", topology)
    assert "Vagrant.configure" in rendered.stdout, rendered.stderr


def test_its_exercises_come_along_with_their_files(installed: Run, tmp_path: Path) -> None:
    listed = installed("lab", "exercise", "list")
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == sorted(
        file.stem for file in (ROOT / "exercises").glob("*.yaml")
    )
    made = installed("lab", "exercise", "make", "coursework-2", "--to", str(tmp_path / "a.exercise"))
    here = load_recipe(ROOT / "exercises" / "coursework-2.yaml")
    assert f"digest {here.digest}" in made.stdout, made.stderr


def test_doctor_looks_at_the_host(installed: Run) -> None:
    assert "libvirtd" in installed("lab", "doctor").stdout


def test_the_suite_comes_along_with_its_settings(installed: Run) -> None:
    where = installed("python", "-c", "from lab.operations.testing import SUITE; print(SUITE)")
    suite = Path(where.stdout.strip())
    asked = installed("python", "-P", "-m", "pytest", str(suite))
    assert "there is no running lab to judge" in asked.stderr
    assert (suite.parent / "pyproject.toml").read_text() == (ROOT / "pyproject.toml").read_text()
    assert list((suite.parent / "examples" / "underlay-cases-files").glob("*.yaml"))


def test_the_cache_is_shared_with_a_checkout(installed: Run) -> None:
    here = subprocess.run([sys.executable, "-c", FINGERPRINTS], capture_output=True, text=True, check=True)
    assert installed("python", "-c", FINGERPRINTS).stdout == here.stdout


def test_in_a_checkout_the_files_lie_beside_the_package() -> None:
    assert shipped("topologies") == ROOT / "topologies"
