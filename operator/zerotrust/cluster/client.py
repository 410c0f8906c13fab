"""A small client: plain dicts in, plain dicts out.

Errors: ``Wait`` where trying again may help (no answer, 429, 5xx), ``ApiRefused`` where it cannot. 404 is None.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from zerotrust.api import reasons
from zerotrust.api.errors import ApiRefused, Wait
from zerotrust.api.resource import GROUP, KIND, PLURAL, VERSION
from zerotrust.cluster.login import Login, login

Object = dict[str, Any]
FIELD_MANAGER = "zerotrust-operator"
REQUEST_SECONDS = 30.0
WATCH_SECONDS = 300

PATHS: Mapping[str, tuple[str, str]] = {
    "Namespace": ("/api/v1", "namespaces"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Pod": ("/api/v1", "pods"),
    "Event": ("/api/v1", "events"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    KIND: (f"/apis/{GROUP}/{VERSION}", PLURAL),
}


class Client:
    """Speaks with one API server. ``requests`` counts what was asked, by verb and code, for the metrics."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.requests: Counter[tuple[str, str]] = Counter()

    @classmethod
    async def connect(cls, context: str | None = None) -> Client:
        """As ``login``, which says whom as."""
        return cls(await login(context))

    async def close(self) -> None:
        await self.login.close()

    async def get(self, kind: str, namespace: str | None, name: str) -> Object | None:
        """One object, or None."""
        try:
            return await self._json("get", "GET", _path(kind, namespace, name))
        except ApiRefused as error:
            if error.status == 404:
                return None
            raise

    async def list(
        self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Object]:
        """All objects of a kind, in one namespace or everywhere."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        answer = await self._json("list", "GET", _path(kind, namespace), query)
        items: list[Object] = answer.get("items") or []
        return items

    async def create(self, item: Object) -> Object:
        """Create; what exists already is returned as it is (a step done twice is done once). Secrets are never read."""
        meta = item["metadata"]
        path = _path(item["kind"], meta.get("namespace"))
        try:
            return await self._json("create", "POST", path, {"fieldManager": FIELD_MANAGER}, item)
        except ApiRefused as error:
            if error.status == 409 and error.reason == "AlreadyExists":
                if item["kind"] == "Secret":
                    return item
                return await self.get(item["kind"], meta.get("namespace"), meta["name"]) or item
            raise

    async def apply(self, item: Object, subresource: str = "") -> Object:
        """Server-side apply with our own field manager, taking over what conflicts."""
        meta = item["metadata"]
        path = _path(item["kind"], meta.get("namespace"), meta["name"], subresource)
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._json("apply", "PATCH", path, query, item, "application/apply-patch+yaml")

    async def delete(self, kind: str, namespace: str | None, name: str, *, grace: int | None = None) -> None:
        """Delete; what is gone is gone."""
        body: Object = {"propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            await self._json("delete", "DELETE", _path(kind, namespace, name), body=body)
        except ApiRefused as error:
            if error.status not in (404, 409):
                raise

    async def watch(self, kind: str, namespace: str | None, *, labels: str = "") -> AsyncIterator[tuple[str, Object]]:
        """What is there now as ADDED, then ``SYNCED`` once, then every change. Ends with the server's time limit."""
        answer = await self._json("list", "GET", _path(kind, namespace), {"labelSelector": labels})
        for item in answer.get("items") or []:
            yield "ADDED", item
        version = answer["metadata"]["resourceVersion"]
        yield "SYNCED", {}
        query = {
            "watch": "true", "labelSelector": labels, "resourceVersion": version,
            "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS),
        }  # fmt: skip
        async for line in self._lines("watch", _path(kind, namespace), query):
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            if event["type"] != "BOOKMARK":
                yield event["type"], event["object"]

    async def follow(self, namespace: str, pod: str, container: str) -> AsyncIterator[str]:
        """A container's log from its first line, as it grows, until the container ends."""
        path = f"{_path('Pod', namespace, pod)}/log"
        async for line in self._lines("log", path, {"container": container, "follow": "true"}):
            yield line.decode("utf-8", "replace")

    async def tail(self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 3) -> str:
        """The last lines of a container's log, bounded; empty where there is none."""
        query = {
            "container": container, "tailLines": str(lines), "limitBytes": "4096",
            "previous": "true" if previous else "",
        }  # fmt: skip
        try:
            async with await self._send("log", "GET", f"{_path('Pod', namespace, pod)}/log", query) as response:
                return (await response.read()).decode("utf-8", "replace")
        except ApiRefused:
            return ""

    async def _json(
        self,
        verb: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content: str = "application/json",
    ) -> Object:
        try:
            async with await self._send(verb, method, path, query, body, content) as response:
                answer: Object = await response.json()
                return answer
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unavailable(error) from error

    async def _lines(self, verb: str, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        try:
            async with await self._send(verb, "GET", path, query, stream=True) as response:
                async for line in response.content:
                    yield line
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unavailable(error) from error

    async def _send(
        self,
        verb: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content: str = "application/json",
        *,
        stream: bool = False,
    ) -> aiohttp.ClientResponse:
        wanted = {key: value for key, value in (query or {}).items() if value}
        full = f"{path}?{urlencode(wanted)}" if wanted else path
        limit = aiohttp.ClientTimeout(total=None if stream else REQUEST_SECONDS, sock_connect=5.0)
        try:
            response = await self.login.send(method, full, {"Content-Type": content}, body, limit)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.requests[verb, "none"] += 1
            raise _unavailable(error) from error
        self.requests[verb, str(response.status)] += 1
        if response.status >= 400:
            raise await _refusal(response)
        return response


def _path(kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
    prefix, plural = PATHS[kind]
    parts = [prefix]
    if namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(plural)
    parts += [quote(part, safe="") for part in (name, subresource) if part]
    return "/".join(parts)


def _unavailable(error: BaseException) -> Wait:
    return Wait(reasons.API_UNAVAILABLE, f"the API server did not answer: {type(error).__name__} {error}"[:300])


async def _refusal(response: aiohttp.ClientResponse) -> ApiRefused | Wait:
    try:
        text = (await response.read())[:8192].decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError):
        text = ""
    finally:
        response.release()
    try:
        status = json.loads(text)
        reason, message = str(status.get("reason", "")), str(status.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", text
    if response.status == 429 or response.status >= 500:
        return Wait(reasons.API_UNAVAILABLE, f"the API server answered {response.status}: {message}"[:300])
    return ApiRefused(response.status, reason, message[:1000])
