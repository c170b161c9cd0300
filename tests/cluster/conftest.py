from __future__ import annotations

from pathlib import Path

import pytest

from lab.cluster.api import ClusterApi
from lab.cluster.kubeadm import Membership
from lab.cluster.secrets import ClusterSecrets, load_or_make_secrets
from lab.cluster.tuning import Settings, settings_of
from lab.nodes.runtimes import Containerd
from lab.topology.plan import Plan
from tests.cluster.api_server import ApiServer
from tests.stand_in_site import Here


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> ClusterSecrets:
    path: Path = tmp_path_factory.mktemp("cluster") / "secrets.json"
    return load_or_make_secrets(path)


@pytest.fixture
def settings(plan: Plan) -> Settings:
    """Those of a cluster without KVM, on containerd."""
    return settings_of(plan.kubernetes, Containerd(), emulated=True)


@pytest.fixture
def membership(secrets: ClusterSecrets, settings: Settings) -> Membership:
    return Membership(Containerd(), secrets, settings)


@pytest.fixture
def api(server: ApiServer, tmp_path: Path) -> ClusterApi:
    """The client of the stand-in that the test's own fixture `server` has started."""
    server.write_kubeconfig(tmp_path / "kubeconfig")
    return ClusterApi(tmp_path / "kubeconfig", Here())
