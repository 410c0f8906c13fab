"""Following a test in a cluster: fetch it, ask for a run, wait for the verdict. Whatever interrupts is bridged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from zerotrust.api.errors import ApiRefused, Wait
from zerotrust.api.resource import GROUP, KIND, RERUN_ANNOTATION, VERSION
from zerotrust.cli.exits import Exit, Stop
from zerotrust.cli.terminal import Progress, safe
from zerotrust.cli.view import View, may_run, obstacle, standing
from zerotrust.cluster.client import Client

Object = dict[str, Any]
RECONNECT = 1.0
"""Seconds before a cut watch is begun again."""
POLL = 2.0
"""Seconds between looks where watching is not allowed."""
GIVE_UP = 60.0
"""Seconds for which the API server may be silent, once it has answered."""
UNTAKEN = 15.0
"""Seconds after which a test that no operator takes up is worth a word."""


@dataclass(frozen=True, slots=True)
class Place:
    """One test in one cluster."""

    client: Client
    namespace: str
    name: str

    @property
    def text(self) -> str:
        return f"{self.namespace}/{self.name}"


@asynccontextmanager
async def connected(context: str | None) -> AsyncIterator[Client]:
    """A client, closed afterwards. Errors: Stop, in place of everything that the API server can refuse."""
    logging.getLogger("kubernetes").addHandler(logging.NullHandler())  # what it warns of ends in a sentence of ours
    try:
        client = await Client.connect(context)
    except Exception as error:  # noqa: BLE001 - a kubeconfig runs plugins and parsers that raise what they like
        raise Stop(
            Exit.ERROR, f"the kubeconfig (KUBECONFIG, else ~/.kube/config) cannot be used: {safe(error, 300)}"
        ) from None
    try:
        yield client
    except Wait as error:
        raise Stop(Exit.ERROR, safe(error.message, 400)) from None
    except ApiRefused as error:
        raise _refused(error) from None
    finally:
        await client.close()


def _refused(error: ApiRefused) -> Stop:
    words = safe(error.message, 400)
    if error.status == 401:
        return Stop(Exit.NOT_ALLOWED, f"the API server does not know you: {words or 'Unauthorized'}")
    if error.status == 403:
        return Stop(Exit.NOT_ALLOWED, f"not allowed: {words}")
    return Stop(Exit.ERROR, f"the API server refused ({error.status}): {words}")


async def fetch(place: Place) -> View:
    """The test with all its results. Errors: Stop where there is none of that name."""
    return await with_results(place, await _existing(place))


async def with_results(place: Place, resource: Object) -> View:
    """A test's view with the results out of their ConfigMap, where that may be read."""
    view = View.of(resource)
    if view.status.verdict is None or not view.missing:
        return view
    try:
        return View.of(resource, await place.client.get("ConfigMap", place.namespace, f"{place.name}-results"))
    except (ApiRefused, Wait) as error:
        why = f"ConfigMap {place.name}-results cannot be read ({safe(error.reason, 40) or 'refused'})"
        return View(resource, view.status, view.results, why)


async def _existing(place: Place) -> Object:
    found = await place.client.get(KIND, place.namespace, place.name)
    if found is None:
        raise await _not_found(place)
    return found


async def _not_found(place: Place) -> Stop:
    """Not found, and what may help: whether the kind is known at all, and which tests there are."""
    text = f"there is no ZeroTrustTest {place.name} in namespace {place.namespace}"
    try:
        others = await place.client.list(KIND, place.namespace)
    except ApiRefused as error:
        if error.status == 404:
            hint = "this cluster does not know the kind ZeroTrustTest: install the operator's chart, or its crds/"
            return Stop(Exit.NOT_ALLOWED, hint)
        return Stop(Exit.NOT_ALLOWED, text)
    names = sorted(safe(item["metadata"]["name"], 63) for item in others)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    there = f"; there is {', '.join(names[:5])}{more}" if names else "; there are none: is it another one (-n)?"
    return Stop(Exit.NOT_ALLOWED, text + there)


async def ask(place: Place) -> str:
    """Ask for a run, by the annotation; returns the id of the run before it. Errors: Stop where none can start."""
    resource = await _existing(place)
    view = View.of(resource)
    if not may_run(view):
        raise obstacle(view)
    meta = resource["metadata"]
    change = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],  # a namesake that came in the meantime is not meant
            "annotations": {RERUN_ANNOTATION: _now()},
        },
    }
    try:
        await place.client.apply(change)
    except ApiRefused as error:
        if error.status == 409:
            raise Stop(Exit.NOT_ALLOWED, f"{view.name} was deleted meanwhile") from None
        raise
    return view.status.run.id if view.status.run else ""


def _now() -> str:
    nanoseconds = time.time_ns()
    moment = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09}Z"


async def verdict(place: Place, limit: float, progress: Progress, *, after: str | None = None) -> View:
    """The test once there is a verdict on its present spec, other than that of run ``after``.

    Errors: Stop where no verdict will come, and after ``limit`` seconds (its ``code`` is TIMEOUT).
    """
    await _existing(place)
    last = "nothing"
    try:
        async with asyncio.timeout(limit), aclosing(_states(place, progress)) as states:
            uid, since = "", time.monotonic()
            async for resource in states:
                if resource is None or (uid and resource["metadata"]["uid"] != uid):
                    raise Stop(Exit.NOT_ALLOWED, f"{place.text} was deleted meanwhile")
                uid = resource["metadata"]["uid"]
                view = View.of(resource)
                doing = standing(view, after=after)
                if not doing:
                    break
                last = doing
                progress.tell(_hint(doing, view, since))
            else:
                raise AssertionError("states never end")
    except TimeoutError:
        raise Stop(Exit.TIMEOUT, f"no verdict on {place.text} after {limit:g} s; last seen: {last}") from None
    return await with_results(place, resource)


def _hint(doing: str, view: View, since: float) -> str:
    late = time.monotonic() - since >= UNTAKEN
    return f"{doing}; does it run?" if late and not view.running else doing


async def _states(place: Place, progress: Progress) -> AsyncGenerator[Object | None]:
    """The test as it is now and after every change, None once it is gone; the same state may come again."""
    heard = time.monotonic()
    while True:
        try:
            async with aclosing(_watched(place)) as states:
                async for state in states:
                    heard = time.monotonic()
                    yield state
        except Wait as error:
            if time.monotonic() - heard > GIVE_UP:
                raise
            progress.tell(f"{safe(error.message, 200)}; trying again")
        await asyncio.sleep(RECONNECT)


async def _watched(place: Place) -> AsyncGenerator[Object | None]:
    """One watch of the test, or one look at a time where the user may get but not watch."""
    now: Object | None = None
    synced = False
    try:
        watch = cast("AsyncGenerator[tuple[str, Object]]", place.client.watch(KIND, place.namespace))
        async with aclosing(watch) as events:
            async for event, item in events:
                if event == "SYNCED":
                    synced = True
                elif item["metadata"]["name"] == place.name:
                    now = None if event == "DELETED" else item
                else:
                    continue
                if synced:
                    yield now
    except ApiRefused as error:
        if error.status == 403:
            yield await place.client.get(KIND, place.namespace, place.name)
            await asyncio.sleep(POLL)
        elif error.status != 410:
            raise
