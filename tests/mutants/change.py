"""A mutant's changes, made to the files of a system. Pure: texts by file name in, texts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jsonpatch
import yaml
from jsonpointer import JsonPointerException

from tests.mutants.model import Change, MutantInvalid

Texts = dict[str, str]
"""Texts by path inside the system's folder: ``test.yaml``, ``manifests/<name>.yaml``."""
_DOES_NOT_FIT = (jsonpatch.JsonPatchException, JsonPointerException)


def read(folder: Path) -> Texts:
    """The files of a system that a mutant may change. Errors: MutantInvalid where there is no such system."""
    if not (folder / "test.yaml").is_file():
        raise MutantInvalid(f"{folder} holds no system: test.yaml is missing")
    paths = [folder / "test.yaml", *sorted((folder / "manifests").glob("*.yaml"))]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths}


def mutate(texts: Mapping[str, str], changes: Iterable[Change]) -> Texts:
    """The texts with all changes made, in order. Errors: MutantInvalid for one that does not fit.

    A patch writes its file anew, without comments: changes of text come before it.
    """
    changed = dict(texts)
    for change in changes:
        file = _file(changed, change.file)
        edited = _patched(changed[file], change) if change.patch is not None else _replaced(changed[file], change)
        if edited == changed[file]:
            raise MutantInvalid(f"{change.file}: the change changes nothing")
        changed[file] = edited
    return changed


def _file(texts: Mapping[str, str], name: str) -> str:
    for candidate in (name, f"manifests/{name}"):
        if candidate in texts:
            return candidate
    raise MutantInvalid(f"the system has no file {name}; it has {', '.join(sorted(texts))}")


def _replaced(text: str, change: Change) -> str:
    assert change.old is not None
    assert change.new is not None
    count = text.count(change.old)
    if count == 0 or (count > 1 and not change.all):
        rule = "at least once" if change.all else "exactly once (or `all: true` be set)"
        raise MutantInvalid(f"{change.file}: {change.old!r} is there {count} times, must be there {rule}")
    return text.replace(change.old, change.new)


def _patched(text: str, change: Change) -> str:
    documents = list(yaml.safe_load_all(text))
    fitting: dict[int, Any] = {}
    problem = "no document is of that kind and name"
    for index, document in enumerate(documents):
        if not _is_meant(document, change):
            continue
        try:
            fitting[index] = jsonpatch.apply_patch(_without_aliases(document), list(change.patch or ()))
        except _DOES_NOT_FIT as error:
            problem = f"{type(error).__name__}: {error}"
    if len(fitting) != 1:
        fits = f"fits {len(fitting)} documents: name `kind` and `name`" if fitting else f"does not fit ({problem})"
        raise MutantInvalid(f"{change.file}: the patch {fits}")
    ((index, patched),) = fitting.items()
    if patched == documents[index]:
        return text
    documents[index] = patched
    return yaml.safe_dump_all(documents, sort_keys=False)


def _is_meant(document: Any, change: Change) -> bool:
    if not isinstance(document, dict):
        return False
    meta = document.get("metadata") or {}
    return change.kind in (None, document.get("kind")) and change.name in (None, meta.get("name"))


def _without_aliases(value: Any) -> Any:
    """A copy in which nothing is shared: YAML aliases would carry a change to places nobody named."""
    if isinstance(value, dict):
        return {key: _without_aliases(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_aliases(item) for item in value]
    return value
