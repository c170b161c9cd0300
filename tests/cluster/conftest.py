from __future__ import annotations

from pathlib import Path

import pytest

from lab.cluster.secrets import ClusterSecrets, load_or_make_secrets


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> ClusterSecrets:
    path: Path = tmp_path_factory.mktemp("cluster") / "secrets.json"
    return load_or_make_secrets(path)
