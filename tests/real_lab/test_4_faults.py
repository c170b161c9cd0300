"""The acceptance suite must fail, and name the cause, on a real lab with a known fault; then pass again.

The lab is the one that the tests before these have left in mode flannel-vxlan. Each fault is undone whatever
happens.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real_lab, pytest.mark.faults]

ROOT = Path(__file__).parent.parent.parent
LAB = Path(sys.executable).with_name("lab")
NODE = "k8s-node1"
FLANNEL = ("daemonset/kube-flannel-ds", "-n", "kube-flannel")
KUBE_PROXY = ("daemonset/kube-proxy", "-n", "kube-system")
SETTLE_SECONDS = 240.0


@dataclass(frozen=True)
class Judgement:
    """What `pytest acceptance/` said."""

    status: int
    output: str


def judge() -> Judgement:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "acceptance/", "-q", "--color=no"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    return Judgement(done.returncode, done.stdout)


def lab(*words: str) -> str:
    """What the `lab` command prints. The test ends when it fails."""
    done = subprocess.run([str(LAB), *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"lab {' '.join(words)}: {done.stderr or done.stdout}"
    return done.stdout


def on_node(command: str) -> str:
    return lab("exec", NODE, "--", "bash", "-c", command)


def patch(target: tuple[str, ...], kind: str, change: object) -> None:
    lab("kubectl", "patch", *target, f"--type={kind}", "-p", json.dumps(change))


def settled(condition: Callable[[], bool], what: str) -> None:
    """Wait until a fault, or its undoing, has reached the node."""
    end = time.monotonic() + SETTLE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"{what}: not so after {SETTLE_SECONDS:.0f} s"
        time.sleep(2)


@pytest.fixture(scope="module")
def mode() -> str:
    """The mode of the running lab; without a lab these tests fail."""
    return str(json.loads(lab("inventory", "--json"))["mode"])


@contextmanager
def forward_drop() -> Iterator[None]:
    on_node("iptables -P FORWARD DROP")
    try:
        yield
    finally:
        on_node("iptables -P FORWARD ACCEPT")


@contextmanager
def kube_proxy_gone() -> Iterator[None]:
    """kube-proxy's pod leaves one node; those of the other nodes are not touched."""
    elsewhere = {
        "matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [NODE]}]
    }
    affinity = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [elsewhere]}}
    }
    try:
        patch(KUBE_PROXY, "merge", {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}})
        patch(KUBE_PROXY, "merge", {"spec": {"template": {"spec": {"affinity": affinity}}}})
        settled(lambda: not _kube_proxy_runs(), f"kube-proxy left {NODE}")
        yield
    finally:
        patch(KUBE_PROXY, "merge", {"spec": {"template": {"spec": {"affinity": None}}}})
        patch(KUBE_PROXY, "merge", {"spec": {"updateStrategy": {"type": "RollingUpdate"}}})
        settled(_kube_proxy_runs, f"kube-proxy is back on {NODE}")


def _kube_proxy_runs() -> bool:
    return "yes" in on_node("grep -qsx kube-proxy /proc/[0-9]*/comm && echo yes || echo no")


@contextmanager
def kube_proxy_halted() -> Iterator[None]:
    """kube-proxy is there, and does nothing."""
    signal = "for f in $(grep -lsx kube-proxy /proc/[0-9]*/comm); do kill -{} $(basename $(dirname $f)); done"
    on_node(signal.format("STOP"))
    try:
        yield
    finally:
        on_node(signal.format("CONT"))


@contextmanager
def flannel_on_the_uplink() -> Iterator[None]:
    """flannel's daemon is told to use eth0, where it should use the underlay's eth1."""
    spec = json.loads(lab("kubectl", "get", *FLANNEL, "-o", "json"))["spec"]
    before = spec["template"]["spec"]["containers"][0]["args"]
    wrong = ["--iface=eth0" if word.startswith("--iface=") else word for word in before]
    assert wrong != before, f"flannel's daemon has no --iface: {before}"
    where = "/spec/template/spec/containers/0/args"
    fast = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}}
    try:
        patch(FLANNEL, "merge", {"spec": {"updateStrategy": fast}})
        patch(FLANNEL, "json", [{"op": "replace", "path": where, "value": wrong}])
        settled(lambda: "eth0" in _vxlan(), f"flannel.1 of {NODE} lies on eth0")
        yield
    finally:
        patch(FLANNEL, "json", [{"op": "replace", "path": where, "value": before}])
        settled(lambda: "eth1" in _vxlan(), f"flannel.1 of {NODE} lies on eth1")
        lab("kubectl", "rollout", "status", *FLANNEL, "--timeout=110s")
        patch(FLANNEL, "merge", {"spec": {"updateStrategy": spec["updateStrategy"]}})


def _vxlan() -> str:
    return on_node("ip -d link show flannel.1 2>/dev/null | grep -o 'dev eth[0-9]' || true")


def assert_caught(said: Judgement, *causes: str) -> None:
    assert said.status == 1, f"pytest acceptance/ ended with {said.status}:\n{said.output}"
    for cause in causes:
        assert cause in said.output, f"the suite does not say {cause!r}:\n{said.output}"


def test_forward_drop_is_named(mode: str) -> None:
    with forward_drop():
        assert_caught(judge(), f"FORWARD policy is DROP on {NODE}")


def test_kube_proxy_gone_is_named(mode: str) -> None:
    with kube_proxy_gone():
        assert_caught(
            judge(), f"kube-proxy is not running on {NODE}", f"kube-proxy on {NODE} does not program rules"
        )


def test_kube_proxy_halted_is_named(mode: str) -> None:
    with kube_proxy_halted():
        assert_caught(judge(), f"kube-proxy on {NODE} is stopped")


def test_flannel_on_the_wrong_nic_is_named(mode: str) -> None:
    assert mode == "flannel-vxlan", "the lab runs in another mode: `lab rebuild --mode flannel-vxlan` first"
    with flannel_on_the_uplink():
        assert_caught(judge(), f"flannel on {NODE} uses eth0 (192.168.31.102), expected eth1 (172.31.7.102)")


def test_the_lab_is_healthy_again(mode: str) -> None:
    said = judge()
    assert said.status == 0, said.output
