"""The rendered CRD: structural, with the models' own defaults, and as strict as an API server can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from tests.unit.support import gateway, resource
from zerotrust.api import reasons
from zerotrust.api.crd import SPEC_RULES, definition
from zerotrust.api.resource import TestSpec as Declared
from zerotrust.api.resource import seconds
from zerotrust.api.status import Status
from zerotrust.core.report import as_dict

VERSION = definition()["spec"]["versions"][0]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]
SPEC: dict[str, Any] = SCHEMA["properties"]["spec"]


def _nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from _nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _nodes(schema[key], f"{path}.{key}")


NODES = dict(_nodes(SCHEMA))


@pytest.mark.parametrize("path", NODES)
def test_every_node_is_structural(path: str) -> None:
    node = NODES[path]

    assert node.get("type") or node.get("x-kubernetes-preserve-unknown-fields"), node
    assert not {"$ref", "$defs", "anyOf", "oneOf", "allOf", "const", "title", "patternProperties"} & node.keys()
    assert not ("properties" in node and "additionalProperties" in node)
    assert node.get("uniqueItems") is None


@pytest.mark.parametrize("path", [p for p, n in NODES.items() if n.get("type") == "object" and p != ".metadata"])
def test_no_object_loses_its_fields_on_the_way_into_the_api_server(path: str) -> None:
    """An object of which nothing is said is pruned to nothing."""
    node = NODES[path]

    assert (
        node.get("properties")
        or isinstance(node.get("additionalProperties"), dict)
        or node.get("x-kubernetes-preserve-unknown-fields")
    )


@pytest.mark.parametrize("path", [path for path, node in NODES.items() if "default" in node])
def test_every_default_is_valid_where_it_stands(path: str) -> None:
    node = NODES[path]

    assert list(Draft202012Validator(_strict(node)).iter_errors(node["default"])) == []


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as a validator with pruning in mind: what it does not name is an error."""
    strict = dict(schema)
    if "properties" in strict:
        strict["properties"] = {name: _strict(inner) for name, inner in strict["properties"].items()}
        strict["additionalProperties"] = False
    elif strict.get("type") == "object" and not strict.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    if isinstance(strict.get("items"), dict):
        strict["items"] = _strict(strict["items"])
    if isinstance(strict.get("additionalProperties"), dict):
        strict["additionalProperties"] = _strict(strict["additionalProperties"])
    return strict


def _defaulted(schema: dict[str, Any], value: Any) -> Any:
    """What the API server makes of a value: absent fields with a default filled in."""
    if isinstance(value, dict) and "properties" in schema:
        filled = {
            name: json.loads(json.dumps(inner["default"]))
            for name, inner in schema["properties"].items()
            if "default" in inner and name not in value
        }
        return {k: _defaulted(schema["properties"].get(k, {}), v) for k, v in {**value, **filled}.items()}
    if isinstance(value, list):
        return [_defaulted(schema.get("items", {}), item) for item in value]
    return value


RICH = resource(
    boundaries=[
        {
            "name": "web",
            "service": {"name": "web", "zone": "shop", "port": 1},
            "http": {
                "routes": [
                    {
                        "methods": ["POST"],
                        "path": "/x",
                        "allow": ["ann"],
                        "request": {"headers": {"Content-Type": "text/plain"}, "body": "x"},
                        "success": [201],
                    },
                    {"methods": ["GET"], "path": "/", "allow": "Anyone"},
                ],
                "control": {"method": "GET", "path": "/"},
            },
        }
    ],
    run={"schedule": "0 * * * *", "keepSandbox": "OnFailure"},
    waivers=[{"case": "web/*", "until": "2027-01-01", "reason": "planned"}],
)


@pytest.mark.parametrize("test", [resource(), gateway(), RICH], ids=["small", "quickstart", "rich"])
class TestATestThatIsValid:
    def test_passes_the_schema_whole(self, test: dict[str, Any]) -> None:
        assert list(Draft202012Validator(_strict(SPEC)).iter_errors(test["spec"])) == []

    def test_means_the_same_with_and_without_the_api_servers_defaults(self, test: dict[str, Any]) -> None:
        assert Declared.model_validate(_defaulted(SPEC, test["spec"])) == Declared.model_validate(test["spec"])


