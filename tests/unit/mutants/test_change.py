"""A change fits exactly where it is meant to, or it is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mutants.change import mutate, read
from tests.mutants.model import Change, MutantInvalid

TEXTS = {
    "test.yaml": "spec: {run: {timeout: 5m}}\n",
    "manifests/app.yaml": """\
kind: Service
metadata: {name: app}
spec: {ports: [{port: 80}]}
---
kind: Deployment
metadata: {name: app}
spec:
  replicas: 1
  containers:
    - {name: one, security: &locked {root: false}}
    - {name: two, security: *locked}
---
kind: Deployment
metadata: {name: other}
spec: {replicas: 3}
""",
}


def change(**fields: Any) -> Change:
    return Change.model_validate(fields)


def documents(texts: dict[str, str], file: str = "manifests/app.yaml") -> list[Any]:
    return list(yaml.safe_load_all(texts[file]))


def test_a_text_that_is_there_once_is_replaced_and_other_files_stay() -> None:
    changed = mutate(TEXTS, [change(file="app.yaml", old="port: 80", new="port: 81")])
    assert documents(changed)[0]["spec"] == {"ports": [{"port": 81}]}
    assert changed["test.yaml"] == TEXTS["test.yaml"]


@pytest.mark.parametrize("name", ["app.yaml", "manifests/app.yaml"])
def test_a_manifest_is_named_with_or_without_its_folder(name: str) -> None:
    assert mutate(TEXTS, [change(file=name, old="port: 80", new="port: 81")]) != TEXTS


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"file": "app.yaml", "old": "nowhere", "new": ""}, "there 0 times"),
        ({"file": "app.yaml", "old": "nowhere", "new": "", "all": True}, "there 0 times"),
        ({"file": "app.yaml", "old": "metadata", "new": "meta"}, "there 3 times"),
        ({"file": "app.yaml", "old": "port: 80", "new": "port: 80"}, "changes nothing"),
        ({"file": "gone.yaml", "old": "a", "new": "b"}, "no file gone.yaml"),
        ({"file": "app.yaml", "patch": [{"op": "remove", "path": "/spec/gone"}]}, "does not fit"),
        ({"file": "app.yaml", "patch": [{"op": "replace", "path": "/spec/replicas", "value": 0}]}, "fits 2 documents"),
        ({"file": "app.yaml", "kind": "Job", "patch": [{"op": "remove", "path": "/spec"}]}, "no document is of that"),
        (
            {"file": "test.yaml", "patch": [{"op": "replace", "path": "/spec/run/timeout", "value": "5m"}]},
            "changes nothing",
        ),
        ({"file": "app.yaml", "kind": "Service", "patch": [{"op": "replace", "path": "no", "value": 1}]}, "not fit"),
        ({"file": "app.yaml", "kind": "Service", "patch": [{"op": "turn", "path": "/spec"}]}, "does not fit"),
    ],
)
def test_a_change_that_does_not_fit_is_an_error(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(MutantInvalid, match=says):
        mutate(TEXTS, [change(**wrong)])


def test_all_replaces_every_occurrence() -> None:
    changed = mutate(TEXTS, [change(file="app.yaml", old="metadata", new="meta", all=True)])
    assert "metadata" not in changed["manifests/app.yaml"]


def test_a_patch_without_selector_finds_the_one_document_it_fits() -> None:
    patch = [{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]
    assert documents(mutate(TEXTS, [change(file="app.yaml", patch=patch)]))[0]["spec"]["ports"] == [{"port": 81}]


def test_kind_and_name_choose_a_document() -> None:
    patch = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
    changed = documents(mutate(TEXTS, [change(file="app.yaml", kind="Deployment", name="other", patch=patch)]))
    assert [doc["spec"].get("replicas") for doc in changed] == [None, 1, 0]


def test_a_patch_reaches_only_the_place_it_names_where_the_file_uses_aliases() -> None:
    patch = [{"op": "replace", "path": "/spec/containers/0/security/root", "value": True}]
    changed = documents(mutate(TEXTS, [change(file="app.yaml", kind="Deployment", patch=patch)]))
    assert [item["security"]["root"] for item in changed[1]["spec"]["containers"]] == [True, False]


def test_changes_are_made_one_after_the_other() -> None:
    first = change(file="app.yaml", old="port: 80", new="port: 81")
    second = change(file="app.yaml", kind="Service", patch=[
        {"op": "test", "path": "/spec/ports/0/port", "value": 81},
        {"op": "add", "path": "/spec/type", "value": "NodePort"},
    ])  # fmt: skip
    assert documents(mutate(TEXTS, [first, second]))[0]["spec"] == {"ports": [{"port": 81}], "type": "NodePort"}


def test_a_folder_without_a_test_is_no_system(tmp_path: Path) -> None:
    with pytest.raises(MutantInvalid, match=r"test\.yaml is missing"):
        read(tmp_path)


def test_a_system_is_read_with_its_manifests(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "README.md").write_text("not to be changed")
    assert read(tmp_path) == TEXTS
