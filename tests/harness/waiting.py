"""Wait for something to become true, and say what was last seen when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(what: str, look: Callable[[], T | None], *, within: float = 60.0, every: float = 0.2) -> T:
    """The first thing that ``look`` finds. Errors: AssertionError with what was wanted and what was last seen.

    ``look`` returns None (or raises AssertionError, whose text is kept) while it is not there yet.
    """
    deadline, last = time.monotonic() + within, "nothing"
    while True:
        try:
            found = look()
            if found is not None:
                return found
        except AssertionError as error:
            last = str(error)
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within:g} s for {what}; last seen: {last[:2000]}")
        time.sleep(every)
