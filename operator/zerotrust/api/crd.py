"""The CustomResourceDefinition, rendered from the models (apiextensions.k8s.io/v1 structural schema)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from zerotrust.api.resource import GROUP, KIND, PLURAL, VERSION, TestSpec
from zerotrust.api.status import Status

_KEPT = frozenset(
    {
        "type", "description", "default", "enum", "format", "items", "maxItems", "maxLength", "maxProperties",
        "maximum", "minItems", "minLength", "minProperties", "minimum", "pattern", "properties", "required",
        "additionalProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
        "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations",
    }
)  # fmt: skip

_NAMES = "self.identities.map(x, x.name)"
_ZONES = "self.sandbox.zones.map(z, z.name)"


def _allowed(layer: str) -> str:
    return f"self.boundaries.all(b, !has(b.{layer}) || !has(b.{layer}.allow) || b.{layer}.allow.all(i, i in {_NAMES}))"


SPEC_RULES = [
    {
        "rule": f"self.identities.all(x, x.zone in {_ZONES})",
        "message": "an identity's zone is not in sandbox.zones",
    },
    {
        "rule": f"self.boundaries.all(b, b.service.zone in {_ZONES})",
        "message": "a boundary's service.zone is not in sandbox.zones",
    },
    {
        "rule": f"self.boundaries.all(b, !has(b.server) || b.server in {_NAMES})",
        "message": "a boundary's server is not in identities",
    },
    *(
        {
            "rule": _allowed(layer),
            "message": f"a boundary's {layer}.allow names somebody who is not in identities",
        }
        for layer in ("network", "mtls", "jwt")
    ),
    {
        "rule": "self.boundaries.all(b, has(b.network) || has(b.mtls) || has(b.jwt) || has(b.http))",
        "message": "a boundary needs at least one layer: network, mtls, jwt or http",
    },
    {
        "rule": "self.boundaries.all(b, !has(b.jwt) || has(b.http))",
        "message": "a boundary's jwt needs http: declare the routes on which the token is accepted",
    },
    {
        "rule": "self.identities.all(x, x.name != 'outsider' && x.name != 'canary' && x.name != 'anonymous')",
        "message": "outsider, canary and anonymous are names of the operator's own",
    },
]
MANIFEST_RULE = [{"rule": "has(self.configMap) != has(self.inline)", "message": "give either configMap or inline"}]


def structural(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON schema as the API server takes it: no references, no unions with null, known keywords only."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    cleaned: dict[str, Any] = _clean(schema, definitions)
    return cleaned


def _clean(schema: Any, definitions: dict[str, Any]) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        extra = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_clean(definitions[name], definitions), **_clean(extra, definitions)}
    if "anyOf" in schema:
        return _union(schema, definitions)
    if "patternProperties" in schema:  # keys cannot be checked by the API server, values can
        (values,) = schema["patternProperties"].values()
        schema = {**schema, "additionalProperties": values}
    if "const" in schema:
        schema = {**schema, "enum": [schema["const"]]}
    kept = {key: value for key, value in schema.items() if key in _KEPT}
    if kept.get("default", ...) is None or kept.get("default") in ([], {}):
        del kept["default"]
    elif isinstance(kept.get("default"), dict):
        kept["default"] = {key: value for key, value in kept["default"].items() if value is not None}
    if "properties" in kept:
        kept["properties"] = {name: _clean(item, definitions) for name, item in kept["properties"].items()}
        kept.pop("additionalProperties", None)
    elif isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _clean(kept["additionalProperties"], definitions)
    elif kept.get("x-kubernetes-preserve-unknown-fields"):
        kept.pop("additionalProperties", None)
    if "items" in kept:
        kept["items"] = _clean(kept["items"], definitions)
    return kept


def _union(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in schema.items() if key in _KEPT}
    if rest.get("default", ...) is None:
        del rest["default"]
    options = [option for option in schema["anyOf"] if option.get("type") != "null"]
    if len(options) == 1:
        return {**_clean(options[0], definitions), **rest}
    # The API server cannot express a choice of types; the operator's own check has the last word here.
    return {"description": rest.get("description", ""), "x-kubernetes-preserve-unknown-fields": True}


def _column(name: str, kind: str, path: str, priority: int = 0) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    return {**column, "priority": priority} if priority else column


def _condition(kind: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


COLUMNS = [
    _column("Ready", "string", _condition("Ready", "status")),
    _column("Verdict", "string", ".status.verdict"),
    _column("Pass", "integer", ".status.summary.passed"),
    _column("Breach", "integer", ".status.summary.breaches"),
    _column("Lockout", "integer", ".status.summary.lockouts"),
    _column("Last-Run", "date", ".status.run.completionTime"),
    _column("Age", "date", ".metadata.creationTimestamp"),
    _column("Reason", "string", _condition("Ready", "reason"), 1),
    _column("Message", "string", _condition("Ready", "message"), 1),
    _column("Schedule", "string", ".spec.run.schedule", 1),
    _column("Duration", "number", ".status.run.durationSeconds", 1),
]


def definition() -> dict[str, Any]:
    """The whole CRD."""
    spec, status = structural(TestSpec), structural(Status)
    spec["x-kubernetes-validations"] = SPEC_RULES
    zone = spec["properties"]["sandbox"]["properties"]["zones"]["items"]
    zone["properties"]["manifests"]["items"]["x-kubernetes-validations"] = MANIFEST_RULE
    status["default"] = {"observedGeneration": -1}
    names = {"kind": KIND, "listKind": f"{KIND}List", "plural": PLURAL, "singular": KIND.lower()}
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 63}}},
        "spec": spec,
        "status": status,
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": COLUMNS,
        "selectableFields": [{"jsonPath": path} for path in (".status.verdict", ".spec.run.suspend", ".spec.run.gate")],
        "schema": {
            "openAPIV3Schema": {
                "description": "A zero-trust test: who is trusted, and that everyone else is refused.",
                "type": "object",
                "required": ["spec"],
                "properties": properties,
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {**names, "shortNames": ["ztt"], "categories": ["zerotrust"]},
            "versions": [version],
        },
    }
