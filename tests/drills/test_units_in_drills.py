"""What a drill does to etcd and the API server where they are units of systemd."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from lab.drills.drill import Ground
from lab.drills.static_pods import start_static_pod, stop_static_pod
from lab.topology.models import Installer
from lab.topology.plan import NodePlan, Plan


@pytest.mark.parametrize("installer", list(Installer))
def test_a_program_is_killed_at_once_and_stays_away(plan: Plan, installer: Installer) -> None:
    ran: list[str] = []

    def run(node: NodePlan, script: str, what: str) -> None:
        ran.append(script)

    ground = cast(Ground, SimpleNamespace(plan=plan.by(installer), run=run))
    stop_static_pod(ground, plan.first_control_plane, "etcd")
    start_static_pod(ground, plan.first_control_plane, "etcd")
    stopped, started = ran
    units = installer is Installer.BINARY
    assert ("systemctl kill --signal=KILL etcd.service" in stopped) is units
    assert ("systemctl start --no-block etcd.service" in started) is units
    assert ("/etc/kubernetes/manifests" in stopped + started) is not units
