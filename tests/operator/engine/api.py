"""An API server in memory: what the engine's ``Cluster`` asks for, with faults and a hand on the order of answers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.operator.engine.simulation import now
from zerotrust.api import reasons
from zerotrust.api.errors import ApiRefused, Wait
from zerotrust.api.resource import KIND
from zerotrust.runs.ports import Object

Key = tuple[str, str, str]
LATENCY = 0.002
CLUSTER_WIDE = frozenset({"Namespace"})
TERMINATION = 0.5
"""How long a namespace takes to be gone."""


@dataclass(frozen=True)
class Call:
    """One request: its number from 0, its verb, and what it is about."""

    number: int
    verb: str
    kind: str
    namespace: str
    name: str
    item: Object = field(default_factory=dict, hash=False)


def unavailable() -> Wait:
    """No answer."""
    return Wait(reasons.API_UNAVAILABLE, "the API server did not answer: simulated")


def forbidden() -> ApiRefused:
    """A right that has not arrived yet."""
    return ApiRefused(403, "Forbidden", "is forbidden: simulated")


class Api:
    """Objects by kind, namespace and name, who watches them, and what every call meets on its way."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.calls: list[Call] = []
        self.fault: Callable[[Call], Exception | None] = lambda call: None
        self.gate: Callable[[Call], Awaitable[None] | None] = lambda call: None
        """May hold a call back after it was sent and before it is done."""
        self.logs: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.ended: set[tuple[str, str]] = set()
        self.cuts: dict[tuple[str, str], list[int]] = {}
        """By pod: after how many lines the next streams of its log break off."""
        self.listeners: list[Callable[[str, Object], None]] = []
        self.secrets_of_the_past: set[Key] = set()
        self._watchers: list[tuple[str, str, asyncio.Queue[tuple[str, Object] | None]]] = []
        self._growth = asyncio.Condition()
        self._version = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # what the world does, without a request

    def put(self, item: Object, *, spec_changed: bool = True) -> Object:
        """Create or replace an object as its controller or its author does."""
        meta = item["metadata"]
        key = (item["kind"], meta.get("namespace") or "", meta["name"])
        old = self.objects.get(key)
        self._version += 1
        generation = old["metadata"]["generation"] + spec_changed if old else 1
        uid = old["metadata"]["uid"] if old else meta.get("uid") or f"u{self._version}"
        meta |= {"uid": uid, "resourceVersion": str(self._version), "generation": generation}
        self.objects[key] = item
        self._tell("MODIFIED" if old else "ADDED", item)
        return item

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Take an object away, and what it owns."""
        item = self.objects.pop((kind, namespace, name), None)
        if item is None:
            return
        self._tell("DELETED", item)
        for (what, where, who), other in list(self.objects.items()):
            owners = other["metadata"].get("ownerReferences") or ()
            if any(owner["uid"] == item["metadata"]["uid"] for owner in owners):
                self.remove(what, where, who)

    def of(self, kind: str, namespace: str | None = None) -> Iterator[Object]:
        """All objects of a kind."""
        found = [o for (k, n, _), o in self.objects.items() if k == kind and namespace in (None, n)]
        return iter(found)

    async def print(self, namespace: str, pod: str, *lines: str) -> None:
        """A container writes to its log."""
        self.logs[namespace, pod].extend(lines)
        async with self._growth:
            self._growth.notify_all()

    async def end_log(self, namespace: str, pod: str) -> None:
        """A container is gone."""
        self.ended.add((namespace, pod))
        async with self._growth:
            self._growth.notify_all()

    def cut_watches(self) -> None:
        """Every watch ends, as servers end them now and then."""
        for _, _, queue in self._watchers:
            queue.put_nowait(None)

    def start_removing(self, namespace: str) -> None:
        """Someone deletes a namespace."""
        item = self.objects.get(("Namespace", "", namespace))
        if item and item["status"]["phase"] != "Terminating":
            self.put({**item, "status": {"phase": "Terminating"}})
            self.spawn(self._terminate(namespace))

    async def _terminate(self, namespace: str) -> None:
        await asyncio.sleep(TERMINATION)
        for kind, where, name in list(self.objects):
            if where == namespace:
                self.remove(kind, where, name)
        self.remove("Namespace", "", namespace)

    def spawn(self, work: Any) -> None:
        """Something of the world's own that goes on by itself."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self, event: str, item: Object) -> None:
        for kind, namespace, queue in self._watchers:
            if kind == item["kind"] and namespace in ("", item["metadata"].get("namespace")):
                queue.put_nowait((event, deepcopy(item)))
        for listener in list(self.listeners):
            listener(event, item)


