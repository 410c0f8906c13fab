"""Health and metrics: the operator's only port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web


async def serve(port: int, metrics: Callable[[], bytes], is_ready: Callable[[], bool]) -> web.AppRunner:
    """Serve /healthz (the loop turns), /readyz (tests are being watched) and /metrics."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if is_ready() else web.Response(status=503, text="starting\n")

    async def metricsz(_: web.Request) -> web.Response:
        text = await asyncio.to_thread(metrics)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metricsz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner
