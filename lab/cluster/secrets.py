"""What a cluster's trust rests on, kept on the host: authorities, service account key, join token."""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.cluster.pki import KeyPair, fingerprint, new_authority, new_signing_key
from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically


@dataclass(frozen=True)
class ClusterSecrets:
    """Made once per lab; everything else that is secret is signed with these."""

    token: str
    """Bootstrap token, six and sixteen lower-case letters and digits with a dot between."""
    authority: KeyPair
    front_proxy_authority: KeyPair
    etcd_authority: KeyPair
    service_account_key: str

    @property
    def identity(self) -> str:
        """Tells this cluster from any other; no secret itself."""
        return fingerprint(self.authority.certificate)


def load_or_make_secrets(path: Path) -> ClusterSecrets:
    """The secrets in that file; when it is not there, new random ones, written to it with mode 0600.

    Raises LabError when the file cannot be read as what this function wrote.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        made = _new_secrets()
        write_atomically(path, json.dumps(asdict(made), indent=2) + "\n", mode=0o600)
        return made
    try:
        raw = json.loads(text)
        return ClusterSecrets(
            token=raw["token"],
            authority=KeyPair(**raw["authority"]),
            front_proxy_authority=KeyPair(**raw["front_proxy_authority"]),
            etcd_authority=KeyPair(**raw["etcd_authority"]),
            service_account_key=raw["service_account_key"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"the secrets of the cluster cannot be read: {path}",
            details=f"{type(error).__name__}: {error}",
            resolution="lab down, then lab up",
        ) from error


def _new_secrets() -> ClusterSecrets:
    return ClusterSecrets(
        token=f"{_random(6)}.{_random(16)}",
        authority=new_authority("kubernetes"),
        front_proxy_authority=new_authority("front-proxy-ca"),
        etcd_authority=new_authority("etcd-ca"),
        service_account_key=new_signing_key(),
    )


def _random(length: int) -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))
