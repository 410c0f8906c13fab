"""Probe Jobs: one for each place in the network, with that place's labels and account, and never an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zerotrust.contract import PLAN_FILE, Plan, dump
from zerotrust.sandbox.names import CANARY_LABEL, PROBE, Object, Owner
from zerotrust.trust.svid import Credential

PLAN_DIRECTORY = "/etc/zerotrust"
NEVER_READY = "zerotrust.dev/never-ready"
"""A readiness gate nobody sets: a probe wears an identity's labels without taking its traffic."""
LISTEN_PORT = 18443
USER = 65532


def secret(owner: Owner, namespace: str, name: str, plan: Plan, credentials: Mapping[str, Credential]) -> Object:
    """A probe's plan and the credentials it carries."""
    wanted = {ask.tls.credential for ask in plan.asks if ask.tls and ask.tls.credential}
    if plan.serve:
        wanted.add(plan.serve.credential)
    files = {f"{item}.pem": credentials[item].certificate + credentials[item].key for item in sorted(wanted)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": owner.labels},
        "stringData": {PLAN_FILE: dump(plan), **files},
    }


def job(
    owner: Owner,
    namespace: str,
    place: str,
    image: str,
    account: str,
    labels: Mapping[str, str],
    lifetime: float,
    *,
    check_port: int = LISTEN_PORT,
) -> Object:
    """The Job of a place's probe; ``check_port`` is where the kubelet must reach it (its network is wired)."""
    name = job_name(place)
    container: dict[str, Any] = {
        "name": "probe",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [PLAN_DIRECTORY],
        "ports": [{"containerPort": check_port}],
        "startupProbe": {"tcpSocket": {"port": check_port}, "periodSeconds": 1, "failureThreshold": 60},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "plan", "mountPath": PLAN_DIRECTORY, "readOnly": True}],
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "readinessGates": [{"conditionType": NEVER_READY}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "plan", "secret": {"secretName": name}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": owner.labels | {PROBE: place}},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": int(lifetime) + 60,
            "ttlSecondsAfterFinished": 600,
            "template": {
                "metadata": {"labels": {**labels, **owner.labels, PROBE: place}},
                "spec": pod,
            },
        },
    }


def job_name(place: str) -> str:
    """Name of a place's Job and of its Secret."""
    return f"zt-probe-{place}"


def canary_labels() -> dict[str, str]:
    """What the canary's policy selects it by."""
    return {CANARY_LABEL: "true"}
