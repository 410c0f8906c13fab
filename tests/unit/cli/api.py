"""A small Kubernetes API server in a thread: one namespace's tests and ConfigMaps, get, list, watch and apply."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml
from aiohttp import web

Object = dict[str, Any]
TESTS = "/apis/zerotrust.dev/v1alpha1/namespaces/{namespace}/zerotrusttests"


class Api:
    """``tests`` and ``maps`` by name are what it serves; ``refuse`` (verb → status) is what it forbids.

    ``on_apply`` is what an operator would do when somebody asks for a run.
    """

    def __init__(self) -> None:
        self.tests: dict[str, Object] = {}
        self.maps: dict[str, Object] = {}
        self.refuse: dict[str, int] = {}
        self.asked: list[str] = []
        self.on_apply: Callable[[Object], None] = lambda item: None
        self.watching = threading.Event()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._watches: set[asyncio.Queue[Object | None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._runner: web.AppRunner | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self.open())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def open(self) -> None:
        """Begin to listen; again on the same port after ``close``."""
        app = web.Application()
        app.router.add_get(TESTS, self._list)
        app.router.add_get(TESTS + "/{name}", self._get)
        app.router.add_patch(TESTS + "/{name}", self._apply)
        app.router.add_get("/api/v1/namespaces/{namespace}/configmaps/{name}", self._map)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def close(self) -> None:
        """Stop listening and cut every watch."""
        self.watching.clear()
        for queue in list(self._watches):
            queue.put_nowait(None)
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def restart(self, while_down: Callable[[], None]) -> None:
        """Be away for a while."""
        self._do(self.close())
        while_down()
        self._do(self.open())

    def change(self, name: str, edit: Callable[[Object], object]) -> None:
        """Change a test, and tell those who watch."""

        async def work() -> None:
            edit(self.tests[name])
            self._tell("MODIFIED", self.tests[name])

        self._do(work())

    def delete(self, name: str) -> None:
        """Delete a test, and tell those who watch."""

        async def work() -> None:
            self._tell("DELETED", self.tests.pop(name))

        self._do(work())

    def cut(self) -> None:
        """Cut every watch; who comes back is served."""

        async def work() -> None:
            self.watching.clear()
            for queue in list(self._watches):
                queue.put_nowait(None)

        self._do(work())

    def kubeconfig(self, path: Path, namespace: str = "team-shop") -> Path:
        """Write a kubeconfig that leads here."""
        context = {"cluster": "here", "user": "me", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": "here", "context": context}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _tell(self, event: str, item: Object) -> None:
        for queue in self._watches:
            queue.put_nowait({"type": event, "object": copy.deepcopy(item)})

    def _refusal(self, verb: str) -> web.Response | None:
        self.asked.append(verb)
        code = self.refuse.get(verb)
        return _answer(code, f"{verb} is refused") if code else None

    async def _list(self, request: web.Request) -> web.StreamResponse:
        verb = "watch" if request.query.get("watch") else "list"
        if refused := self._refusal(verb):
            return refused
        if verb == "list":
            there = [t for t in self.tests.values() if t["metadata"]["namespace"] == request.match_info["namespace"]]
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": there})
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[Object | None] = asyncio.Queue()
        self._watches.add(queue)
        self.watching.set()
        try:
            while (event := await queue.get()) is not None:
                await response.write(json.dumps(event).encode() + b"\n")
        finally:
            self._watches.discard(queue)
        return response

    async def _get(self, request: web.Request) -> web.Response:
        if refused := self._refusal("get"):
            return refused
        found = self.tests.get(request.match_info["name"])
        return web.json_response(found) if found else _answer(404, "not found")

    async def _map(self, request: web.Request) -> web.Response:
        if refused := self._refusal("configmap"):
            return refused
        found = self.maps.get(request.match_info["name"])
        return web.json_response(found) if found else _answer(404, "not found")

    async def _apply(self, request: web.Request) -> web.Response:
        if refused := self._refusal("apply"):
            return refused
        change = yaml.safe_load(await request.text())
        item = self.tests[request.match_info["name"]]
        if change["metadata"]["uid"] != item["metadata"]["uid"]:
            return _answer(409, "uid mismatch")
        item["metadata"].setdefault("annotations", {}).update(change["metadata"]["annotations"])
        self.on_apply(item)
        self._tell("MODIFIED", item)
        return web.json_response(item)


def _answer(code: int, message: str) -> web.Response:
    reason = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}.get(code, "")
    return web.json_response({"kind": "Status", "code": code, "reason": reason, "message": message}, status=code)
