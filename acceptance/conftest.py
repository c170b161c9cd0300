"""Finds the lab, enters its network, gathers the evidence once for all checks."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from acceptance import not_judged, unknown_mode
from acceptance.cluster import Api
from acceptance.control_planes import planes_of
from acceptance.diagnosis import Topic
from acceptance.evidence import AfterReboot, Evidence
from acceptance.expectations import UNKNOWN, Expectations, Way, load_expectations, read_expectations
from acceptance.inventory import Inventory, read_inventory
from acceptance.investigation import Investigation
from acceptance.loss import loss_pairs
from acceptance.matrix import pairs
from acceptance.namespace import claim_lab, enter_network_namespace
from acceptance.pace import measure
from acceptance.patience import Patience
from acceptance.policies import case_names
from acceptance.problems import Problem, SuiteError
from acceptance.questions import question_keys, replacement_senders
from acceptance.report import CAUSE, OWN_WORDS, known_causes, late_answers, matrix_table, own_words
from acceptance.shell import SshConnections, folder_for_sockets

OF_SEVERAL = "test_control_planes.py"
POD_SECONDS = 180.0
SLOW_RUNTIMES = {"cri-dockerd": 420.0}
"""Seconds too, by the container runtime: docker takes longer to start a pod."""

_INVENTORY = pytest.StashKey[Inventory]()
_EXPECTATIONS = pytest.StashKey[Expectations]()
_CLAIM = pytest.StashKey[socket.socket]()
_EVIDENCE = pytest.StashKey[Evidence]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lab", "the lab to judge (default: the one that runs, or LAB_NAME)")
    group.addoption(
        "--inventory",
        "--nodes",
        dest="lab_inventory",
        type=Path,
        metavar="FILE",
        help="inventory in the form of `lab inventory --json`, in place of asking `lab`",
    )
    group.addoption(
        "--kubeconfig", dest="lab_kubeconfig", type=Path, metavar="FILE", help="in place of the inventory's"
    )
    group.addoption(
        "--mode",
        dest="lab_mode",
        metavar="MODE",
        help=f"judge by the expectations of this mode; {UNKNOWN}: find out what is there, and judge nothing",
    )
    group.addoption(
        "--found",
        dest="lab_found",
        type=Path,
        metavar="FILE",
        help=f"with --mode {UNKNOWN}: write what was found into this file, as JSON",
    )
    group.addoption(
        "--expect",
        dest="lab_expect",
        type=Path,
        metavar="FILE",
        help="judge by the expectations in this file, for a pod network that the suite does not know",
    )
    group.addoption(
        "--pod-seconds",
        dest="lab_pod_seconds",
        type=float,
        metavar="SECONDS",
        help="how long the suite's pods may take to become ready on a cluster of the usual speed (default: "
        f"{POD_SECONDS:.0f}{''.join(f', on {name} {limit:.0f}' for name, limit in SLOW_RUNTIMES.items())})",
    )
    group.addoption(
        "--keep", dest="lab_keep", action="store_true", help="leave the suite's pods in place, to look around"
    )
    group.addoption(
        "--reboot",
        dest="lab_reboot",
        choices=("yes", "no"),
        help="at the end boot a node anew and ask everything again (default: yes on a lab, no elsewhere)",
    )
    group.addoption(
        "--brief",
        dest="lab_brief",
        action="store_true",
        help="leave out what takes minutes: ten pods at once, 100 MB, a node booted anew (test_life.py)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.help:
        return
    if getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError("the acceptance suite asks everything at once by itself: run it without -n")
    try:
        inventory = read_inventory(
            config.getoption("lab_inventory", None),
            kubeconfig=config.getoption("lab_kubeconfig", None),
            mode=config.getoption("lab_mode", None),
            name=os.environ.get("LAB_NAME"),
        )
        expected: Path | None = config.getoption("lab_expect", None)
        if expected is not None and inventory.mode == UNKNOWN:
            raise SuiteError(f"--expect and --mode {UNKNOWN} exclude each other: the latter expects nothing")
        config.stash[_EXPECTATIONS] = (
            load_expectations(inventory.mode, inventory.conditions)
            if expected is None
            else read_expectations(expected, inventory.conditions)
        )
        if inventory.network_namespace is not None:
            enter_network_namespace(inventory.network_namespace.pid)
        if not config.option.collectonly:
            config.stash[_CLAIM] = claim_lab()
    except SuiteError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_INVENTORY] = inventory
    config.pluginmanager.register(not_judged)
    if inventory.mode == UNKNOWN:
        config.pluginmanager.register(unknown_mode)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs a reboot comes last, or not at all; with --brief nothing that takes minutes."""
    inventory = config.stash.get(_INVENTORY, None)
    if inventory is None or inventory.mode == UNKNOWN:
        return
    if config.getoption("lab_brief"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("life")])
        items[:] = [item for item in items if not item.get_closest_marker("life")]
    after = [item for item in items if item.get_closest_marker("reboot")]
    before = [item for item in items if not item.get_closest_marker("reboot")]
    wanted: str | None = config.getoption("lab_reboot")
    if wanted == "no" or (wanted is None and inventory.network_namespace is None):
        items[:] = before
        config.hook.pytest_deselected(items=after)
    else:
        items[:] = before + after


