"""What the engine needs of the world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

Object = dict[str, Any]


class Cluster(Protocol):
    """The API server, as far as the engine uses it. Errors: Wait, ApiRefused; 404 is None."""

    async def get(self, kind: str, namespace: str | None, name: str) -> Object | None: ...

    async def list(
        self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Object]: ...

    async def create(self, item: Object) -> Object: ...

    async def apply(self, item: Object, subresource: str = "") -> Object: ...

    async def delete(self, kind: str, namespace: str | None, name: str, *, grace: int | None = None) -> None: ...

    def watch(self, kind: str, namespace: str | None, *, labels: str = "") -> AsyncIterator[tuple[str, Object]]: ...

    def follow(self, namespace: str, pod: str, container: str) -> AsyncIterator[str]: ...

    async def tail(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 3
    ) -> str: ...


class Clock(Protocol):
    """The time of day, timezone-aware."""

    def __call__(self) -> datetime: ...


class Observer(Protocol):
    """Who counts what the engine does: the metrics."""

    def run_finished(self, verdict: str, trigger: str, seconds: float, stages: Mapping[str, float]) -> None: ...

    def cases_judged(self, cases: Sequence[tuple[str, str]]) -> None: ...

    def error(self) -> None: ...


@dataclass(frozen=True)
class Settings:
    """How this operator was installed."""

    probe_image: str
    namespace: str = "zerotrust-system"
    account: str = "zerotrust-operator"
    sandbox_role: str = ""
    """ClusterRole to bind to the operator in each sandbox; empty where it has its rights otherwise."""
    max_running: int = 10
    dns_peers: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
