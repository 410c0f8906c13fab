"""An event loop whose time passes only while everybody waits: minutes of a run take milliseconds, in the same order."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar, TypeVarTuple, Unpack

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
BEGINNING = datetime(2030, 1, 1, 12, 0, 30, tzinfo=UTC)
LIMIT = 400_000
"""Turns of the loop after which a scenario counts as one that never ends."""


class _Patient(selectors.SelectSelector):
    """Waits in virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        if self.turns > LIMIT:
            raise RuntimeError("the scenario never ends")
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else: nothing will ever happen again")
        self.time += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Threads are not waited for in virtual time, so that their work is done at once."""

    def __init__(self) -> None:
        self.patient = _Patient()
        super().__init__(self.patient)

    def time(self) -> float:
        return self.patient.time

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as an executor hands it on
            done.set_exception(error)
        return done


def now() -> datetime:
    """The time of day in the simulation."""
    return BEGINNING + timedelta(seconds=asyncio.get_running_loop().time())


def simulated(scenario: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """A test whose coroutine runs in virtual time."""

    @wraps(scenario)
    def test(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(scenario(*args, **kwargs))

    return test


async def until(condition: Callable[[], object], within: float = 900.0, what: str = "") -> None:
    """Wait, in virtual time, until something is true."""
    deadline = asyncio.get_running_loop().time() + within
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {within} s: {what or condition}")
        await asyncio.sleep(0.02)
