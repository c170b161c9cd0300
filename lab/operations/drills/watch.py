"""A lab under observation: who is asked what, in threads of their own, until it is left."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from lab.cluster.credentials import ADMINS
from lab.cluster.pki import Subject
from lab.doors.places import Ways
from lab.drills.asking import Server, trust_of
from lab.drills.clock import Clock
from lab.drills.observation import Channels, Row
from lab.drills.sampler import Channel, NotAskedError, RefusedError, Sampler, SilentError, in_a_thread
from lab.drills.sources import (
    ETCD_PORT,
    ApiSource,
    EachNode,
    EtcdSource,
    HolderSource,
    Member,
    ReadySource,
)
from lab.drills.writer import Writer
from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline, NotYetError, TimedOutError, wait_for
from lab.operations.context import Lab
from lab.operations.drills.from_node import FromNode
from lab.topology.models import LoadBalancer, Tuning
from lab.topology.plan import LOOPBACK, NodePlan
from lab.topology.planner import API_PORT

PATIENCE: Mapping[Tuning, float] = {Tuning.STOCK: 3.0, Tuning.SLOW_HOST: 6.0}
"""Seconds that each question, and each write, may take."""
WRITE_EVERY: Mapping[Tuning, float] = {Tuning.STOCK: 0.1, Tuning.SLOW_HOST: 0.5}
"""Seconds; a write costs an emulated cluster a fourth of a second of its processors."""
READ_BACK_SECONDS = 60.0
"""Until every member of etcd must have caught up with the others."""
LONG = 10
"""How many times longer one waits for a list of all writes."""

OnTick = Callable[[float], None]


class Watch:
    """The questions to one lab with several control planes, and the client that writes to it."""

    def __init__(self, lab: Lab, clock: Clock, on_tick: OnTick, write_every: float | None = None) -> None:
        """`write_every` in seconds, by default what the lab bears. Raises LabError, asks nobody yet."""
        self.plan = lab.plan
        self.seconds = PATIENCE[lab.tuning]
        self.write_every = write_every or WRITE_EVERY[lab.tuning]
        self._site = lab.site
        secrets = lab.membership.secrets
        admin = Subject("kubernetes-admin", (ADMINS,), client=True)
        client = Subject("kube-etcd-healthcheck-client", (ADMINS,), client=True)
        self._of_cluster = trust_of(secrets.authority, admin)
        self._of_etcd = trust_of(secrets.etcd_authority, client)
        self._from_node: FromNode | None = None
        balanced, self._holder = self._balanced(lab)
        self._clock = clock
        self._known = dict(self._names())
        self.channels = Channels(
            Channel(ApiSource(balanced, self.seconds), clock, in_a_thread, overlapping=True),
            {node.name: self._ready(node) for node in self.plan.control_planes},
            {node.name: self._member(node) for node in self.plan.control_planes},
            Channel(self._holder, clock, in_a_thread),
            self._known,
        )
        self.writer = Writer(balanced, clock, every=self.write_every, seconds=self.seconds)
        self._sampler = Sampler(self.channels.all, clock, on_tick)
        self._stopped = threading.Event()
        self._no_more_writes = threading.Event()
        self._threads = ExitStack()

    def _balanced(self, lab: Lab) -> tuple[Server, HolderSource | EachNode]:
        """Where a client finds the API, and who can say who has that address.

        With `local-nginx` that is a node's own loopback, so the client's connections are made from a node.
        """
        api = self.plan.kubernetes.api
        if self.plan.load_balancer is not LoadBalancer.LOCAL_NGINX:
            server = self._server(str(api.address), api.port, self._of_cluster)
            return server, HolderSource(self.plan, self._site)
        uplink = self.plan.uplink.name
        addresses = {node.name: str(node.nic_on(uplink).primary.ip) for node in self.plan.nodes}
        self._from_node = FromNode(Ways(self._site, addresses, lab.key_files), self.plan.nodes[-1].name)
        return Server(self._from_node, str(LOOPBACK), api.port, self._of_cluster), EachNode()

    def avoid(self, nodes: tuple[NodePlan, ...]) -> None:
        """Let the client be on another node than those, where it is on a node and there is another."""
        others = [node.name for node in self.plan.nodes if node not in nodes]
        if self._from_node is not None and others:
            self._from_node.node = others[-1]

    def __enter__(self) -> Self:
        """Observe from now on."""
        self._begin(lambda: self._sampler.run(self._stopped.is_set))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._no_more_writes.set()
        self._stopped.set()
        self._threads.close()
        self._holder.close()

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.channels.rows()

    def write(self) -> None:
        """Let the client write from now on. Raises LabError when it cannot begin."""
        try:
            self.writer.prepare()
        except (RefusedError, SilentError, NotAskedError) as error:
            raise LabError(
                "the client of the drill cannot write",
                details=str(error),
                resolution="run the same command again when `lab status` shows nothing wrong",
            ) from error
        self._begin(lambda: self.writer.write_until(self._no_more_writes))

    def stop_writing(self) -> None:
        self._no_more_writes.set()

    def read_back(self, wanted: frozenset[str]) -> Mapping[str, frozenset[str] | None]:
        """The names of all writes that each member of etcd has itself; None for one that could not be asked.

        A member that lacks some of those that are wanted has a while to catch up.
        """
        return {node.name: self._stored_at(node, wanted) for node in self.plan.control_planes}

    def learn_names(self) -> None:
        """Of etcd's members, which have others once they were restored. Raises LabError."""
        self._known.update(self._names())

    def clean(self) -> None:
        """Remove what the client wrote. Raises SilentError or NotAskedError."""
        self.writer.clean()

    def move_leader(self, old: str, new: str) -> None:
        """Let etcd's leader on one node hand its part to the member on another. Raises LabError."""
        members = {name: identity for identity, name in self.channels.names.items()}
        source = self._etcd(next(node for node in self.plan.control_planes if node.name == old))
        try:
            source.post("maintenance/transfer-leadership", {"targetID": members[new]})
        except (RefusedError, SilentError, NotAskedError) as error:
            raise LabError(f"etcd on {old} does not hand its part to {new}", details=str(error)) from error

    def _names(self) -> Mapping[str, str]:
        reasons = []
        for node in self.plan.control_planes:
            try:
                return self._etcd(node).names()
            except (RefusedError, SilentError, NotAskedError) as error:
                reasons.append(f"{node.name}: {error}")
        raise LabError(
            "no member of etcd says who its members are",
            details="\n".join(reasons),
            resolution="`lab status` shows the lab; `lab drill undo` brings it back if a drill left it so",
        )

    def _stored_at(self, node: NodePlan, wanted: frozenset[str]) -> frozenset[str] | None:
        source = self._etcd(node, LONG)
        stored: frozenset[str] = frozenset()

        def all_there() -> None:
            nonlocal stored
            stored = source.keys(self.writer.keys)
            if missing := wanted - stored:
                raise NotYetError(f"etcd on {node.name} lacks {len(missing)} writes")

        try:
            wait_for(all_there, what="all writes", deadline=Deadline(READ_BACK_SECONDS))
        except TimedOutError:
            return stored
        except (RefusedError, SilentError, NotAskedError):
            return None
        return stored

    def _ready(self, node: NodePlan) -> Channel[bool]:
        server = self._server(str(node.internal_address), API_PORT, self._of_cluster)
        return Channel(ReadySource(server, self.seconds), self._clock, in_a_thread)

    def _member(self, node: NodePlan) -> Channel[Member]:
        return Channel(self._etcd(node), self._clock, in_a_thread)

    def _etcd(self, node: NodePlan, times: int = 1) -> EtcdSource:
        server = self._server(str(node.internal_address), ETCD_PORT, self._of_etcd)
        return EtcdSource(server, self.seconds * times)

    def _server(self, address: str, port: int, trust: ssl.SSLContext) -> Server:
        return Server(self._site, address, port, trust)

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._threads.callback(thread.join, self.seconds * 2)
