"""What identities get: ServiceAccount, Secret ``<identity>-tls``, and each zone's ConfigMap ``trust``."""

from __future__ import annotations

import json
from datetime import datetime

from zerotrust.core.wallet import Treasury
from zerotrust.sandbox.names import IDENTITY, Object, Owner


def service_account(owner: Owner, namespace: str, name: str) -> Object:
    """An identity's account; no token is mounted unless a workload asks for it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, "labels": owner.labels},
        "automountServiceAccountToken": False,
    }


def certificate(owner: Owner, namespace: str, identity: str, treasury: Treasury) -> Object:
    """An identity's certificate under the key names of cert-manager."""
    credential = treasury.served[identity]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": f"{identity}-tls",
            "namespace": namespace,
            "labels": owner.labels | {IDENTITY: identity},
        },
        "stringData": {
            "tls.crt": credential.certificate,
            "tls.key": credential.key,
            "ca.crt": treasury.authority.ca_pem,
        },
    }


def trust(owner: Owner, namespace: str, treasury: Treasury, now: datetime) -> Object:
    """What a zone needs to verify the others: anchors, revocations, token keys, issuer."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "trust", "namespace": namespace, "labels": owner.labels},
        "data": {
            "ca.crt": treasury.authority.ca_pem,
            "crl.pem": treasury.authority.crl_pem(now),
            "jwks.json": json.dumps(treasury.issuer.jwks()),
            "issuer": treasury.issuer.url,
        },
    }