def _default_pairs(model: BaseModel, schema: dict[str, Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    for name, field in type(model).model_fields.items():
        alias = field.alias or name
        inner = schema["properties"][alias]
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _default_pairs(value, inner, f"{path}.{alias}")
        elif "default" in inner or not field.is_required():
            yield f"{path}.{alias}", inner.get("default"), value


def test_the_models_defaults_are_the_crds() -> None:
    small = resource()["spec"]
    small["sandbox"].pop("trustDomain")
    pairs = list(_default_pairs(Declared.model_validate(small), SPEC, "spec"))
    filled = {path: (theirs, ours) for path, theirs, ours in pairs if ours not in (None, (), {})}

    assert {"spec.run.timeout", "spec.run.timeZone", "spec.sandbox.tokens.algorithm"} <= set(filled)
    for path, (theirs, ours) in filled.items():
        if path not in ("spec.identities", "spec.boundaries", "spec.sandbox.zones"):
            assert theirs == ours, path


def test_bounds_of_the_models_are_the_crds() -> None:
    assert SPEC["properties"]["identities"]["maxItems"] == 64
    assert SPEC["properties"]["run"]["properties"]["historyLimit"] == {
        "default": 10,
        "maximum": 50,
        "minimum": 0,
        "type": "integer",
    }
    assert SPEC["properties"]["identities"]["x-kubernetes-list-map-keys"] == ["name"]


def test_lists_by_name_have_names() -> None:
    for path, node in NODES.items():
        if node.get("x-kubernetes-list-type") == "map":
            item = node["items"]
            assert set(node["x-kubernetes-list-map-keys"]) <= set(item["required"]), path


def test_a_status_that_was_never_written_says_so() -> None:
    status = SCHEMA["properties"]["status"]

    assert status["default"] == {"observedGeneration": -1}
    assert list(Draft202012Validator(_strict(status)).iter_errors(as_dict(Status()))) == []


def test_columns_and_selectable_fields_point_at_fields_that_exist() -> None:
    for column in VERSION["additionalPrinterColumns"]:
        path = column["jsonPath"].partition("[")[0]
        assert path in NODES or path.startswith(".metadata."), column
    for field in VERSION["selectableFields"]:
        assert NODES[field["jsonPath"]]["type"] in ("string", "boolean", "integer")


def test_columns_are_those_that_were_promised() -> None:
    shown = [(c["name"].upper(), c.get("priority", 0)) for c in VERSION["additionalPrinterColumns"]]

    assert [name for name, priority in shown if not priority] == [
        "READY",
        "VERDICT",
        "PASS",
        "BREACH",
        "LOCKOUT",
        "LAST-RUN",
        "AGE",
    ]
    assert [name for name, priority in shown if priority] == ["REASON", "MESSAGE", "SCHEDULE", "DURATION"]


def test_every_rule_has_a_message() -> None:
    for path, node in NODES.items():
        for rule in node.get("x-kubernetes-validations", ()):
            assert rule["message"], path
    assert SPEC["x-kubernetes-validations"] == SPEC_RULES


def test_reasons_are_words_that_kubernetes_takes() -> None:
    named = {name: value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}

    assert len(set(named.values())) == len(named)
    for name, value in named.items():
        assert value.isalpha(), name
        assert "".join(f"_{c}" if c.isupper() else c.upper() for c in value)[1:] == name
    assert set(named.values()) >= reasons.RETRYABLE


@pytest.mark.parametrize(
    ("text", "length"), [("5m", 300), ("1h", 3600), ("90s", 90), ("1h5m30s", 3930), ("0s", 0), ("9999h", 35996400)]
)
def test_durations_are_read(text: str, length: float) -> None:
    assert seconds(text) == length