class Session:
    """One client's way to the server, as the engine's ``Cluster``; a killed client is never answered again."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.dead = False

    async def _enter(self, verb: str, kind: str, namespace: str | None, name: str, item: Object | None = None) -> Call:
        if self.dead:
            await asyncio.get_running_loop().create_future()
        call = Call(len(self.api.calls), verb, kind, namespace or "", name, deepcopy(item or {}))
        self.api.calls.append(call)
        held = self.api.gate(call)
        if held is not None:
            await held
        await asyncio.sleep(LATENCY)
        if self.dead:
            await asyncio.get_running_loop().create_future()
        error = self.api.fault(call)
        if error is not None:
            raise error
        return call

    async def get(self, kind: str, namespace: str | None, name: str) -> Object | None:
        await self._enter("get", kind, namespace, name)
        return deepcopy(self.api.objects.get((kind, namespace or "", name)))

    async def list(
        self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Object]:
        await self._enter("list", kind, namespace, "")
        wanted = dict(part.split("=") for part in labels.split(",") if part)
        return [
            deepcopy(item)
            for item in self.api.of(kind, namespace)
            if wanted.items() <= (item["metadata"].get("labels") or {}).items()
        ]

    async def create(self, item: Object) -> Object:
        kind, meta = item["kind"], item["metadata"]
        await self._enter("create", kind, meta.get("namespace"), meta["name"], item)
        key = (kind, meta.get("namespace") or "", meta["name"])
        if key in self.api.objects:
            return deepcopy(self.api.objects[key])
        if kind not in CLUSTER_WIDE:
            self._admit(key[1])
        made = deepcopy(item)
        if kind == "Namespace":
            made["status"] = {"phase": "Active"}
        if kind == "Service":
            made["spec"]["clusterIP"] = f"10.96.0.{len(self.api.calls) % 250}"
        return deepcopy(self.api.put(made))

    def _admit(self, namespace: str) -> None:
        found = self.api.objects.get(("Namespace", "", namespace))
        if found is None:
            raise ApiRefused(404, "NotFound", f'namespaces "{namespace}" not found')
        if found["status"]["phase"] == "Terminating":
            raise ApiRefused(403, "Forbidden", f"namespace {namespace} is being terminated")

    async def apply(self, item: Object, subresource: str = "") -> Object:
        kind, meta = item["kind"], item["metadata"]
        await self._enter("apply", kind, meta.get("namespace"), meta["name"], item)
        old = self.api.objects.get((kind, meta.get("namespace") or "", meta["name"]))
        if subresource == "status" or kind == KIND:
            return self._status(old, item)
        if old is None:
            self._admit(meta.get("namespace") or "")
            return deepcopy(self.api.put(deepcopy(item)))
        notes = {**(old["metadata"].get("annotations") or {}), **(meta.get("annotations") or {})}
        merged = {**old, **deepcopy(item), "metadata": {**old["metadata"], **meta, "annotations": notes}}
        return deepcopy(self.api.put(merged))

    def _status(self, old: Object | None, item: Object) -> Object:
        meta = item["metadata"]
        if old is None:
            raise ApiRefused(404, "NotFound", f"{meta['name']} not found")
        if old["metadata"]["uid"] != meta.get("uid"):
            raise ApiRefused(409, "Conflict", "the UID in the precondition does not match")
        written = {**old, "metadata": dict(old["metadata"]), "status": deepcopy(item["status"])}
        return deepcopy(self.api.put(written, spec_changed=False))

    async def delete(self, kind: str, namespace: str | None, name: str, *, grace: int | None = None) -> None:
        await self._enter("delete", kind, namespace, name)
        if kind == "Namespace":
            self.api.start_removing(name)
        else:
            self.api.remove(kind, namespace or "", name)

    async def watch(self, kind: str, namespace: str | None, *, labels: str = "") -> AsyncIterator[tuple[str, Object]]:
        await self._enter("watch", kind, namespace, "")
        queue: asyncio.Queue[tuple[str, Object] | None] = asyncio.Queue()
        entry = (kind, namespace or "", queue)
        self.api._watchers.append(entry)
        try:
            for item in self.api.of(kind, namespace):
                yield "ADDED", deepcopy(item)
            yield "SYNCED", {}
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self.api._watchers.remove(entry)

    async def follow(self, namespace: str, pod: str, container: str) -> AsyncIterator[str]:
        await self._enter("follow", "Pod", namespace, pod)
        cuts = self.api.cuts.get((namespace, pod)) or []
        cut = cuts.pop(0) if cuts else None
        shown = 0
        while True:
            for line in self.api.logs[namespace, pod][shown:]:
                if shown == cut:
                    raise unavailable()
                shown += 1
                yield line
            if (namespace, pod) in self.api.ended:
                return
            async with self.api._growth:
                if len(self.api.logs[namespace, pod]) == shown and (namespace, pod) not in self.api.ended:
                    await self.api._growth.wait()

    async def tail(self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 3) -> str:
        await self._enter("tail", "Pod", namespace, pod)
        return "\n".join(self.api.logs[namespace, pod][-lines:])


def stamp() -> str:
    """The time as the kubelet writes it."""
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")
