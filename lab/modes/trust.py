"""Trust between the API server and a mode's own servers (webhooks)."""

from __future__ import annotations

from base64 import b64encode

from lab.cluster.api import Manifest
from lab.cluster.pki import KeyPair, Subject, issue
from lab.modes.mode import ServingCertificate

WEBHOOK_KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def serving_secret(wanted: ServingCertificate, authority: KeyPair) -> Manifest:
    """The Secret with a new certificate; one that was made before is as good, and is replaced."""
    pair = issue(authority, Subject(wanted.dns_name, dns_names=(wanted.dns_name,), server=True))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": wanted.secret, "namespace": wanted.namespace},
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": _encoded(pair.certificate), "tls.key": _encoded(pair.key)},
    }


def with_trust(manifest: Manifest, authority: KeyPair) -> Manifest:
    """The manifest; webhooks in it are told to trust the authority."""
    if manifest["kind"] not in WEBHOOK_KINDS:
        return manifest
    bundle = _encoded(authority.certificate)
    webhooks = [
        {**webhook, "clientConfig": {**webhook["clientConfig"], "caBundle": bundle}}
        for webhook in manifest["webhooks"]
    ]
    return {**manifest, "webhooks": webhooks}


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
