"""Namespaces of a run, what bounds them, and the operator's own rights inside."""

from __future__ import annotations

from zerotrust.sandbox.names import EXPIRES, TEST, ZONE, Object, Owner

QUOTA = {
    "pods": "100",
    "count/services": "50",
    "count/secrets": "150",
    "count/configmaps": "100",
    "count/jobs.batch": "100",
    "services.nodeports": "0",
    "services.loadbalancers": "0",
    "persistentvolumeclaims": "0",
}


def namespace(owner: Owner, zone: str, pod_security: str, expires: str) -> Object:
    """A zone's namespace: labelled with run and owner, expiring, under Pod Security from the first moment."""
    labels = owner.labels | {ZONE: zone, "pod-security.kubernetes.io/enforce": pod_security}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": owner.namespace(zone),
            "labels": labels,
            "annotations": {TEST: owner.test, EXPIRES: expires},
        },
    }


def own_rights(owner: Owner, namespace: str, role: str, account: str, account_namespace: str) -> Object:
    """The operator's rights in one sandbox namespace: a fixed ClusterRole, bound here and nowhere else."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "zerotrust-operator", "namespace": namespace, "labels": owner.labels},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": account_namespace}],
    }


def quota(owner: Owner, namespace: str) -> Object:
    """Bounds on what a sandbox namespace may hold."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "zerotrust", "namespace": namespace, "labels": owner.labels},
        "spec": {"hard": QUOTA},
    }
