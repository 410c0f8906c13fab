"""Wires kopf to the engine: every state of every test goes in, nothing comes out but what the engine writes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf
from kopf._core.engines.peering import Identity  # not exported, and kopf.operator() takes nothing else

from zerotrust.api.resource import GROUP, PLURAL, VERSION
from zerotrust.cluster.client import Client
from zerotrust.handlers import memory, settings, web
from zerotrust.metrics import Metrics, Shown, Sources
from zerotrust.runs.engine import Engine

QUIET_SECONDS = 5.0
"""How often to look whether the last run has ended."""
log = logging.getLogger(__name__)
TOKEN_PERIOD = timedelta(minutes=10)
"""How long a token that was read is used: the kubelet replaces projected ones well before they end."""


class NoDiffs(kopf.DiffBaseStorage):
    """kopf keeps nothing on our objects: the engine is level-triggered and needs no diffs."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None, ignored_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: kopf.Body) -> Any:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:
        return None


class NoProgress(kopf.ProgressStorage):
    """No handler progress either: no annotations, no finalizer, no patch of kopf's own."""

    def fetch(self, *, key: Any, body: kopf.Body) -> Any:
        return None

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


def shown(engine: Engine) -> Iterator[Shown]:
    """Every test, for the metrics."""
    for known in list(engine.tests.values()):
        meta = known.resource["metadata"]
        yield Shown(meta["namespace"], meta["name"], known.status)


def registry_for(client: Client, engine: Engine) -> kopf.OperatorRegistry:
    """The handlers, bound to one engine."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.persistence.diffbase_storage = NoDiffs()
        settings.persistence.progress_storage = NoProgress()
        settings.persistence.finalizer = f"{GROUP}/unused"
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.peering.standalone = True
        settings.watching.server_timeout = 300
        settings.watching.connect_timeout = 5
        settings.networking.request_timeout = 30
        settings.networking.error_backoffs = (0.2, 0.5, 1, 2, 5)
        settings.queueing.idle_timeout = 1.0
        settings.execution.max_workers = 4

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(client)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        if event["type"] == "DELETED":
            engine.forget(body["metadata"]["uid"])
        else:
            engine.observe(dict(event["object"]))

    return registry


def connection(client: Client) -> kopf.ConnectionInfo:
    """kopf's credentials, the same as the client's; asked for again before a projected token ends."""
    own = client.login.credentials()
    return kopf.ConnectionInfo(
        server=own.server,
        ca_path=own.ca_path,
        token=own.token,
        certificate_path=own.certificate_path,
        private_key_path=own.key_path,
        expiration=datetime.now(UTC) + TOKEN_PERIOD if own.token else None,
    )


async def run(env: Mapping[str, str] | None = None) -> None:
    """Run the operator until it is asked to stop."""
    env = os.environ if env is None else env
    own = settings.from_environment(env)
    client = await Client.connect()
    ready = asyncio.Event()
    engine: Engine | None = None
    metrics = Metrics(
        Sources(
            tests=lambda: shown(engine) if engine else (),
            running=lambda: engine.running if engine else 0,
            sandboxes=lambda: len(engine.sandboxes) if engine else 0,
            requests=lambda: dict(client.requests),
        )
    )
    engine = Engine(client, own, metrics)
    server = await web.serve(settings.listen_port(env), metrics.render, ready.is_set)
    chores = [asyncio.create_task(_sweep_once_seen(engine, ready)), asyncio.create_task(_give_back_memory(engine))]
    try:
        await kopf.operator(
            registry=registry_for(client, engine),
            clusterwide=True,
            ready_flag=ready,
            standalone=True,
            identity=Identity(own.account),  # else kopf asks for a user name, which a bare uid has not
        )
    finally:
        for chore in chores:
            chore.cancel()
        await engine.close()
        await server.cleanup()
        await client.close()


async def _sweep_once_seen(engine: Engine, ready: asyncio.Event) -> None:
    """Sweep from when tests are being watched."""
    await ready.wait()
    await engine.sweep_for_ever()


async def _give_back_memory(engine: Engine) -> None:
    """Return what a burst of runs took, once it is over: to trim holds everything up for some milliseconds."""
    busy = False
    while True:
        await asyncio.sleep(QUIET_SECONDS)
        was, busy = busy, engine.running > 0
        if was and not busy:
            memory.give_back()
