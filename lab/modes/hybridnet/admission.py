"""Which requests the API server shows to hybridnet's webhook: the chart's configurations."""

from __future__ import annotations

from lab.cluster.api import Manifest
from lab.modes.hybridnet.names import NAMESPACE, WEBHOOK, Json

_OTHER_PODS: Json = {
    "matchExpressions": [
        {"key": "webhook.hybridnet.io/ignore", "operator": "NotIn", "values": ["TRUE", "true"]},
        {"key": "app", "operator": "NotIn", "values": ["kube-proxy"]},
    ]
}


def mutating() -> Manifest:
    """New pods get their kind of network, and with it the nodes that have it."""
    webhook = _webhook("core-v1.mutating.hybridnet", "/mutate", [_rule("", ["CREATE"], ["pods"])], "Ignore")
    return _configuration(
        "MutatingWebhookConfiguration",
        "hybridnet-mutating-webhook",
        [{**webhook, "objectSelector": _OTHER_PODS, "reinvocationPolicy": "Never"}],
    )


def validating() -> Manifest:
    """Networks and subnets must fit one another, and pods the networks there are."""
    changes = ["CREATE", "DELETE", "UPDATE"]
    networks = _webhook(
        "hybridnet-v1.validating.hybridnet",
        "/validate",
        [_rule("networking.alibaba.com", changes, ["networks", "subnets"])],
        "Fail",
    )
    pods = _webhook("core-v1.validating.hybridnet", "/validate", [_rule("", ["CREATE"], ["pods"])], "Ignore")
    return _configuration(
        "ValidatingWebhookConfiguration",
        "hybridnet-validating-webhook",
        [networks, {**pods, "objectSelector": _OTHER_PODS}],
    )


def _webhook(name: str, path: str, rules: list[Json], failure_policy: str) -> Json:
    return {
        "name": name,
        "admissionReviewVersions": ["v1beta1", "v1"],
        "clientConfig": {"service": {"name": WEBHOOK, "namespace": NAMESPACE, "port": 443, "path": path}},
        "failurePolicy": failure_policy,
        "matchPolicy": "Equivalent",
        "rules": rules,
        "sideEffects": "None",
        "timeoutSeconds": 10,
    }


def _rule(group: str, operations: list[str], resources: list[str]) -> Json:
    return {"apiGroups": [group], "apiVersions": ["v1"], "operations": operations, "resources": resources}


def _configuration(kind: str, name: str, webhooks: list[Json]) -> Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "webhooks": webhooks,
    }
