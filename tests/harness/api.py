"""Reads from the API server without starting a kubectl each time: tests poll, and a process costs a core a while."""

from __future__ import annotations

import functools
import json
from typing import Any

from kubernetes import client, config

Object = dict[str, Any]
PLURALS = {
    "zerotrusttests.zerotrust.dev": "/apis/zerotrust.dev/v1alpha1/{}zerotrusttests",
    "namespaces": "/api/v1/namespaces",
    "configmap": "/api/v1/{}configmaps",
    "pods": "/api/v1/{}pods",
    "events": "/api/v1/{}events",
}


@functools.cache
def _client() -> client.ApiClient:
    config.load_kube_config()  # type: ignore[no-untyped-call]
    return client.ApiClient()


def read(path: str, **query: str) -> Object | None:
    """A GET; None for 404."""
    api = _client()
    method, url, headers, body, form = api.param_serialize(
        "GET", path, query_params=list(query.items()), auth_settings=["BearerToken"]
    )
    answer = api.call_api(method, url, headers, body, form, _request_timeout=30)
    text = answer.read()  # type: ignore[no-untyped-call]
    if answer.status == 404:
        return None
    assert answer.status == 200, f"{path}: {answer.status} {text[:300]!r}"
    found: Object = json.loads(text)
    return found


def get(kind: str, name: str, namespace: str | None = None) -> Object | None:
    """One object, or None."""
    return read(f"{_collection(kind, namespace)}/{name}")


def items(kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Object]:
    """All objects of a kind."""
    found = read(_collection(kind, namespace), labelSelector=labels, fieldSelector=fields)
    listed: list[Object] = (found or {}).get("items") or []
    return listed


def _collection(kind: str, namespace: str | None) -> str:
    return PLURALS[kind].format(f"namespaces/{namespace}/" if namespace else "")
