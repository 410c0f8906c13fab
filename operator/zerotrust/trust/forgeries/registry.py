"""How a forgery gets its name, its description and its proof."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

GoodT = TypeVar("GoodT")
ForgedT = TypeVar("ForgedT")
CheckT = TypeVar("CheckT", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Forgery(Generic[GoodT, ForgedT, CheckT]):
    """One way to forge: `make` takes the draft of something good and spoils exactly what `breaks` checks."""

    name: str
    summary: str
    breaks: CheckT
    make: Callable[[GoodT], ForgedT]


class ImpotentForgery(Exception):
    """A forgery that does not fail exactly its own check, so that its refusal proves nothing: our bug."""

    def __init__(self, name: str, expected: StrEnum, got: frozenset[StrEnum]) -> None:
        failed = ", ".join(sorted(got)) or "nothing"
        super().__init__(f"forgery {name} must fail {expected} and nothing else, but fails {failed}")
        self.name, self.expected, self.got = name, expected, got


class Family(Generic[GoodT, ForgedT, CheckT]):
    """Forgeries of one kind; `members` holds them by name, in the order of their definition."""

    def __init__(self) -> None:
        self._members: dict[str, Forgery[GoodT, ForgedT, CheckT]] = {}
        self.members: Mapping[str, Forgery[GoodT, ForgedT, CheckT]] = MappingProxyType(self._members)

    def breaks(self, check: CheckT) -> Callable[[Callable[[GoodT], ForgedT]], Callable[[GoodT], ForgedT]]:
        """Register a function: its name becomes the id, the first line of its docstring the description."""

        def register(make: Callable[[GoodT], ForgedT]) -> Callable[[GoodT], ForgedT]:
            name = make.__name__.replace("_", "-")
            if name in self._members:
                raise ValueError(f"two forgeries are called {name}")
            if not make.__doc__:
                raise ValueError(f"forgery {name} has no docstring")
            self._members[name] = Forgery(name, make.__doc__.strip().splitlines()[0], check, make)
            return make

        return register


def prove(forgery: Forgery[GoodT, ForgedT, CheckT], got: frozenset[CheckT], *, label: str = "") -> None:
    """Raise `ImpotentForgery` unless what was made fails the forgery's own check and no other."""
    if got != {forgery.breaks}:
        raise ImpotentForgery(f"{forgery.name} ({label})" if label else forgery.name, forgery.breaks, frozenset(got))
