"""Fixtures of several control planes, for tests of drills."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.cluster.secrets import ClusterSecrets, load_or_make_secrets
from lab.topology.loader import load_topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES
from tests.drills.small_cluster import SmallCluster


@pytest.fixture(scope="session")
def three() -> Plan:
    return make_plan(load_topology(TOPOLOGIES / "ha-3node.yaml"))


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> ClusterSecrets:
    return load_or_make_secrets(tmp_path_factory.mktemp("drills") / "secrets.json")


@pytest.fixture
def cluster(three: Plan, secrets: ClusterSecrets) -> Iterator[SmallCluster]:
    made = SmallCluster(three, secrets)
    yield made
    made.close()
