"""One real lab for all tests of this folder, which run in the order of their file names."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.real_lab.lab_under_test import NAME, HostTrace, Lab, failed_checks


@pytest.fixture(scope="session", autouse=True)
def _name() -> Iterator[None]:
    os.environ["LAB_NAME"] = NAME
    yield
    del os.environ["LAB_NAME"]


@pytest.fixture(scope="session")
def before() -> Iterator[HostTrace]:
    """The host before the lab; whatever happens, the lab is taken down at the end."""
    if NAME in HostTrace.now().labs:
        print(f"taking down the lab {NAME}, which a run of these tests that was killed has left")  # noqa: T201
        subprocess.run(["lab", "down", "--name", NAME], check=True)
    yield HostTrace.now()
    subprocess.run(["lab", "down", "--name", NAME], check=False, capture_output=True)


@pytest.fixture(scope="session")
def lab(before: HostTrace) -> Lab:
    """Runs `lab` with the words and returns what it printed; its progress goes to the terminal."""

    def run(*words: str) -> str:
        began = time.time()
        done = subprocess.run(["lab", *words], stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout)  # noqa: T201 - pytest shows it
        assert done.returncode == 0, "\n".join(
            (f"lab {' '.join(words)}: exit status {done.returncode}", *failed_checks(began))
        )
        return done.stdout

    return run


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    """Of one test in the cluster; none waits until the pods of the one before have ended."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    lab("kubectl", "create", "namespace", name)
    yield name
    lab("kubectl", "delete", "namespace", name, "--wait=false")