def pytest_unconfigure(config: pytest.Config) -> None:
    if (claim := config.stash.get(_CLAIM, None)) is not None:
        claim.close()


def pytest_report_header(config: pytest.Config) -> str | None:
    inventory = config.stash.get(_INVENTORY, None)
    if inventory is None:
        return None
    options = "".join(f", {name}={value}" for name, value in inventory.mode_options.items())
    return (
        f"lab: {inventory.name}, mode {inventory.mode}{options},"
        f" Kubernetes {inventory.kubernetes.version}, {len(inventory.nodes)} nodes"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What several control planes must be like is asked only where there are several.

    What there is, only where nothing is known.
    """
    inventory = config.stash.get(_INVENTORY, None)
    alone = inventory is not None and not planes_of(inventory)
    known = inventory is not None and inventory.mode != UNKNOWN
    left_out = {*([OF_SEVERAL] if alone else []), *([unknown_mode.CHECKS] if known else [])}
    return True if collection_path.name in left_out else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    inventory = metafunc.config.stash.get(_INVENTORY, None)
    if inventory is None:
        return
    expectations = metafunc.config.stash[_EXPECTATIONS]
    if "pair" in metafunc.fixturenames:
        every = pairs(inventory, expectations)
        metafunc.parametrize("pair", every, ids=[pair.label for pair in every])
    if "routed_pair" in metafunc.fixturenames:
        wanted = metafunc.config.stash[_EXPECTATIONS].lan_route is not None
        to_pods = [
            pair for pair in pairs(inventory, expectations) if wanted and pair.way is Way.LAN_HOST_TO_POD
        ]
        metafunc.parametrize("routed_pair", to_pods, ids=[pair.label for pair in to_pods])
    if "pinged" in metafunc.fixturenames:
        paths = loss_pairs(inventory, expectations)
        metafunc.parametrize("pinged", paths, ids=[pair.label for pair in paths])
    if "node" in metafunc.fixturenames:
        metafunc.parametrize("node", inventory.nodes, ids=[node.name for node in inventory.nodes])
    if "control_plane" in metafunc.fixturenames:
        planes = planes_of(inventory)
        metafunc.parametrize("control_plane", planes, ids=[node.name for node in planes])
    if "topic" in metafunc.fixturenames:
        metafunc.parametrize("topic", tuple(Topic), ids=[topic.value for topic in Topic])
    if "asked" in metafunc.fixturenames:
        keys = question_keys(inventory, expectations)
        metafunc.parametrize("asked", keys, ids=[f"{sender}-{key}" for sender, key in keys])
    if "policy" in metafunc.fixturenames:
        metafunc.parametrize("policy", case_names(expectations))
    if "sender" in metafunc.fixturenames:
        senders = replacement_senders(inventory, expectations)
        metafunc.parametrize("sender", senders, ids=[sender.label for sender in senders])


@pytest.fixture(scope="session")
def inventory(pytestconfig: pytest.Config) -> Inventory:
    return pytestconfig.stash[_INVENTORY]


@pytest.fixture(scope="session")
def expectations(pytestconfig: pytest.Config) -> Expectations:
    return pytestconfig.stash[_EXPECTATIONS]


@pytest.fixture(scope="session")
def ssh(inventory: Inventory) -> Iterator[SshConnections]:
    with folder_for_sockets() as folder:
        connections = SshConnections.open(inventory.ssh_config, folder)
        yield connections
        connections.close([node.name for node in inventory.nodes])


@pytest.fixture(scope="session")
def patience(pytestconfig: pytest.Config, inventory: Inventory, ssh: SshConnections) -> Patience:
    """Knows how fast the cluster works."""
    api: Api | None = None
    with contextlib.suppress(SuiteError):  # the investigation says what is wrong with it
        api = Api.connect(inventory.kubeconfig)
    shells = [ssh.to(node.name) for node in inventory.nodes]
    given: float | None = pytestconfig.getoption("lab_pod_seconds")
    usual = SLOW_RUNTIMES.get(inventory.kubernetes.runtime, POD_SECONDS)
    pod_seconds = usual if given is None else given
    made = Patience(lambda: measure(shells, api), _teller(pytestconfig), pod_seconds)
    pytestconfig.stash[not_judged.PATIENCE] = made
    return made


@pytest.fixture(scope="session")
def investigation(
    pytestconfig: pytest.Config,
    inventory: Inventory,
    expectations: Expectations,
    ssh: SshConnections,
    patience: Patience,
) -> Iterator[Investigation]:
    """Looks at the lab, and removes at the end what it put there."""
    tell = _teller(pytestconfig)
    brief = bool(pytestconfig.getoption("lab_brief")) or inventory.mode == UNKNOWN
    investigation = Investigation(inventory, expectations, ssh, patience, tell, brief=brief)
    try:
        yield investigation
    finally:
        if not pytestconfig.getoption("lab_keep"):
            try:
                investigation.clean_up()
            except SuiteError as error:
                pytest.fail(f"what the suite put on the lab is not all removed: {error}", pytrace=False)


@pytest.fixture(scope="session")
def evidence(pytestconfig: pytest.Config, investigation: Investigation) -> Evidence:
    """Everything that was seen on the lab."""
    gathered = investigation.gather()
    pytestconfig.stash[_EVIDENCE] = gathered
    return gathered


@pytest.fixture(scope="session")
def after_reboot(
    request: pytest.FixtureRequest, investigation: Investigation, evidence: Evidence
) -> AfterReboot | Problem:
    """What was seen after the last node was booted anew. What is wrong before stays there to be looked at."""
    if request.session.testsfailed or request.config.stash[not_judged.NOT_JUDGED]:
        pytest.skip("checks failed before, or could not be judged: a reboot would hide why")
    return investigation.boot_anew(evidence.inventory.nodes[-1], evidence)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Every failure tells the known causes, also that of a check that looks at one thing only.

    What the check says by itself is recorded apart from them.
    """
    report = yield
    if not report.failed:
        return report
    said = report.longreprtext
    item.user_properties.append((OWN_WORDS, own_words(said)))
    evidence = item.config.stash.get(_EVIDENCE, None)
    if evidence is not None and CAUSE not in said:
        # A check of the data path says some of them itself.
        lines = [line for line in known_causes(evidence) if line.partition(": ")[2] not in said]
        if lines:
            report.longrepr = "\n".join((said, *lines))
    return report


def _teller(config: pytest.Config) -> Callable[[str], None]:
    """Says what the suite is doing while pytest holds back everything that is printed."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    at_once = threading.Lock()

    def say(text: str) -> None:
        if reporter is not None and capture is not None and config.get_verbosity() >= 0:
            with at_once, capture.global_and_fixture_disabled():
                reporter.ensure_newline()
                reporter.write_line(f"  {text}")

    return say


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    evidence = config.stash.get(_EVIDENCE, None)
    if evidence is None or evidence.inventory.mode == UNKNOWN:
        return
    terminalreporter.section(f"reachability in mode {evidence.inventory.mode} (source address seen)")
    terminalreporter.write_line(matrix_table(evidence))
    terminalreporter.write_line(late_answers(evidence))
