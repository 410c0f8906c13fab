"""The author's manifests: untrusted text in, checked objects out. What is wrong is said so that it can be mended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, ClassVar

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
OWN_LABELS = "zerotrust.dev/"
MAX_OBJECTS = 200
MAX_TEXT = 1_048_576
MAX_NODES = 50_000
MAX_DEPTH = 60
_REFERENCE = re.compile(r"\$(\$)?\(([^()$\s]{0,100})\)")
_FORBIDDEN_META = ("generateName", "finalizers", "ownerReferences")
_FORBIDDEN_POD = ("hostNetwork", "hostPID", "hostIPC")


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """Safe, without timestamps (to Kubernetes they are strings), and with an end to what merge keys may make."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in _Base.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Called for every merged map anew, so that counting here comes before copying there."""
        super().flatten_mapping(node)
        self.merged: int = getattr(self, "merged", 0) + len(node.value)
        if self.merged > MAX_NODES:
            raise yaml.YAMLError(f"merge keys make more than {MAX_NODES} values")


def _reject(where: str, problem: str) -> Reject:
    return Reject(reasons.MANIFEST_INVALID, f"{where}: {problem}")


def load(text: str, where: str) -> list[Object]:
    """Every object in a text of YAML documents; ``where`` names the text in messages. Errors: Reject."""
    if len(text) > MAX_TEXT:
        raise _reject(where, f"{len(text)} characters of manifests, at most {MAX_TEXT} are allowed")
    try:
        _bound_nesting(text, where)
        documents = [item for item in yaml.load_all(text, Loader=_Loader) if item is not None]
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, ValueError, RecursionError) as error:
        # PyYAML raises what it stumbles over: `!!bool x` is a KeyError, `!!timestamp x` an AttributeError.
        problem = " ".join(str(error).split())[:200]
        raise _reject(where, f"not YAML: {problem}") from None
    objects: list[Object] = []
    for document in documents:
        _bound(document, where)
        is_list = isinstance(document, dict) and document.get("kind") == "List"
        items = (document.get("items") or []) if is_list else [document]
        if not isinstance(items, list):
            raise _reject(where, "a List whose items are no list")
        objects.extend(items)
    if len(objects) > MAX_OBJECTS:
        raise _reject(where, f"{len(objects)} objects, at most {MAX_OBJECTS} are allowed")
    return objects


def _bound_nesting(text: str, where: str) -> None:
    """Refuse deep nesting before anything recurses: the parser's own stack is C, and its end the process's."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _reject(where, f"a document of more than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _bound(document: Any, where: str) -> None:
    """Aliases can make a small text enormous, or endless: count what it would be written out."""
    stack, count = [(document, 0)], 0
    while stack:
        value, depth = stack.pop()
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise _reject(where, f"a document of more than {MAX_NODES} values or {MAX_DEPTH} levels")
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise _reject(where, "a key that is no string: put it in quotes")
            stack.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            stack.extend((item, depth + 1) for item in value)
        elif not (value is None or isinstance(value, (str, int)) or (isinstance(value, float) and isfinite(value))):
            raise _reject(where, f"a value that JSON does not know: {str(value)[:40]}")


def prepare(objects: list[Object], owner: Owner, zone: str, values: Mapping[str, str], where: str) -> list[Object]:
    """Objects as they are to be created in a zone: checked, names filled in, labelled. Errors: Reject."""
    prepared: list[Object] = []
    for index, raw in enumerate(objects):
        place = f"{where}, object {index + 1}{_named(raw)}"
        _bound(raw, place)
        _check_shape(raw, place)
        item = _fill(raw, values, place)
        _check_shape(item, place)
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
    for field in ("labels", "annotations"):
        if not _is_text_map(meta.get(field)):
            raise _reject(place, f"metadata.{field} is no map of strings to strings")
    for where, labels in (("metadata", meta.get("labels")), ("spec.template.metadata", _template_labels(item))):
        if any(str(label).startswith(OWN_LABELS) for label in labels or ()):
            raise _reject(place, f"{where}.labels: those of {OWN_LABELS} are the operator's own")
    for field in _FORBIDDEN_META:
        if meta.get(field):
            raise _reject(place, f"metadata.{field} is not allowed in a sandbox")
    spec = item.get("spec")
    if not isinstance(spec, dict) and (spec is not None or item["kind"] == "Service"):
        raise _reject(place, "spec is no map")
    for problem in _problems(item["kind"], item, spec or {}):
        raise _reject(place, problem)


def _template_labels(item: Object) -> Any:
    """A workload's pod labels, whatever the author made of them."""
    found: Any = item
    for key in ("spec", "template", "metadata", "labels"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _is_text_map(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(isinstance(item, str) for item in value.values()))


def _is_list_of_maps(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(item, dict) for item in value))


def _problems(kind: str, item: Object, spec: Mapping[str, Any]) -> Iterator[str]:
    if kind == "Service" and not _is_text_map(spec.get("selector")):
        yield "spec.selector is no map of strings to strings"
    if kind == "Service" and not _is_list_of_maps(spec.get("ports")):
        yield "spec.ports is no list of ports"
    if kind == "Service" and spec.get("type", "ClusterIP") != "ClusterIP":
        yield f"a Service of type {str(spec.get('type'))[:40]} reaches out of the sandbox: use ClusterIP"
    if kind == "Service" and spec.get("externalIPs"):
        yield "externalIPs reach out of the sandbox"
    if kind == "Service" and spec.get("publishNotReadyAddresses"):
        yield "publishNotReadyAddresses would send the service's traffic to probes: leave it out"
    if kind == "Secret" and item.get("type") == "kubernetes.io/service-account-token":
        yield "a Secret of this type mints a credential that does not expire"
    if kind in WORKLOADS:
        template = spec.get("template", {})
        pod = template.get("spec", {}) if isinstance(template, dict) else None
        yield from _pod_problems(pod) if isinstance(pod, dict) else ["spec.template.spec is no map"]


def _pod_problems(pod: Mapping[str, Any]) -> Iterator[str]:
    for field in _FORBIDDEN_POD:
        if pod.get(field):
            yield f"{field} is not allowed in a sandbox"
    for field in ("volumes", "containers", "initContainers"):
        if not _is_list_of_maps(pod.get(field)):
            yield f"{field} of the pod is no list of maps"
            return
    for volume in pod.get("volumes") or ():
        if "hostPath" in volume:
            yield f"volume {str(volume.get('name'))[:63]}: hostPath is not allowed in a sandbox"
    containers = [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]
    for container in containers:
        security = container.get("securityContext")
        if isinstance(security, dict) and security.get("privileged"):
            yield f"container {str(container.get('name'))[:63]}: privileged is not allowed in a sandbox"
