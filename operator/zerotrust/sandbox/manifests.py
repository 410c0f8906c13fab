"""The author's manifests: untrusted text in, checked objects out. What is wrong is said so that it can be mended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from zerotrust.api import reasons
from zerotrust.api.errors import Reject
from zerotrust.sandbox.names import Object, Owner

KINDS: Mapping[tuple[str, str], str] = {
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Secret"): "secrets",
    ("v1", "Service"): "services",
    ("v1", "ServiceAccount"): "serviceaccounts",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("batch/v1", "Job"): "jobs",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    ("policy/v1", "PodDisruptionBudget"): "poddisruptionbudgets",
    ("rbac.authorization.k8s.io/v1", "Role"): "roles",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "rolebindings",
}
"""Kinds that a sandbox may hold. First what others refer to: objects are created in this order of groups."""
WORKLOADS = frozenset({"Deployment", "StatefulSet", "Job"})
MAX_OBJECTS = 200
MAX_TEXT = 1_048_576
MAX_NODES = 50_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REFERENCE = re.compile(r"\$(\$)?\(([^()$\s]{0,100})\)")
_FORBIDDEN_META = ("generateName", "finalizers", "ownerReferences")
_FORBIDDEN_POD = ("hostNetwork", "hostPID", "hostIPC")


def _reject(where: str, problem: str) -> Reject:
    return Reject(reasons.MANIFEST_INVALID, f"{where}: {problem}")


def load(text: str, where: str) -> list[Object]:
    """Every object in a text of YAML documents; ``where`` names the text in messages. Errors: Reject."""
    if len(text) > MAX_TEXT:
        raise _reject(where, f"{len(text)} characters of manifests, at most {MAX_TEXT} are allowed")
    try:
        documents = [item for item in yaml.load_all(text, Loader=_LOADER) if item is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())[:200]
        raise _reject(where, f"not YAML: {problem}") from None
    objects: list[Object] = []
    for document in documents:
        _bound(document, where)
        is_list = isinstance(document, dict) and document.get("kind") == "List"
        objects.extend(document.get("items") or [] if is_list else [document])
    if len(objects) > MAX_OBJECTS:
        raise _reject(where, f"{len(objects)} objects, at most {MAX_OBJECTS} are allowed")
    return objects


def _bound(document: Any, where: str) -> None:
    """Aliases can make a small text enormous, or endless: count what it would be written out."""
    stack, count = [(document, 0)], 0
    while stack:
        value, depth = stack.pop()
        count += 1
        if count > MAX_NODES or depth > 60:
            raise _reject(where, f"a document of more than {MAX_NODES} values or 60 levels")
        if isinstance(value, dict):
            stack.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            stack.extend((item, depth + 1) for item in value)


def prepare(objects: list[Object], owner: Owner, zone: str, values: Mapping[str, str], where: str) -> list[Object]:
    """Objects as they are to be created in a zone: checked, names filled in, labelled. Errors: Reject."""
    prepared: list[Object] = []
    for index, raw in enumerate(objects):
        place = f"{where}, object {index + 1}{_named(raw)}"
        _check_shape(raw, place)
        item = _fill(raw, values, place)
        _check(item, owner.namespace(zone), place)
        meta = item["metadata"]
        labels = {**(meta.get("labels") or {}), **owner.labels}
        item["metadata"] = {**meta, "namespace": owner.namespace(zone), "labels": labels}
        prepared.append(item)
    return prepared


def in_order(objects: list[Object]) -> list[Object]:
    """What others refer to first, workloads last."""
    kinds = list(KINDS)
    late = len(kinds)
    return sorted(
        objects,
        key=lambda o: late if o["kind"] in WORKLOADS else kinds.index((o["apiVersion"], o["kind"])),
    )


def _named(raw: Any) -> str:
    if not isinstance(raw, dict):
        return ""
    meta = raw.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else ""
    return f" ({str(raw.get('kind'))[:40]} {str(name)[:63]})"


def _check_shape(raw: Any, place: str) -> None:
    if not isinstance(raw, dict) or not isinstance(raw.get("metadata"), dict):
        raise _reject(place, "not a Kubernetes object: it needs apiVersion, kind and metadata.name")
    kind = (str(raw.get("apiVersion")), str(raw.get("kind")))
    if kind not in KINDS:
        allowed = ", ".join(sorted(name for _, name in KINDS))
        raise _reject(
            place, f"kind {kind[1][:60]} of {kind[0][:60]} is not allowed in a sandbox; allowed are {allowed}"
        )
    if not isinstance(raw["metadata"].get("name"), str):
        raise _reject(place, "metadata.name is missing")


def _fill(value: Any, values: Mapping[str, str], place: str) -> Any:
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _value(match, values, place), value)
    if isinstance(value, dict):
        return {_fill(key, values, place): _fill(item, values, place) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, values, place) for item in value]
    return value


def _value(match: re.Match[str], values: Mapping[str, str], place: str) -> str:
    if match[1]:
        return f"$({match[2]})"
    if match[2] not in values:
        known = ", ".join(f"$({name})" for name in sorted(values))
        raise _reject(place, f"$({match[2]}) is unknown; known are {known}; write $$({match[2]}) to keep it as it is")
    return values[match[2]]


def _check(item: Object, namespace: str, place: str) -> None:
    meta = item["metadata"]
    if meta.get("namespace", namespace) != namespace:
        problem = f"metadata.namespace {str(meta['namespace'])[:80]} is not the zone's: leave it out"
        raise _reject(place, problem)
    for field in _FORBIDDEN_META:
        if meta.get(field):
            raise _reject(place, f"metadata.{field} is not allowed in a sandbox")
    spec = item.get("spec")
    for problem in _problems(item["kind"], item, spec if isinstance(spec, dict) else {}):
        raise _reject(place, problem)


def _problems(kind: str, item: Object, spec: Mapping[str, Any]) -> Iterator[str]:
    if kind == "Service" and spec.get("type", "ClusterIP") != "ClusterIP":
        yield f"a Service of type {str(spec.get('type'))[:40]} reaches out of the sandbox: use ClusterIP"
    if kind == "Service" and spec.get("externalIPs"):
        yield "externalIPs reach out of the sandbox"
    if kind == "Service" and spec.get("publishNotReadyAddresses"):
        yield "publishNotReadyAddresses would send the service's traffic to probes: leave it out"
    if kind == "Secret" and item.get("type") == "kubernetes.io/service-account-token":
        yield "a Secret of this type mints a credential that does not expire"
    if kind in WORKLOADS:
        template = spec.get("template")
        pod = template.get("spec") if isinstance(template, dict) else None
        yield from _pod_problems(pod if isinstance(pod, dict) else {})


def _pod_problems(pod: Mapping[str, Any]) -> Iterator[str]:
    for field in _FORBIDDEN_POD:
        if pod.get(field):
            yield f"{field} is not allowed in a sandbox"
    for volume in pod.get("volumes") or ():
        if isinstance(volume, dict) and "hostPath" in volume:
            yield f"volume {str(volume.get('name'))[:63]}: hostPath is not allowed in a sandbox"
    containers = [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]
    for container in containers:
        security = container.get("securityContext") if isinstance(container, dict) else None
        if isinstance(security, dict) and security.get("privileged"):
            yield f"container {str(container.get('name'))[:63]}: privileged is not allowed in a sandbox"
