"""Memory that a burst of runs needed and nobody needs now goes back to the machine."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Collect garbage and let the C library return what is free (glibc's malloc_trim; elsewhere only collect)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
