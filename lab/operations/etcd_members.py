"""The members of a lab's etcd, asked and told from the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.cluster.binaries.control_plane import PEER_PORT
from lab.cluster.credentials import ADMINS
from lab.cluster.pki import Subject
from lab.drills.asking import Server, trust_of
from lab.drills.sampler import NotAskedError, RefusedError, SilentError
from lab.drills.sources import ETCD_PORT, EtcdSource
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.operations.context import Lab
from lab.topology.plan import NodePlan

ANSWER_SECONDS = 20.0
CHANGE_SECONDS = 180.0
"""Until etcd has said who its members are, or taken a change: none within five seconds after it lost one."""
CHANGED_ALREADY = ("member not found", "Peer URLs already exists")
"""What etcd says of a change that it has taken, when the answer was lost: api/v3rpc/rpctypes/error.go."""
UNABLE = (RefusedError, SilentError, NotAskedError)


@dataclass(frozen=True)
class EtcdMember:
    identity: str
    name: str
    """Empty before it was started."""
    peer_urls: tuple[str, ...]

    @property
    def hexadecimal(self) -> str:
        """The identity as etcdctl and logs have it."""
        return f"{int(self.identity):x}"


class EtcdMembers:
    """Those of one lab, as its members say."""

    def __init__(self, lab: Lab) -> None:
        client = Subject("kube-etcd-healthcheck-client", (ADMINS,), client=True)
        self._trust = trust_of(lab.secrets.etcd_authority, client)
        self._site = lab.site

    def said_by(self, node: NodePlan) -> tuple[EtcdMember, ...]:
        """All members, as the one on that node says. Raises TimedOutError when it does not for a while."""
        found = wait_for(
            lambda: self._source(node).post("cluster/member/list", {}),
            what=f"etcd on {node.name} says who its members are",
            deadline=Deadline(CHANGE_SECONDS),
            retry_on=UNABLE,
        )
        return tuple(
            EtcdMember(str(each["ID"]), str(each.get("name", "")), tuple(each.get("peerURLs", ())))
            for each in found.get("members", ())
        )

    def of(self, node: NodePlan, asked: NodePlan) -> EtcdMember | None:
        """The node's member, also one that was never started; None for none."""
        url = peer_url(node)
        members = self.said_by(asked)
        return next((each for each in members if each.name == node.name or url in each.peer_urls), None)

    def remove(self, member: EtcdMember, asked: NodePlan) -> None:
        """Raises TimedOutError when etcd does not do it."""
        self._change(asked, "cluster/member/remove", {"ID": member.identity}, f"etcd gives up {member.name}")

    def add(self, node: NodePlan, asked: NodePlan) -> None:
        """Let a member come that has not been started yet. Raises TimedOutError when etcd does not do it."""
        if self.of(node, asked) is None:
            question = {"peerURLs": [peer_url(node)]}
            self._change(asked, "cluster/member/add", question, f"etcd takes a member on {node.name}")

    def _change(self, asked: NodePlan, path: str, question: Mapping[str, object], what: str) -> None:
        def done() -> None:
            try:
                self._source(asked).post(path, question)
            except RefusedError as error:
                if any(word in str(error) for word in CHANGED_ALREADY):
                    return
                raise NotYetError(str(error)) from error
            except (SilentError, NotAskedError) as error:
                raise NotYetError(str(error)) from error

        wait_for(done, what=what, deadline=Deadline(CHANGE_SECONDS))

    def _source(self, node: NodePlan) -> EtcdSource:
        server = Server(self._site, str(node.internal_address), ETCD_PORT, self._trust)
        return EtcdSource(server, ANSWER_SECONDS)


def peer_url(node: NodePlan) -> str:
    return f"https://{node.internal_address}:{PEER_PORT}"
