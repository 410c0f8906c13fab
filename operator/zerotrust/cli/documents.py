"""Tests as they stand in a file: every ZeroTrustTest in it, parsed as the operator parses them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zerotrust.api.errors import Reject
from zerotrust.api.resource import GROUP, KIND, VERSION
from zerotrust.cli.exits import Exit, Stop
from zerotrust.cli.terminal import safe
from zerotrust.core.test import Test, parse

API_VERSION = f"{GROUP}/{VERSION}"


class JsonLoader(yaml.SafeLoader):
    """Reads YAML as kubectl does, by way of JSON: a day such as 2027-03-31 is text there, not a date."""


JsonLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Document:
    """One ZeroTrustTest of a file: what it is called, and the test or what is wrong with it."""

    name: str
    test: Test | None
    problem: str = ""


def read(file: str) -> list[Document]:
    """Every test in a file, or on standard input for ``-``. Errors: Stop where there is nothing to explain."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Stop(Exit.NOT_ALLOWED, f"{file} cannot be read: {words}") from None
    where = "standard input" if file == "-" else file
    try:
        found = [item for document in yaml.load_all(text, Loader=JsonLoader) for item in _items(document)]
    except yaml.YAMLError as error:
        raise Stop(Exit.NOT_ALLOWED, f"{where} is not YAML: {_place(error)}") from None
    except RecursionError:
        raise Stop(Exit.NOT_ALLOWED, f"{where} is nested too deeply") from None
    documents = [_document(item) for item in found]
    if not documents:
        raise Stop(Exit.NOT_ALLOWED, f"{where} holds no {KIND} ({API_VERSION})")
    return documents


def _items(document: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(document, dict):
        return
    if document.get("kind") == KIND:
        yield document
    elif str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _items(item)


def _document(item: dict[str, Any]) -> Document:
    meta = item.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    name = str(meta.get("name") or meta.get("generateName") or "unnamed")
    if item.get("apiVersion") != API_VERSION:
        return Document(name, None, f"apiVersion is {item.get('apiVersion')}, this program knows {API_VERSION}")
    if not isinstance(item.get("spec"), dict):
        return Document(name, None, "spec is missing")
    whole = {"uid": "", "namespace": str(meta.get("namespace") or ""), "name": name}
    try:
        return Document(name, parse({**item, "metadata": whole}))
    except Reject as error:
        return Document(name, None, error.message)


def _place(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return " ".join(str(error).split())[:200]


def label(document: Document) -> str:
    """A document's name for a message."""
    return f"ZeroTrustTest {safe(document.name, 80)}"
