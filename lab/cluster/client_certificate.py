"""What this side shows to servers in a cluster that want to know who asks."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from lab.cluster.pki import KeyPair


def show(context: ssl.SSLContext, pair: KeyPair) -> None:
    """Let connections of that context show the certificate. ssl reads it from a file alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "client.pem"  # in a folder that is this user's alone
        path.write_text(pair.certificate + pair.key)
        context.load_cert_chain(path)
