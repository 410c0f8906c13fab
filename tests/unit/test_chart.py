"""The chart as far as it can be read without Helm: its values, their schema, its version."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from zerotrust import __version__
from zerotrust.render import ROOT

CHART = ROOT / "charts" / "zerotrust-operator"
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SET_BY_HELM = {"global"}


def errors(values: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft7Validator(SCHEMA).iter_errors(values)]


def changed(path: str, value: object) -> dict[str, Any]:
    values = deepcopy(VALUES)
    *parents, last = path.split(".")
    inner = values
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return values


def declared(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every value that the schema knows by name, with its path."""
    for name, item in schema.get("properties", {}).items():
        yield f"{path}{name}", item
        yield from declared(item, f"{path}{name}.")


def test_chart_and_package_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_schema_is_a_schema_and_the_defaults_satisfy_it() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert errors(VALUES) == []


def test_every_value_is_described() -> None:
    assert [path for path, item in declared(SCHEMA) if "$ref" not in item and not item.get("description")] == []


def test_values_and_schema_know_the_same_names() -> None:
    documented = {name: set(item) for name, item in VALUES.items() if isinstance(item, dict)}
    assert set(VALUES) == set(SCHEMA["properties"]) - SET_BY_HELM
    for name, keys in documented.items():
        known = SCHEMA["properties"][name].get("properties")
        assert known is None or keys <= set(known), name
        if known is not None and name != "resources":
            assert keys == set(known), name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("maxRuning", 5),
        ("image.tags", "1"),
        ("image.pullPolicy", "Sometimes"),
        ("image.tag", "two words"),
        ("maxRunning", 0),
        ("maxRunning", "10"),
        ("fullnameOverride", "Not_A_Name"),
        ("crds.keep", "yes"),
        ("sandbox.dnsPeers", []),
        ("sandbox.dnsPeers", [{"namespaceSelecter": {}}]),
        ("sandbox.extraRules", [{"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]}]),
        ("sandbox.extraRules", [{"apiGroups": [""], "resources": ["pods"]}]),
        ("podLabels", {"team": 7}),
        ("serviceMonitor.interval", "often"),
    ],
)
def test_a_wrong_value_is_refused(path: str, value: object) -> None:
    assert errors(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("global", {"imageRegistry": "somewhere"}),
        ("image.tag", "0.1.0@sha256:" + "0" * 64),
        ("image.repository", "registry.example:5000/team/zerotrust-operator"),
        ("serviceMonitor.interval", "1m30s"),
        ("sandbox.dnsPeers", [{"ipBlock": {"cidr": "192.0.2.10/32"}}]),
        ("tolerations", [{"key": "arch", "operator": "Exists"}]),
    ],
)
def test_a_right_value_is_accepted(path: str, value: object) -> None:
    assert errors(changed(path, value)) == []
